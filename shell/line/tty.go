package line

import (
	"os"

	xterm "golang.org/x/term"
)

// withFd calls f with the descriptor of file. Unlike File.Fd it does not change how the file is read.
func withFd(file *os.File, f func(fd int)) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) { f(int(fd)) })
}

func isTerminal(f *os.File) (yes bool) {
	if f == nil {
		return false
	}
	withFd(f, func(fd int) { yes = xterm.IsTerminal(fd) })
	return yes
}

// size returns the terminal's width and height. One that does not tell, or tells nonsense, has 80 by 24.
func (t *tty) size() (cols, rows int) {
	withFd(t.out, func(fd int) { cols, rows, _ = xterm.GetSize(fd) })
	if cols <= 0 {
		cols = 80
	}
	if rows <= 0 {
		rows = 24
	}
	return cols, rows
}
