package shell

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"opentalk/engine"
	"opentalk/shell/term"
)

// stream tells programs: one JSON object a line. Text of others is in it as it was sent; whatever a terminal might act upon
// is written as \u escapes, which JSON readers undo.
type stream struct {
	out  *output
	book *book
}

// stamp is a time as JSON has it: RFC 3339 in UTC with milliseconds, empty if there is none.
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (t stamp) MarshalText() ([]byte, error) {
	if time.Time(t).IsZero() {
		return nil, nil
	}
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z07:00")), nil
}

// The events. Each begins with these two keys.
type head struct {
	V     int    `json:"v"`
	Event string `json:"event"`
}

type (
	readyJSON struct {
		head
		Handle      string   `json:"handle"`
		Fingerprint string   `json:"fingerprint"`
		Device      string   `json:"device"`
		Listen      []string `json:"listen"`
	}
	roundJSON struct {
		head
		Round   string `json:"round"`
		Tag     string `json:"tag"`
		Members int    `json:"members"`
		Blocks  int    `json:"blocks"`
		Topic   string `json:"topic"`
	}
	inviteJSON struct {
		head
		Round  string `json:"round"`
		Invite string `json:"invite"`
	}
	messageJSON struct {
		head
		Round       string `json:"round"`
		ID          string `json:"id"`
		Block       string `json:"block"`
		From        string `json:"from"`
		Fingerprint string `json:"fingerprint"`
		Text        string `json:"text"`
		Form        string `json:"form"`
		Auto        bool   `json:"auto"`
		Private     bool   `json:"private"`
		Written     stamp  `json:"written"`
		Received    stamp  `json:"received"`
		Live        bool   `json:"live"`
		Late        bool   `json:"late"`
		Held        bool   `json:"held,omitempty"`
		Provisional bool   `json:"provisional,omitempty"` // of a history still on its way; said once
		Problem     string `json:"problem,omitempty"`     // why there is no text
		Ignored     bool   `json:"ignored,omitempty"`     // this person ignores who wrote it
	}
	historyJSON struct { // a message that a line asked for
		messageJSON
		Line int `json:"line"`
	}
	sentJSON struct {
		head
		Round string `json:"round"`
		ID    string `json:"id"`
		Block string `json:"block"`
		Text  string `json:"text"`
		State string `json:"state"`
	}
	deliveryJSON struct {
		head
		Round   string `json:"round"`
		ID      string `json:"id"`
		Held    int    `json:"held"`
		Members int    `json:"members"`
	}
	waitingJSON struct {
		head
		Round string `json:"round"`
		Count int    `json:"count"`
	}
	peerJSON struct {
		head
		Round       string  `json:"round"`
		Handle      string  `json:"handle"`
		Fingerprint string  `json:"fingerprint"`
		Device      string  `json:"device"`
		Address     string  `json:"address"`
		State       string  `json:"state"`
		RTT         float64 `json:"rtt_ms"`
	}
	memberJSON struct {
		head
		Round       string `json:"round"`
		Handle      string `json:"handle"`
		Fingerprint string `json:"fingerprint"`
		Change      string `json:"change"`
		Was         string `json:"was,omitempty"` // the name before, if renamed
	}
	forkJSON struct {
		head
		Round       string `json:"round"`
		Handle      string `json:"handle"`
		Fingerprint string `json:"fingerprint"`
		Device      string `json:"device"`
	}
	topicJSON struct {
		head
		Round       string `json:"round"`
		Topic       string `json:"topic"`
		From        string `json:"from"`
		Fingerprint string `json:"fingerprint"`
	}
	caughtUpJSON struct {
		head
		Round string `json:"round"`
	}
	progressJSON struct {
		head
		Round string `json:"round"`
		What  string `json:"what"`
		Done  int    `json:"done"`
		Total int    `json:"total"`
	}
	noticeJSON struct {
		head
		Text      string `json:"text"`
		Extension string `json:"extension,omitempty"` // that says it; of opentalk's own if there is none
		Round     string `json:"round,omitempty"`
		Ring      bool   `json:"ring,omitempty"` // it is to draw attention
	}
	errorJSON struct {
		head
		Text string `json:"text"`
		Hint string `json:"hint"`
		Code string `json:"code"`
		Line int    `json:"line"`
	}
	replyJSON struct {
		head
		Command string   `json:"command"`
		Line    int      `json:"line"`
		Lines   []string `json:"lines"`
		ID      string   `json:"id,omitempty"` // of the message that the line became
	}
)

func of(event string) head { return head{1, event} }

func (s *stream) write(event any) { s.out.write(jsonLine(event)) }

// jsonLine is an event as a line.
func jsonLine(event any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(event); err != nil {
		panic(err) // every event is made of strings, numbers and truth values
	}
	return escapeJSON(b.String())
}

// escapeJSON writes what is not plainly printable as escapes. Outside of ASCII there is nothing in JSON but strings.
func escapeJSON(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func (s *stream) progress(what string) { s.write(progressJSON{head: of("progress"), What: what}) }

func (s *stream) ready(o opening) {
	s.write(readyJSON{of("ready"), o.self.Handle, o.self.Fingerprint.String(), o.self.Device.String(),
		append([]string{}, o.self.Listen...)})
}

func (s *stream) event(ev engine.Event) {
	name := s.book.name
	switch ev := ev.(type) {
	case engine.RoundEvent:
		r := ev.Round
		s.write(roundJSON{of("round"), r.Name, r.Tag.String(), r.Members, r.Blocks, r.Topic})
	case engine.MessageEvent:
		s.message(ev.Message)
	case engine.SentEvent:
		m := ev.Message
		s.write(sentJSON{of("sent"), name(m.Round), messageID(m.ID), blockID(m.Block), m.Text, string(ev.State)})
	case engine.DeliveryEvent:
		s.write(deliveryJSON{of("delivery"), name(ev.Round), messageID(ev.ID), ev.Held, ev.Members})
	case engine.WaitingEvent:
		s.write(waitingJSON{of("waiting"), name(ev.Round), ev.Count})
	case engine.PeerEvent:
		s.write(peerJSON{of("peer"), name(ev.Round), ev.Person.Name, fingerprint(ev.Person), device(ev.Person),
			ev.Address, string(ev.State), float64(ev.RTT.Microseconds()) / 1000})
	case engine.MemberEvent:
		s.write(memberJSON{of("member"), name(ev.Round), ev.Person.Name, fingerprint(ev.Person), string(ev.Change), ev.Was})
	case engine.ForkEvent:
		s.write(forkJSON{of("fork"), name(ev.Round), ev.Person.Name, fingerprint(ev.Person), device(ev.Person)})
	case engine.TopicEvent:
		s.write(topicJSON{of("topic"), name(ev.Round), ev.Topic, ev.By.Name, fingerprint(ev.By)})
	case engine.ProgressEvent:
		s.write(progressJSON{of("progress"), name(ev.Round), ev.What, ev.Done, ev.Total})
	case engine.CaughtUpEvent:
		s.write(caughtUpJSON{of("caught-up"), name(ev.Round)})
	case engine.NoticeEvent:
		s.write(noticeJSON{head: of("notice"), Text: redact(ev.Text)})
	case engine.ErrorEvent:
		s.fail(newReport(ev.Err, 0))
	}
}

func (s *stream) message(m engine.Message) { s.write(messageOf("message", s.book.name(m.Round), m)) }

func (s *stream) past(p past) {
	s.write(historyJSON{messageOf("history", s.book.name(p.message.Round), p.message), p.line})
}

func messageOf(event, round string, m engine.Message) messageJSON {
	form := "plain"
	if m.Form == engine.Action {
		form = "action"
	}
	return messageJSON{
		head: of(event), Round: round, ID: messageID(m.ID), Block: blockID(m.Block), From: m.From.Name,
		Fingerprint: fingerprint(m.From), Text: m.Text, Form: form, Auto: m.Auto, Written: stamp(m.Written),
		Received: stamp(m.Received), Live: m.Live, Late: m.Late, Held: m.Held, Provisional: m.Provisional, Problem: m.Problem,
		Ignored: m.From.Ignored,
	}
}

func messageID(id engine.MessageID) string { return hex.EncodeToString(id[:]) }

func blockID(id engine.BlockID) string {
	if id == (engine.BlockID{}) {
		return ""
	}
	return id.String()
}

func fingerprint(p engine.Person) string {
	if p.Fingerprint.IsZero() {
		return ""
	}
	return p.Fingerprint.String()
}

func device(p engine.Person) string {
	if p.Device == (engine.Device{}) {
		return ""
	}
	return p.Device.String()
}

// reply ends what a line brings about: every line of input that is not empty ends in one reply or one error.
func (s *stream) reply(c *call) {
	if c.secret != "" {
		s.write(inviteJSON{of("invite"), c.round.Name, c.secret})
	}
	r := replyJSON{head: of("reply"), Command: "/" + c.command.name, Line: c.line, Lines: []string{}}
	for _, t := range c.lines {
		r.Lines = append(r.Lines, t.String())
	}
	if c.sent != (engine.MessageID{}) {
		r.ID = messageID(c.sent)
	}
	s.write(r)
}

func (s *stream) fail(r report) { s.write(errorJSON{of("error"), r.text, r.hint, r.code, r.line}) }

func (s *stream) notice(t term.Text) { s.write(noticeJSON{head: of("notice"), Text: t.String()}) }

func (s *stream) aside(a aside) {
	s.write(noticeJSON{head: of("notice"), Text: a.text, Extension: a.extension, Round: a.round, Ring: a.ring})
}

func (s *stream) warn(t term.Text) { s.notice(t) }

func (s *stream) echo(term.Text, string) {}
func (s *stream) entered(visit)          {}
func (s *stream) changed()               {}
func (s *stream) clear()                 {}
func (s *stream) close()                 {}
