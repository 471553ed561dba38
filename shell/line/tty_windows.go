package line

import (
	"os"

	"golang.org/x/sys/windows"
	xterm "golang.org/x/term"
)

// tty is the console as a device, used in the way of a Unix terminal: since Windows 10 it sends and understands the same
// sequences. There are no signals: a new size is seen when the line is drawn next, and Ctrl-Z does nothing.
type tty struct {
	in, out *os.File
	saved   *xterm.State
	mode    uint32 // of out before raw was called first
}

func newTTY(in, out *os.File) *tty { return &tty{in: in, out: out} }

func (t *tty) raw() (err error) {
	fdErr := withFd(t.in, func(fd int) {
		var before *xterm.State
		before, err = xterm.MakeRaw(fd)
		if err == nil && t.saved == nil {
			t.saved = before
		}
	})
	if err != nil {
		return err
	}
	if fdErr != nil {
		return fdErr
	}
	return t.outputMode(func(h windows.Handle, mode uint32) error {
		t.mode = mode
		return windows.SetConsoleMode(h, mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	})
}

func (t *tty) restore() (err error) {
	if t.saved == nil {
		return nil
	}
	withFd(t.in, func(fd int) { err = xterm.Restore(fd, t.saved) })
	if err != nil {
		return err
	}
	return t.outputMode(func(h windows.Handle, _ uint32) error { return windows.SetConsoleMode(h, t.mode) })
}

func (t *tty) outputMode(f func(h windows.Handle, mode uint32) error) (err error) {
	fdErr := withFd(t.out, func(fd int) {
		var mode uint32
		h := windows.Handle(fd)
		if err = windows.GetConsoleMode(h, &mode); err == nil {
			err = f(h, mode)
		}
	})
	if err == nil {
		err = fdErr
	}
	return err
}

func (t *tty) watch(_, _, _ func()) {}
func (t *tty) unwatch()             {}
func (t *tty) stop()                {}
