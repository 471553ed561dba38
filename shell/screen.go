package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// screen tells people. Text of others goes through package term, here as everywhere.
//
// Where nobody types it is a plain record: all that happens in every round, in the order in which it comes. For a person it
// shows the current round, and counts what the others hold (unread.go), gathers who comes and goes (moves.go), and leaves out
// what nobody could read (crowd.go).
type screen struct {
	paper  paper
	look   look
	book   *book
	days   *days
	own    *deliveries
	crowd  *crowd
	moves  *moves
	typed  bool   // the terminal shows what is typed, and keeps it
	prompt bool   // a person types: lines are shown again, and a start shows where things were left
	marks  bool   // a person reads: what names them is marked
	lines  bool   // errors tell the number of their line
	inline bool   // what others say elsewhere is shown, too
	notify notify // how a mention draws attention

	shown   map[spot]bool            // on entering the round: not again
	marked  bool                     // the line above what is unread is there since the round was entered
	fetched map[engine.Tag]time.Time // when catching up was last told of
	before  map[engine.Tag]bool      // rounds from before this session
	counted map[spot]bool            // as missed at the start: not again
}

// spot names one message on the screen. Its id alone would not: anybody can copy another's.
type spot struct {
	block engine.BlockID
	id    engine.MessageID
}

func spotOf(m engine.Message) spot { return spot{m.Block, m.ID} }

func newScreen(l look, b *book, p paper, in later) *screen {
	s := &screen{
		paper: p, look: l, book: b, days: l.days(), shown: map[spot]bool{},
		fetched: map[engine.Tag]time.Time{}, before: map[engine.Tag]bool{}, counted: map[spot]bool{},
	}
	s.own = newDeliveries(in, func(t term.Text) { s.paper.print(dim(t)) })
	s.crowd = newCrowd(in, func(t term.Text) { s.paper.print(dim(t)) })
	s.moves = newMoves(in, func(r row, m *move) { s.tell("", m.text(r)) })
	return s
}

func (s *screen) progress(what string) { s.paper.complain(dim(term.Sprintf("%s…", what))) }

// ready tells what to do first.
func (s *screen) ready(o opening) {
	for _, p := range o.pending {
		s.own.waits[p.Message.ID] = true
	}
	for _, r := range o.rounds {
		s.before[r.Tag] = true
	}
	for _, m := range o.missed {
		s.counted[spotOf(m)] = true
	}
	if s.prompt && len(o.rounds) == 0 {
		s.paper.print(term.Literal("/new NAME     begins a round; /invite then prints what lets others in"))
		s.paper.print(term.Literal("/join INVITE  enters the round of whoever gave you the invite"))
		s.paper.print(term.Literal("/help         lists every command"))
	}
}

// entered shows where a round was left, and what has come since.
func (s *screen) entered(v visit) {
	s.moves.flush()
	s.crowd.flush()
	title := term.CleanHandle(v.round.Name)
	if v.round.Topic != "" {
		title = term.Sprintf("%s: %s", title, v.round.Topic)
	}
	s.paper.print(dim(term.Sprintf("== %s ==", title)))
	if !v.hint.Empty() {
		s.paper.print(dim(v.hint))
	}
	was := s.shown
	s.shown, s.marked = map[spot]bool{}, len(v.unread) > 0
	show := func(m engine.Message) {
		if s.shown[spotOf(m)] = true; !was[spotOf(m)] || m.Problem != "" { // what cannot be read has no id
			s.message(m, term.Text{})
		}
	}
	for _, m := range v.seen {
		show(m)
	}
	if s.marked {
		s.paper.print(unreadLine(v))
	}
	for _, m := range v.unread {
		show(m)
	}
	for _, p := range v.pending {
		if p.State == engine.Waiting && p.Kind == engine.KindMessage {
			s.message(p.Message, dim(term.Literal("  (waiting)")))
		}
	}
}

// unreadLine is the line between what one has seen and what not.
func unreadLine(v visit) term.Text {
	if v.more {
		return marker(term.Sprintf("more than %d unread: /history shows those before", len(v.unread)))
	}
	return marker(term.Sprintf("%d unread", len(v.unread)))
}

func marker(t term.Text) term.Text { return term.Style{Bold: true}.Apply(term.Sprintf("-- %s --", t)) }

func (s *screen) event(ev engine.Event) {
	switch ev := ev.(type) {
	case engine.MessageEvent:
		if s.prompt {
			s.said(ev.Message)
		} else {
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
		s.news(term.CleanLine(redact(ev.Text)))
	case engine.ErrorEvent:
		s.fail(newReport(ev.Err, 0))
	}
}

// said shows a person what was said, or counts it.
func (s *screen) said(m engine.Message) {
	mention, here := s.book.mentions(m), s.book.here(m.Round)
	switch {
	case m.From.Ignored:
		return
	case (s.shown[spotOf(m)] || s.counted[spotOf(m)]) && m.Problem == "":
		return
	case here:
		s.book.read(m)
	default:
		s.book.missed(m, mention)
	}
	if !here && !mention && !s.inline || !s.crowd.room(m, s.look.person(m.From), mention) {
		return
	}
	if mention && m.Live {
		s.ring(m)
	}
	if here && (m.Provisional || m.Round != s.book.current) { // of a round that is being joined: entering it finds it again
		s.shown[spotOf(m)] = true
	}
	s.moves.before(m.From.Fingerprint)
	if here && !m.Live && !m.Late && !s.marked && s.before[m.Round] {
		s.marked = true
		s.paper.print(marker(term.Literal("while you were away")))
	}
	s.message(m, term.Text{})
}

// ring draws attention to a mention.
func (s *screen) ring(m engine.Message) {
	s.attract(term.Sprintf("%s: %s: %s", s.book.name(m.Round), s.look.person(m.From), m.Text))
}

// attract draws attention to something, in the way that the person has chosen.
func (s *screen) attract(what term.Text) {
	switch s.notify {
	case notifyBell:
		s.paper.ring(term.Text{})
	case notifyOSC9:
		s.paper.ring(what)
	}
}

// message shows a message, of whichever round.
func (s *screen) message(m engine.Message, note term.Text) {
	if m.From.Ignored {
		return
	}
	for _, t := range s.days.before(m) {
		s.paper.print(t)
	}
	l := s.look
	l.mention = s.marks && s.book.mentions(m)
	if s.book.forked[m.From.Fingerprint] {
		note = term.Concat(note, dim(term.Literal("  (has written two histories)")))
	}
	s.paper.print(l.messageIn(s.elsewhere(m.Round), m, note))
}

// elsewhere is the name of a round if it is not the current one, nor the one being joined, which has no name yet.
func (s *screen) elsewhere(tag engine.Tag) string {
	if s.book.here(tag) {
		return ""
	}
	return s.book.rounds[tag].Name
}

// sent tells of an own message. A person sees each as soon as there is one; a pipe has its own lines already, and is told of
// those that do not leave at once.
func (s *screen) sent(ev engine.SentEvent) {
	m, alone := ev.Message, len(s.book.online[ev.Message.Round]) == 0
	seen := s.own.follows(m.ID) || !s.prompt
	switch {
	case ev.State == engine.Failed:
		s.own.drop(m.ID)
		s.message(m, stateNote(engine.Failed))
		return
	case ev.State == engine.Waiting && alone:
		s.own.waits[m.ID] = true
		s.message(m, stateNote(engine.Waiting))
		return
	case !seen:
		s.message(m, term.Text{})
	}
	switch {
	case ev.State == engine.Waiting: // somebody is there and tells what we lack; only then may we write. It takes a moment
		s.own.soon(m.ID, func() { s.waits(m, term.Literal("waiting")) })
	case s.own.waits[m.ID] || !s.prompt:
		s.own.signed(m.ID)
	default:
		s.own.soon(m.ID, func() { s.waits(m, term.Literal("sent, held by nobody yet")) })
	}
}

// waits tells of an own message that has not come far for a while.
func (s *screen) waits(m engine.Message, how term.Text) {
	s.own.waits[m.ID] = true
	if !s.prompt {
		s.message(m, dim(term.Sprintf("  (%s)", how)))
		return
	}
	s.paper.print(dim(term.Sprintf("(%s: %s)", how, term.CleanLine(m.Text).Truncate(quoteCols))))
}

func (s *screen) member(ev engine.MemberEvent) {
	own := ev.Person.Fingerprint == s.book.self.Fingerprint
	if own && ev.Change != engine.Renamed || !ev.Live && !s.before[ev.Round] {
		return // who was there before is no news to a newcomer, nor is that they have come
	}
	if ev.Person.Ignored || ev.Change == engine.Verified || ev.Change == engine.Unverified {
		return // the answer of /verify tells that
	}
	r := row{ev.Change, ev.Live}
	name := s.look.person(ev.Person)
	if ev.Change == engine.Renamed {
		was := ev.Person
		was.Name = ev.Was
		name = term.Sprintf("%s is now %s", s.look.person(was), name)
	}
	switch here := s.elsewhere(ev.Round); {
	case !s.prompt || s.inline && here != "" || own && here == "":
		s.tell(here, (&move{1, []term.Text{name}}).text(r))
	case here == "":
		s.moves.add(r, ev.Person.Fingerprint, name)
	}
}

// topic tells of a new topic, but not of those that a newcomer finds.
func (s *screen) topic(ev engine.TopicEvent) {
	where := s.elsewhere(ev.Round)
	if ev.By.Ignored || !ev.Live && !s.before[ev.Round] || s.prompt && where != "" && !s.inline {
		return // entering the round tells it
	}
	what := term.Sprintf("set the topic: %s", ev.Topic)
	if ev.Topic == "" {
		what = term.Literal("took the topic away")
	}
	if !ev.Live {
		what = term.Concat(what, term.Literal(" while you were away"))
	}
	s.tell(where, term.Sprintf("%s %s", s.look.person(ev.By), what))
}

// tell tells what somebody has done besides saying something.
func (s *screen) tell(round string, what term.Text) {
	for _, t := range s.days.turn(time.Now()) {
		s.paper.print(t)
	}
	where := term.Text{}
	if round != "" {
		where = term.Sprintf(" [%s]", round)
	}
	s.paper.print(term.Sprintf("%s%s %s", dim(s.look.clock(time.Now())), where, what))
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
	if s.prompt && !s.typed {
		s.paper.print(dim(term.Concat(prompt, body(redact(line)))))
	}
}

func (s *screen) past(p past) {
	if p.message.From.Ignored {
		return
	}
	look := s.look
	look.mention = s.marks && s.book.mentions(p.message)
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

// news is what a person is to know, apart from the conversation.
func (s *screen) news(t term.Text) {
	if s.prompt {
		s.paper.print(t)
	} else {
		s.paper.complain(t)
	}
}

// aside is told apart from what people say, and from what opentalk says: "12:01 -remind- tea".
func (s *screen) aside(a aside) {
	text := body(a.text)
	if a.ring {
		text = term.Style{Bold: true}.Apply(text)
		s.attract(term.Sprintf("%s: %s", a.extension, a.text))
	}
	where := term.Text{}
	if round, here := s.book.round(); a.round != "" && (!here || round.Name != a.round && round.Tag.String() != a.round) {
		where = term.Sprintf(" [%s]", a.round)
	}
	s.news(term.Sprintf("%s%s -%s- %s", dim(s.look.clock(time.Now())), where, a.extension, text))
}

func (s *screen) notice(t term.Text) { s.news(dim(t)) }

// warn is a notice that is not to be overlooked.
func (s *screen) warn(t term.Text) {
	s.news(term.Concat(term.Style{Bold: true, Reverse: true}.Apply(term.Literal("warning:")), term.Literal(" "), t))
}

func (s *screen) changed() {
	if s.prompt {
		s.paper.setPrompt(s.book.prompt())
	}
}

func (s *screen) clear() { s.paper.clear() }

func (s *screen) close() {
	s.moves.flush()
	s.crowd.flush()
	s.own.flush()
	s.paper.flush()
}
