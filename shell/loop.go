package shell

import (
	"os"
	"syscall"
	"time"

	"opentalk/engine"
	"opentalk/plugins/hook"
	"opentalk/shell/term"
)

// linesAhead are read before those in front of them are run.
const linesAhead = 64

// loop runs until the shell has ended. Nothing else touches what is in s, but for the channels.
func (s *Shell) loop(signals <-chan os.Signal) {
	lines := make(chan input, linesAhead)
	give := func(in input) bool {
		select {
		case lines <- in:
			return true
		case <-s.done:
			return false
		}
	}
	s.start()
	s.out.gathers = true
	defer func() {
		s.out.gathers = false
		s.out.flush()
	}()
	s.spawn(s.sayAll)
	switch {
	case s.person:
		s.spawn(func() { readEditor(s.editor, give) })
	case !s.opts.Headless:
		s.spawn(func() { readPipe(s.streams.In, give) })
	}
	for {
		s.runQueue()
		if s.out.flush(); s.ended || s.out.err != nil {
			return
		}
		events := s.engine.Events()
		if s.sieve.full() {
			events = nil
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
			s.arrive(ev)
			s.drain()
		case in := <-next:
			s.queue = append(s.queue, in)
		case f := <-s.posts:
			s.drain()
			s.inOrder(f)
		case f := <-s.sieve.sifted:
			f()
		case f := <-s.asks:
			f()
		case <-s.ext.awake():
			for _, f := range s.ext.take() {
				f(s.view)
			}
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
func (s *Shell) later(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		defer s.giveBack()
		s.post(f)
	})
}

// hold runs ask beside the loop, and then what it returns on the loop. Lines and events wait meanwhile.
func (s *Shell) hold(ask func() (func(), error)) {
	s.held, s.busy = true, true
	s.spawn(func() {
		then, err := ask()
		s.post(func() {
			s.held, s.busy = false, false
			if err != nil {
				s.fail(err, 0)
			} else {
				then()
			}
			s.release()
		})
	})
}

// release lets the events go on that were kept.
func (s *Shell) release() {
	for !s.held && len(s.kept) > 0 {
		next := s.kept[0]
		s.kept = s.kept[1:]
		next()
	}
}

// start asks the engine for what there is to tell first.
func (s *Shell) start() {
	kept := readState(s.paths.state())
	s.hold(func() (func(), error) {
		o, err := s.open(kept)
		if err == nil {
			_, err = ask(s.ctx, s, func() (any, error) { s.book.open(o); return nil, nil })
		}
		if err != nil {
			return func() {
				s.fail(err, 0)
				s.end(statusFailed)
			}, nil
		}
		if err := s.ext.start(s.ctx); err != nil { // which may ask for what the book has
			s.ext.show(func(v view) { v.fail(newReport(err, 0)) })
		}
		return func() { s.opened(o) }, nil
	})
}

func (s *Shell) open(kept state) (opening, error) {
	o := opening{self: s.engine.Self(), members: map[engine.Tag][]engine.Member{}, kept: kept}
	var err error
	if o.rounds, err = s.engine.Rounds(); err != nil {
		return o, err
	}
	for i, r := range o.rounds {
		if o.current == nil || r.Tag.String() == kept.Round {
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
	if s.person {
		err = s.openFor(&o)
	}
	return o, err
}

// openFor adds what only a person is shown: who is where, and what was missed.
func (s *Shell) openFor(o *opening) (err error) {
	for _, r := range o.rounds {
		if o.members[r.Tag], err = s.engine.Members(r.Tag); err != nil {
			return err
		}
		read, ok := o.kept.Read[r.Tag.String()]
		if !ok || r.Tag == o.current.Tag {
			continue
		}
		all, err := s.engine.History(r.Tag, engine.Position{}, maxUnread)
		if err != nil {
			return err
		}
		_, missed, _ := place{read: read}.unread(all, 0)
		o.missed = append(o.missed, missed...)
	}
	return nil
}

func (s *Shell) opened(o opening) {
	s.view.ready(o)
	s.view.changed()
	if o.current != nil {
		s.enter(*o.current, term.Text{})
	}
}

// maxDrain bounds the events that are taken at once, so that lines have their turn however much comes.
const maxDrain = 1000

// drain takes the events that are there already: they are written together, and what a command brought about is told before its
// end.
func (s *Shell) drain() {
	for range maxDrain {
		select {
		case ev, ok := <-s.engine.Events():
			if !ok {
				return
			}
			s.arrive(ev)
		default:
			return
		}
	}
}

// event shows what has happened, and tells extensions of it.
func (s *Shell) event(h happening) {
	if s.held {
		s.kept = append(s.kept, func() { s.event(h) })
		return
	}
	joined := s.joining(h.ev)
	warning := s.book.note(h.ev)
	s.ext.observe(append(joined, s.book.hookEvents(h.ev)...)...)
	s.view.event(h.shown())
	if !warning.Empty() {
		s.view.warn(warning)
	}
	for _, name := range h.failed {
		s.view.notice(term.Sprintf("%s failed to look at that", name))
	}
	s.view.changed()
	switch ev := h.ev.(type) {
	case engine.SentEvent, engine.DeliveryEvent, engine.WaitingEvent:
		s.leaveIfHeld()
	case engine.MessageEvent:
		s.rememberSoon()
	case engine.ErrorEvent:
		s.log.Error("engine", "err", redact(ev.Err.Error()))
	}
}

// joining is what extensions are told of a round that was not there before.
func (s *Shell) joining(ev engine.Event) []hook.Event {
	if ev, ok := ev.(engine.RoundEvent); ok && s.ext != nil {
		if _, known := s.book.rounds[ev.Round.Tag]; !known {
			return []hook.Event{hook.RoundEvent{Round: s.book.hookRound(ev.Round), Change: hook.Joined}}
		}
	}
	return nil
}

// closed is called when the engine has ended by itself.
func (s *Shell) closed() {
	s.fail(engine.ErrClosed, 0)
	s.end(statusFailed)
}

// signal ends the shell, but for a Ctrl-C that a plain terminal sends as a signal. An always-on member is ended by SIGTERM, so
// that is no failure of it.
func (s *Shell) signal(sig os.Signal) {
	switch {
	case s.opts.Headless && sig == syscall.SIGTERM:
		s.end(statusDone)
	case s.person && sig == os.Interrupt && s.leaving == nil:
		s.interrupt()
	default:
		s.end(statusInterrupted)
	}
}

func (s *Shell) end(status int) { s.ended, s.status = true, status }

func (s *Shell) fail(err error, line int) { s.view.fail(newReport(err, line)) }

// enter makes a round the one that lines go to, remembers it, and shows a person a hint and what was said there.
func (s *Shell) enter(r engine.Round, hint term.Text) {
	s.book.rounds[r.Tag] = r
	s.book.current, s.book.inRound = r.Tag, true
	s.remember()
	s.view.changed()
	if !s.person {
		return
	}
	was := *s.book.place(r.Tag)
	s.hold(func() (func(), error) {
		v, err := s.visit(r, was)
		v.hint = hint
		return func() {
			*s.book.place(r.Tag) = place{read: v.newest}
			s.book.meet(r.Tag, v.members)
			s.view.entered(v)
			s.view.changed()
		}, err
	})
}

// visit asks for what there is to show of a round.
func (s *Shell) visit(r engine.Round, was place) (visit, error) {
	v := visit{round: r}
	all, err := s.engine.History(r.Tag, engine.Position{}, max(maxUnread, s.opts.History))
	if err != nil {
		return v, err
	}
	v.newest = was.read
	if len(all) > 0 {
		v.newest = all[len(all)-1].At
	} else if v.newest == (engine.Position{}) {
		v.newest = engine.PositionAt(time.UnixMilli(1)) // all that there is has been read
	}
	v.seen, v.unread, v.more = was.unread(s.ext.past(s.ctx, all...), s.opts.History)
	if v.members, err = s.engine.Members(r.Tag); err != nil {
		return v, err
	}
	v.pending, err = s.engine.Pending(r.Tag)
	return v, err
}

// remember keeps for the next start where one is, and how far one has read.
func (s *Shell) remember() {
	if !s.book.inRound {
		return
	}
	if err := (state{Round: s.book.current.String(), Read: s.book.positions()}).write(s.paths.state()); err != nil {
		s.log.Warn("remembering the round", "err", err)
	}
}

// rememberEvery is how much of what was read a crash may make unread again.
const rememberEvery = 10 * time.Second

// rememberSoon is remember in a while: a person reads on.
func (s *Shell) rememberSoon() {
	if s.saving || !s.person {
		return
	}
	s.saving = true
	s.later(rememberEvery, func() {
		s.saving = false
		s.remember()
	})
}

// joined is enter after a /join, which takes a while: a person who has gone on meanwhile is not moved under their hands.
func (s *Shell) joined(r engine.Round, line int, hint term.Text) {
	if s.person && s.book.inRound && s.lines > line {
		s.book.rounds[r.Tag] = r
		s.view.notice(term.Sprintf("you are in %s now: /switch %s goes there", r.Name, r.Name))
		return
	}
	s.enter(r, hint)
}
