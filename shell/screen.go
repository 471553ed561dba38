package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// screen tells people. Text of others goes through package term, here as everywhere.
type screen struct {
	paper  paper
	look   look
	book   *book
	days   *days
	own    *deliveries
	prompt bool // a person types: lines are shown again, and a start shows where things were left
	lines  bool // errors tell the number of their line

	shown   map[engine.MessageID]bool // by the start: not again
	fetched map[engine.Tag]time.Time  // when catching up was last told of
	before  map[engine.Tag]bool       // rounds from before this session
}

func newScreen(l look, b *book, p paper, in later) *screen {
	s := &screen{
		paper: p, look: l, book: b, days: l.days(), shown: map[engine.MessageID]bool{},
		fetched: map[engine.Tag]time.Time{}, before: map[engine.Tag]bool{},
	}
	s.own = newDeliveries(in, func(t term.Text) { s.paper.print(dim(t)) })
	return s
}

func (s *screen) progress(what string) { s.paper.complain(dim(term.Sprintf("%s…", what))) }

// ready shows where things were left, or what to do first.
func (s *screen) ready(o opening) {
	for _, p := range o.pending {
		s.own.waits[p.Message.ID] = true
	}
	for _, r := range o.rounds {
		s.before[r.Tag] = true
	}
	if !s.prompt {
		return
	}
	if len(o.rounds) == 0 {
		s.paper.print(term.Literal("/new NAME     begins a round; /invite then prints what lets others in"))
		s.paper.print(term.Literal("/join INVITE  enters the round of whoever gave you the invite"))
		s.paper.print(term.Literal("/help         lists every command"))
		return
	}
	for _, m := range o.history {
		s.shown[m.ID] = true
		s.message(m, term.Text{})
	}
	for _, p := range o.pending {
		if p.State == engine.Waiting && p.Kind == engine.KindMessage && o.current != nil && p.Message.Round == o.current.Tag {
			s.message(p.Message, dim(term.Literal("  (waiting)")))
		}
	}
}

func (s *screen) event(ev engine.Event) {
	switch ev := ev.(type) {
	case engine.MessageEvent:
		if !s.shown[ev.Message.ID] || ev.Message.Problem != "" {
			s.message(ev.Message, term.Text{})
		}
	case engine.SentEvent:
		s.sent(ev)
	case engine.DeliveryEvent:
		s.own.delivered(ev)
	case engine.MemberEvent:
		s.member(ev)
	case engine.TopicEvent:
		s.topic(ev)
	case engine.ProgressEvent:
		s.caughtUp(ev)
	case engine.NoticeEvent:
		s.notice(term.CleanLine(redact(ev.Text)))
	case engine.ErrorEvent:
		s.fail(newReport(ev.Err, 0))
	}
}

func (s *screen) message(m engine.Message, note term.Text) {
	if m.From.Ignored {
		return
	}
	for _, t := range s.days.before(m) {
		s.paper.print(t)
	}
	s.paper.print(s.look.messageIn(s.elsewhere(m.Round), m, note))
}

// elsewhere is the name of a round if it is not the current one, nor the one being joined, which has no name yet.
func (s *screen) elsewhere(tag engine.Tag) string {
	if s.book.inRound && tag == s.book.current {
		return ""
	}
	return s.book.rounds[tag].Name
}

// sent tells of an own message that does not leave at once. One that does is on the screen already.
func (s *screen) sent(ev engine.SentEvent) {
	id := ev.Message.ID
	switch ev.State {
	case engine.Failed:
		s.own.drop(id)
		s.message(ev.Message, stateNote(engine.Failed))
	case engine.Sent:
		s.own.signed(id)
	case engine.Waiting:
		if len(s.book.online[ev.Message.Round]) == 0 {
			s.own.waits[id] = true
			s.message(ev.Message, stateNote(engine.Waiting))
			return
		}
		// Somebody is there and tells what we lack; only then may we write. It takes a moment.
		s.own.soon(id, func() {
			s.own.waits[id] = true
			s.message(ev.Message, dim(term.Literal("  (waiting)")))
		})
	}
}

func (s *screen) member(ev engine.MemberEvent) {
	if ev.Person.Fingerprint == s.book.self.Fingerprint || !ev.Live && !s.before[ev.Round] {
		return // who was there before is no news to a newcomer
	}
	who, what := ev.Person, term.Literal("joined")
	if who.Ignored {
		return
	}
	switch ev.Change {
	case engine.Left:
		what = term.Literal("left")
	case engine.Renamed:
		who.Name = ev.Was
		what = term.Sprintf("is now %s", term.CleanHandle(ev.Person.Name))
	}
	s.tell(ev.Round, who, what, ev.Live)
}

// topic tells of a new topic, but not of those that a newcomer finds.
func (s *screen) topic(ev engine.TopicEvent) {
	if !ev.Live && !s.before[ev.Round] || ev.By.Ignored {
		return
	}
	what := term.Sprintf("set the topic: %s", ev.Topic)
	if ev.Topic == "" {
		what = term.Literal("took the topic away")
	}
	s.tell(ev.Round, ev.By, what, ev.Live)
}

// tell tells what somebody has done besides saying something.
func (s *screen) tell(round engine.Tag, who engine.Person, what term.Text, live bool) {
	if !live {
		what = term.Concat(what, term.Literal(" while you were away"))
	}
	for _, t := range s.days.turn(time.Now()) {
		s.paper.print(t)
	}
	where := term.Text{}
	if name := s.elsewhere(round); name != "" {
		where = term.Sprintf(" [%s]", name)
	}
	s.paper.print(term.Sprintf("%s%s %s %s", dim(s.look.clock(time.Now())), where, s.look.person(who), what))
}

// caughtUp tells of long catching up, every few seconds.
func (s *screen) caughtUp(ev engine.ProgressEvent) {
	last, begun := s.fetched[ev.Round]
	done := ev.Total > 0 && ev.Done >= ev.Total
	switch {
	case done && !begun:
	case done:
		delete(s.fetched, ev.Round)
		s.paper.print(dim(term.Sprintf("%s: done", ev.What)))
	case !begun && ev.Total-ev.Done < 500 && ev.Total > 0:
	case time.Since(last) >= 5*time.Second:
		s.fetched[ev.Round] = time.Now()
		if ev.Total > 0 {
			s.paper.print(dim(term.Sprintf("%s: %d of %d", ev.What, ev.Done, ev.Total)))
		} else {
			s.paper.print(dim(term.Sprintf("%s: %d", ev.What, ev.Done)))
		}
	}
}

// echo puts what was typed where the conversation is read, without the secret that it may hold.
func (s *screen) echo(prompt term.Text, line string) {
	if s.prompt {
		s.paper.print(term.Concat(prompt, body(redact(line))))
	}
}

func (s *screen) past(p past) {
	if p.message.From.Ignored {
		return
	}
	look := s.look
	if p.days == nil {
		look.dated = true
	} else {
		for _, t := range p.days.before(p.message) {
			s.paper.print(t)
		}
	}
	s.paper.print(look.messageIn(p.round, p.message, term.Text{}))
}

func (s *screen) reply(c *call) {
	if c.secret != "" {
		s.paper.raw(term.CleanLine(c.secret))
	}
	for _, t := range c.lines {
		s.paper.print(t)
	}
}

func (s *screen) fail(r report) {
	text := term.CleanLine(r.text)
	if s.lines && r.line > 0 {
		text = term.Sprintf("line %d: %s", r.line, text)
	}
	s.paper.complain(term.Concat(term.Style{Bold: true}.Apply(term.Literal("error: ")), text))
	if r.hint != "" {
		s.paper.complain(term.Sprintf("hint:  %s", r.hint))
	}
}

func (s *screen) notice(t term.Text) {
	if s.prompt {
		s.paper.print(dim(t))
	} else {
		s.paper.complain(t)
	}
}

func (s *screen) clear() { s.paper.clear() }
func (s *screen) close() { s.own.flush() }
