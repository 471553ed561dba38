//go:build unix

package line

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	xterm "golang.org/x/term"

	"opentalk/engine/skiptest"
	"opentalk/shell/term"
	"opentalk/shell/term/vt"
)

const patience = 10 * time.Second

// session is an editor on a pseudo-terminal whose other end is a vt.
type session struct {
	t      *testing.T
	vt     *vt.Terminal
	master *os.File
	slave  *os.File
	cooked *xterm.State // of slave before Open
	editor Editor
	lines  chan result // what ReadLine returns
	over   chan struct{}
}

type result struct {
	line string
	err  error
}

// newSession opens an editor 20 columns wide and 6 rows high, with the prompt "> ", and reads lines from it until it returns an
// error other than ErrInterrupt, ErrDropped and ErrEnd.
func newSession(t *testing.T, change ...func(*Config)) *session {
	s := openSession(t, change...)
	go func() {
		defer close(s.over)
		for {
			l, err := s.editor.ReadLine()
			s.lines <- result{l, err}
			if err != nil && err != ErrInterrupt && err != ErrDropped && err != ErrEnd {
				return
			}
		}
	}()
	s.see("> ▮")
	return s
}

// openSession opens an editor without reading from it.
func openSession(t *testing.T, change ...func(*Config)) *session {
	t.Helper()
	before := goleak.IgnoreCurrent()
	master, slave, err := vt.OpenPTY(20, 6)
	if err != nil {
		skiptest.Because(t, "no pseudo-terminal: %v", err)
	}
	s := &session{t: t, vt: vt.New(20, 6), master: master, slave: slave, lines: make(chan result, 100), over: make(chan struct{})}
	s.cooked = s.state()
	cfg := Config{In: slave, Out: slave, Prompt: term.Literal("> ")}
	for _, f := range change {
		f(&cfg)
	}
	if s.editor, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		s.vt.Follow(master)
	}()
	t.Cleanup(func() {
		if err := s.editor.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		slave.Close()
		master.Close()
		<-copied
		for _, f := range s.vt.Faults() {
			t.Errorf("the terminal was sent %s", f)
		}
		goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("os/signal.loop"), goleak.IgnoreTopFunction("os/signal.signal_recv"))
	})
	return s
}

// state returns the terminal's settings.
func (s *session) state() (state *xterm.State) {
	s.t.Helper()
	var err error
	fdErr := withFd(s.slave, func(fd int) { state, err = xterm.GetState(fd) })
	if err = errors.Join(err, fdErr); err != nil {
		s.t.Fatal(err)
	}
	return state
}

func (s *session) resize(cols, rows int) {
	s.t.Helper()
	if err := vt.SetSize(s.slave, cols, rows); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) press(keys string) {
	s.t.Helper()
	if _, err := s.master.Write([]byte(keys)); err != nil {
		s.t.Fatal(err)
	}
}

// paste pastes text as a terminal does.
func (s *session) paste(text string) { s.press(pasteBegin + text + pasteEnd) }

// see waits until the screen is as wanted.
func (s *session) see(want string) {
	s.t.Helper()
	s.until("the screen\n"+want+"\n", func() bool { return s.vt.Screen() == want })
}

// until waits for a condition, tried at each change of the screen.
func (s *session) until(what string, condition func() bool) {
	s.t.Helper()
	if !s.vt.Wait(patience, condition) {
		s.t.Fatalf("waiting for %s, the screen is\n%s", what, s.vt.Screen())
	}
}

// pasteIsOn waits until bracketed paste has been switched on n times.
func (s *session) pasteIsOn(n int) {
	s.t.Helper()
	s.until("bracketed paste", func() bool { on, times := s.vt.Paste(); return on && times >= n })
}

// entered waits for ReadLine to return a line.
func (s *session) entered(want string) {
	s.t.Helper()
	if r := s.result(); r.line != want || r.err != nil {
		s.t.Fatalf("ReadLine returned %q, %v, want %q", r.line, r.err, want)
	}
}

func (s *session) failed(want error) {
	s.t.Helper()
	if r := s.result(); !errors.Is(r.err, want) || r.line != "" {
		s.t.Fatalf("ReadLine returned %q, %v, want the error %v", r.line, r.err, want)
	}
}

func (s *session) result() result {
	s.t.Helper()
	select {
	case r := <-s.lines:
		return r
	case <-time.After(patience):
		s.t.Fatalf("ReadLine does not return, the screen is\n%s", s.vt.Screen())
		return result{}
	}
}

// nothingEntered fails if ReadLine has returned.
func (s *session) nothingEntered() {
	s.t.Helper()
	select {
	case r := <-s.lines:
		s.t.Fatalf("ReadLine returned %q, %v", r.line, r.err)
	default:
	}
}

// rows puts rows together as view does.
func rows(rs ...string) string { return strings.Join(rs, "\n") }
