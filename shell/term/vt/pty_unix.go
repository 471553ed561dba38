//go:build unix

package vt

import (
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// OpenPTY returns both ends of a new pseudo-terminal: what is written to keys is typed at tty, and a read of keys gives what a
// program writes to tty, until either is closed.
func OpenPTY(cols, rows int) (keys, tty *os.File, err error) {
	master, tty, err := pty.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("opening pseudo-terminal: %w", err)
	}
	defer master.Close()
	// Opened anew, so that closing it ends a read in progress: what pty.Open returns blocks.
	fd, err := unix.Dup(int(master.Fd()))
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = SetSize(tty, cols, rows)
	}
	if err != nil {
		tty.Close()
		return nil, nil, fmt.Errorf("opening pseudo-terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), master.Name()), tty, nil
}

// SetSize tells a pseudo-terminal how large it is. A program on it hears of that if it is the terminal's foreground job.
func SetSize(tty *os.File, cols, rows int) error {
	raw, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	fdErr := raw.Control(func(fd uintptr) { // tty.Fd would make reads block for ever
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)})
	})
	if err == nil {
		err = fdErr
	}
	return err
}
