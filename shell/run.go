package shell

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"opentalk/engine"
	"opentalk/shell/term"
)

// joins are the long commands that run while a person goes on typing.
type joins map[*call]context.CancelFunc

// runQueue begins the next line, unless one is under way that it has to wait for.
func (s *Shell) runQueue() {
	for !s.busy && !s.ended && s.leaving == nil && len(s.queue) > 0 {
		in := s.queue[0]
		if under := len(s.talk.under); under > 0 && (in.err != nil || !says(in.text) || under == maxUnder) {
			return
		}
		s.queue = s.queue[1:]
		switch {
		case errors.Is(in.err, errEnd):
			s.leave(false)
		case errors.Is(in.err, errLeave):
			s.leave(!s.warned)
		case errors.Is(in.err, errInterrupt):
			s.interrupt()
		case in.err == nil && s.filtered(in), in.err == nil && s.awakened(in):
		default:
			s.run(in)
		}
	}
}

// run begins a line.
func (s *Shell) run(in input) {
	s.lines, s.warned, s.lastStop = max(s.lines, in.number), false, time.Time{}
	c := &call{
		Engine: s.engine, line: in.number, look: s.look, opts: s.opts, paths: s.paths, person: s.person, page: s.page,
		asked: in.asked, passphrase: in.passphrase, ext: s.ext,
	}
	c.tell = func(f func(view)) { s.post(func() { f(s.view) }) }
	c.round, c.inRound = s.book.round()
	c.typed = in.text
	_, c.rest, _ = splitCommand(in.text)
	err := in.err
	if err == nil && !utf8.ValidString(in.text) {
		err = faultf(engine.ErrNotText, "the line is not valid UTF-8")
	}
	if err == nil {
		c.command, c.args, err = s.ext.parse(in.text)
	}
	if err != nil || !c.command.says() {
		s.echo(c)
	}
	if err != nil {
		s.ran(c, err)
		return
	}
	c.Context = s.ctx
	if c.command.says() {
		s.say(c)
		return
	}
	cancel := func() { s.busy = false }
	if s.person && c.command.long {
		c.Context, cancel = context.WithCancel(s.ctx)
		s.joins.add(c, cancel, s)
	} else {
		s.busy = true
	}
	s.spawn(func() {
		err := c.command.run(c)
		s.post(func() {
			cancel()
			delete(s.joins, c)
			s.ran(c, err)
		})
	})
}

// maxUnder bounds the messages that are under way together: two full blocks of lines, so that the next is on its way here
// while one goes to the disk.
const maxUnder = 512

// talk is the messages that are under way. A goroutine has each take its way through filters to the engine, in the order of
// the lines; their ends, which the engine tells in its own order, are told in that of the lines, too.
type talk struct {
	calls chan *call // has room for all that may be under way
	under []*call    // in the order of their lines, numbered one after another
	last  uint64     // of these numbers
}

// say puts a message behind those that are under way.
func (s *Shell) say(c *call) {
	s.talk.last++
	c.number = s.talk.last
	s.talk.under = append(s.talk.under, c)
	s.talk.calls <- c
}

// sayAll has everything said that say puts there, until the shell ends.
func (s *Shell) sayAll() {
	for {
		select {
		case c := <-s.talk.calls:
			if err := c.command.run(c); err != nil {
				s.post(func() { s.said(engine.SaidEvent{Number: c.number, Err: err}) })
			}
		case <-s.done:
			return
		}
	}
}

// said is the end of a message, and so of those before it that had to wait to be told.
func (s *Shell) said(ev engine.SaidEvent) {
	t := &s.talk
	c := t.under[ev.Number-t.under[0].number]
	c.over, c.sent, c.err = true, ev.ID, ev.Err
	for len(t.under) > 0 && t.under[0].over {
		first := t.under[0]
		t.under = t.under[1:]
		s.ran(first, first.err)
	}
}

// says reports whether a line, once it is done, is on the screen as a message.
func says(text string) bool {
	c, _, err := parse(text)
	return err == nil && c.says()
}

func (c command) says() bool { return c.name == "send" || c.name == "me" }

// echo puts a line that was typed on the screen, once.
func (s *Shell) echo(c *call) {
	if c.typed != "" {
		s.view.echo(s.book.label(), c.typed)
	}
	c.typed = ""
}

// ran is the end of a line.
func (s *Shell) ran(c *call, err error) {
	if err != nil {
		s.dropped(c.typed, err)
		s.echo(c)
		s.failed = true
		s.fail(err, c.line)
		return
	}
	s.view.reply(c)
	if c.then != nil {
		c.then(s)
	}
}

// dropped has a line that no filter has let pass stay typed.
func (s *Shell) dropped(line string, err error) {
	if errors.Is(err, errDropped) && s.editor != nil {
		s.editor.Prefill(line)
	}
}

// slow is how long a command runs before the person is told that it does.
const slow = time.Second

func (j *joins) add(c *call, cancel context.CancelFunc, s *Shell) {
	if *j == nil {
		*j = joins{}
	}
	(*j)[c] = cancel
	s.later(slow, func() {
		if _, ok := s.joins[c]; ok {
			s.view.notice(term.Sprintf("/%s is under way; ctrl-c gives it up", c.command.name))
		}
	})
}

// interrupt is a Ctrl-C at the line editor: it gives up what is under way; pressed twice at nothing, it leaves.
func (s *Shell) interrupt() {
	if len(s.joins) > 0 {
		for _, cancel := range s.joins {
			cancel()
		}
		return
	}
	if !s.lastStop.IsZero() && time.Since(s.lastStop) < 2*time.Second {
		s.end(statusInterrupted)
		return
	}
	s.lastStop = time.Now()
	s.view.notice(term.Literal("ctrl-c again leaves, as do ctrl-d and /quit"))
}
