package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"opentalk/plugins/hook"
)

// settings are those of plugin.toml.
type settings struct {
	Listen       []string `json:"listen"`
	PasswordFile string   `json:"password_file"`
	History      int      `json:"history"`
}

func (s settings) check() error {
	switch {
	case len(s.Listen) == 0:
		return hook.Errorf(hook.CodeInvalid, "listen names no address")
	case s.History < 0 || s.History > hook.MaxHistory:
		return hook.Errorf(hook.CodeInvalid, "history is %d; 0 to %d can be shown", s.History, hook.MaxHistory)
	}
	return nil
}

// readPassword returns the first line of the password file, "" if none is set.
func (s settings) readPassword() (string, error) {
	if s.PasswordFile == "" {
		return "", nil
	}
	info, err := os.Stat(s.PasswordFile)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return "", &hook.Error{
			Code: hook.CodeInvalid, Text: fmt.Sprintf("others can read the password in %s", s.PasswordFile), Hint: "chmod 600 it",
		}
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", hook.Errorf(hook.CodeInvalid, "there is no password in %s", s.PasswordFile)
	}
	return line, nil
}

// listeners are where clients come in.
type listeners struct {
	all     []net.Listener
	mu      sync.Mutex
	clients map[net.Conn]bool
	serving sync.WaitGroup
}

// listen opens all addresses, or none. Without a password only those that nobody outside of this machine reaches.
func listen(s settings, password string) (*listeners, error) {
	l := &listeners{clients: map[net.Conn]bool{}}
	for _, address := range s.Listen {
		one, err := open(address, password != "")
		if err != nil {
			l.close()
			return nil, &hook.Error{Code: hook.CodeInvalid, Text: fmt.Sprintf("listening on %s: %v", address, err), Hint: hintOf(err)}
		}
		l.all = append(l.all, one)
	}
	return l, nil
}

var errOutside = errors.New("that is not this machine alone, and no password is set")

func hintOf(err error) string {
	if errors.Is(err, errOutside) {
		return "set password_file, or listen on 127.0.0.1, [::1] or unix:PATH"
	}
	return "set listen in the settings of the plugin"
}

func open(address string, outside bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return openSocket(path)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); !outside && (ip == nil || !ip.IsLoopback()) {
		return nil, errOutside // a name may lead anywhere
	}
	return net.Listen("tcp", address)
}

// openSocket puts a socket where nobody listens any more, and lets nobody else in.
func openSocket(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, errors.New("somebody listens there")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

// serve takes clients until the listeners are closed.
func (l *listeners) serve(h *hub) {
	for _, one := range l.all {
		l.serving.Go(func() {
			for {
				conn, err := one.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil {
					h.log.Warn("a client could not come in", "error", err)
					time.Sleep(acceptAgain)
					continue
				}
				if !l.add(conn) {
					conn.Write([]byte("ERROR :Closing link: too many clients\r\n"))
					conn.Close()
					continue
				}
				l.serving.Go(func() {
					defer l.remove(conn)
					h.serve(conn)
				})
			}
		})
	}
}

func (l *listeners) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.clients) == maxClients {
		return false
	}
	l.clients[conn] = true
	return true
}

func (l *listeners) remove(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.clients, conn)
}

// wait returns when all clients have gone. Who has not when ctx ends is hung up on.
func (l *listeners) wait(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for conn := range l.clients {
			conn.Close()
		}
	})
	defer stop()
	l.serving.Wait()
}

// close lets nobody in any more.
func (l *listeners) close() {
	for _, one := range l.all {
		one.Close()
	}
}
