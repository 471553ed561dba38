package shell

import (
	"os"
	"syscall"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// loop runs until the shell has ended. Nothing else touches what is in s, but for the channels.
func (s *Shell) loop(signals <-chan os.Signal) {
	lines := make(chan input)
	give := func(in input) bool {
		select {
		case lines <- in:
			return true
		case <-s.done:
			return false
		}
	}
	s.start()
	switch {
	case s.person:
		s.spawn(func() { readEditor(s.editor, give) })
	case !s.opts.Headless:
		go readPipe(s.streams.In, give)
	}
	events := s.engine.Events()
	for {
		if s.runQueue(); s.ended || s.out.err != nil {
			return
		}
		var next <-chan input
		if s.person || !s.busy && len(s.queue) == 0 && s.leaving == nil { // a pipe is read as its lines are done
			next = lines
		}
		select {
		case ev, ok := <-events:
			if !ok {
				s.closed()
				return
			}
			s.event(ev)
		case in := <-next:
			s.queue = append(s.queue, in)
		case f := <-s.posts:
			s.drain()
			f()
		case sig := <-signals:
			s.signal(sig)
		}
	}
}

// post has f run on the loop, or not at all if that has ended.
func (s *Shell) post(f func()) {
	select {
	case s.posts <- f:
	case <-s.done:
	}
}

// later has f run on the loop after a while.
func (s *Shell) later(d time.Duration, f func()) { time.AfterFunc(d, func() { s.post(f) }) }

// start asks the engine for what there is to tell first. Lines and events wait until it is told.
func (s *Shell) start() {
	s.starting, s.busy = true, true
	last := readState(s.paths.state()).Round
	s.spawn(func() {
		o, err := s.open(last)
		s.post(func() {
			s.starting, s.busy = false, false
			if err != nil {
				s.fail(err, 0)
				s.end(statusFailed)
				return
			}
			s.opened(o)
		})
	})
}

func (s *Shell) open(last string) (opening, error) {
	o := opening{self: s.engine.Self()}
	var err error
	if o.rounds, err = s.engine.Rounds(); err != nil {
		return o, err
	}
	for i, r := range o.rounds {
		if o.current == nil || r.Tag.String() == last {
			o.current = &o.rounds[i]
		}
		pending, err := s.engine.Pending(r.Tag)
		if err != nil {
			return o, err
		}
		o.pending = append(o.pending, pending...)
	}
	if s.opts.Round != "" {
		r, err := findRound(o.rounds, s.opts.Round)
		if err != nil {
			return o, err
		}
		o.current = &r
	}
	if s.person && o.current != nil && s.opts.History > 0 {
		o.history, err = s.engine.History(o.current.Tag, engine.Position{}, s.opts.History)
	}
	return o, err
}

func (s *Shell) opened(o opening) {
	s.book.self = o.self
	s.book.looks[term.Skeleton(o.self.Handle)] = o.self.Fingerprint
	for _, r := range o.rounds {
		s.book.rounds[r.Tag] = r
	}
	if o.current != nil {
		s.enter(*o.current)
	}
	s.view.ready(o)
	for _, ev := range s.kept {
		s.event(ev)
	}
	s.kept = nil
	s.complete.set(s.book)
}

// drain takes the events that are there already, so that what a command brought about is told before its end.
func (s *Shell) drain() {
	for {
		select {
		case ev, ok := <-s.engine.Events():
			if !ok {
				return
			}
			s.event(ev)
		default:
			return
		}
	}
}

func (s *Shell) event(ev engine.Event) {
	if s.starting {
		s.kept = append(s.kept, ev)
		return
	}
	warning := s.book.note(ev)
	s.view.event(ev)
	if !warning.Empty() {
		s.view.notice(warning)
	}
	switch ev := ev.(type) {
	case engine.SentEvent, engine.DeliveryEvent, engine.WaitingEvent:
		s.leaveIfHeld()
	case engine.MessageEvent:
		s.complete.hear(ev.Message.From)
	case engine.RoundEvent, engine.MemberEvent, engine.PeerEvent:
		s.complete.set(s.book)
	case engine.ErrorEvent:
		s.log.Error("engine", "err", redact(ev.Err.Error()))
	}
}

// closed is called when the engine has ended by itself.
func (s *Shell) closed() {
	s.fail(engine.ErrClosed, 0)
	s.end(statusFailed)
}

// signal ends the shell. An always-on member is ended by SIGTERM, so that is no failure of it.
func (s *Shell) signal(sig os.Signal) {
	if s.opts.Headless && sig == syscall.SIGTERM {
		s.end(statusDone)
		return
	}
	s.end(statusInterrupted)
}

func (s *Shell) end(status int) { s.ended, s.status = true, status }

func (s *Shell) fail(err error, line int) { s.view.fail(newReport(err, line)) }

// enter makes a round the one that lines go to, and remembers it.
func (s *Shell) enter(r engine.Round) {
	s.book.rounds[r.Tag] = r
	s.book.current, s.book.inRound = r.Tag, true
	if s.editor != nil {
		s.editor.SetPrompt(s.prompt())
	}
	if err := (state{Round: r.Tag.String()}).write(s.paths.state()); err != nil {
		s.log.Warn("remembering the round", "err", err)
	}
}

// joined is enter after a /join, which takes a while: a person who has gone on meanwhile is not moved under their hands.
func (s *Shell) joined(r engine.Round, line int) {
	if s.person && s.book.inRound && s.lines > line {
		s.book.rounds[r.Tag] = r
		s.view.notice(term.Sprintf("you are in %s now: /switch %s goes there", r.Name, r.Name))
		return
	}
	s.enter(r)
}
