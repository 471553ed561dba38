//go:build unix

package line

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chzyer/readline"
)

// resumeTimeout is how long stop waits to be resumed. Nobody counts the time while stopped; it passes only where the system
// refuses to stop a program because no shell could resume it.
const resumeTimeout = 200 * time.Millisecond

// tty is the terminal as a device.
type tty struct {
	in, out *os.File
	saved   *readline.State // before raw was called first
	signals chan os.Signal
	resumed chan struct{}
	done    chan struct{}
}

func newTTY(in, out *os.File) *tty {
	return &tty{
		in: in, out: out,
		signals: make(chan os.Signal, 4),
		resumed: make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
}

// raw lets every key through as it is pressed. Output still turns newlines into CRLF, so that a panic is readable.
func (t *tty) raw() (err error) {
	fdErr := withFd(t.in, func(fd int) {
		var before *readline.State
		before, err = readline.MakeRaw(fd)
		if err == nil && t.saved == nil {
			t.saved = before
		}
	})
	if err == nil {
		err = fdErr
	}
	return err
}

// restore undoes raw.
func (t *tty) restore() (err error) {
	if t.saved == nil {
		return nil
	}
	fdErr := withFd(t.in, func(fd int) { err = readline.Restore(fd, t.saved) })
	if err == nil {
		err = fdErr
	}
	return err
}

// watch calls resized when the terminal's size has changed, and resumed when the program goes on after having been stopped.
func (t *tty) watch(resized, resumed, onPanic func()) {
	signal.Notify(t.signals, syscall.SIGWINCH, syscall.SIGCONT)
	go func() {
		defer onPanic()
		for {
			select {
			case s := <-t.signals:
				if s == syscall.SIGWINCH {
					resized()
					continue
				}
				select {
				case t.resumed <- struct{}{}:
				default:
				}
				resumed()
			case <-t.done:
				return
			}
		}
	}()
}

// unwatch ends watch. It may be called once.
func (t *tty) unwatch() {
	signal.Stop(t.signals)
	close(t.done)
}

// stop stops all processes of this one's job, as the terminal would, and returns when they go on.
func (t *tty) stop() {
	select {
	case <-t.resumed: // late, of an earlier time
	default:
	}
	if err := syscall.Kill(0, syscall.SIGTSTP); err != nil {
		return
	}
	select {
	case <-t.resumed:
	case <-time.After(resumeTimeout):
	}
}
