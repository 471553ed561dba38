package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// farewell is how long a person who leaves is kept for messages that are on their way.
const farewell = time.Second

// leaving is a shell on its way out, which waits until somebody holds every own message.
type leaving struct {
	until time.Time
	ask   bool // a person for whom messages wait stays until they say so again
	busy  bool // asking the engine
	again bool // something has changed meanwhile
}

func waitFor(n int) term.Text {
	if n == 1 {
		return term.Literal("1 message waits")
	}
	return term.Sprintf("%d messages wait", n)
}

// leave ends the shell as soon as nothing of its own waits, or after a while. With ask set, it tells of what waits and stays.
func (s *Shell) leave(ask bool) {
	if s.leaving != nil {
		return
	}
	wait := s.opts.Wait
	if s.person {
		wait = farewell
	}
	s.leaving = &leaving{until: time.Now().Add(wait), ask: ask}
	if wait > 0 {
		s.later(wait, s.leaveIfHeld)
	}
	s.leaveIfHeld()
}

// leaveIfHeld asks the engine what still waits. It is called whenever that may have changed.
func (s *Shell) leaveIfHeld() {
	l := s.leaving
	if l == nil || s.ended {
		return
	}
	if l.busy {
		l.again = true
		return
	}
	l.busy, l.again = true, false
	s.spawn(func() {
		var pending []engine.Pending
		rounds, _ := s.engine.Rounds()
		for _, r := range rounds {
			p, _ := s.engine.Pending(r.Tag) // an error has been told where it came from
			pending = append(pending, p...)
		}
		s.post(func() {
			l.busy = false
			s.leaveWith(pending)
		})
	})
}

// leaveWith ends the shell if it need not wait any longer for what is pending.
func (s *Shell) leaveWith(pending []engine.Pending) {
	onTheWay := false
	for _, p := range pending {
		onTheWay = onTheWay || p.State != engine.Waiting
	}
	switch {
	case len(pending) > 0 && time.Now().Before(s.leaving.until) && (onTheWay || !s.person):
		if s.leaving.again {
			s.leaveIfHeld()
		}
		return
	case len(pending) > 0 && s.leaving.ask:
		s.leaving, s.warned = nil, true
		s.view.notice(term.Sprintf("%s for somebody; ctrl-d again leaves all the same", waitFor(len(pending))))
		return
	case len(pending) > 0:
		s.view.notice(term.Sprintf("%s for somebody: kept, and sent when opentalk runs again", waitFor(len(pending))))
	}
	switch {
	case s.person:
		s.end(statusDone)
	case s.failed:
		s.end(statusFailed)
	case len(pending) > 0:
		s.end(statusWaiting)
	default:
		s.end(statusDone)
	}
}
