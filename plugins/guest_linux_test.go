package plugins

import (
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ignoreEverything is all that a process can do to outlive the chat: signals, the end of its input, the death of its parent.
func ignoreEverything() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)
}

// gibberish serves something that is not gRPC, and returns where.
func gibberish() string {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 418 I'm a teapot\r\n\r\n"))
		}
	}()
	return path
}
