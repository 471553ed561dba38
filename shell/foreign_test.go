//go:build unix

package shell

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"opentalk/engine"
)

// FuzzForeignText is T20 for a person's terminal: text of others, wherever it can come up, never becomes a control sequence that
// opentalk did not mean, nor a colour. One shell shows it all, so that what one text does to the
// terminal would be seen with the next.
func FuzzForeignText(f *testing.F) {
	for _, text := range []string{
		hostile, "", "\x1b", "\x1b[2J\x1b[?1049h", "\x1b]0;title\a", "\x1b]52;c;aGk=\x1b\\", "\x1b]8;;http://x\x1b\\x\x1b]8;;\x1b\\",
		"\x1bP$qm\x1b\\", "\x1b[6n\x1b[c\x1b[>q", "\u009b2J\x9b31m", "\r\n\r\b\x7f\x00\a", "\u202e\u2066abc\u2069", "\u2028\u2029\u0085", "\xff\xfe",
		"👩\u200d👧\ufe0f e\u0301\u0301", strings.Repeat("\u0316", 100), strings.Repeat("日本語 ", 100), "\t\t", "%s%d%!", "a: \nb: ", "/quit", "\x1b[200~x\x1b[201~",
		"opentalk:aaaa",
	} {
		f.Add(text)
	}
	d := newDesk(f, 60, 40)
	d.engine.add("friends")
	d.start("--color=never")
	d.until("a prompt", func() bool { return strings.HasSuffix(d.screen.Screen(), "friends> ▮") })
	n := 0
	f.Fuzz(func(t *testing.T, text string) {
		d.t = t
		n++
		d.comes(text)
		// Candidates of Tab, twice; what others have said and are called; and then an error to see that all this is done.
		d.press("\x15")
		d.paste("/switch ")
		d.press("\t\t\x15")
		d.paste("/whois ")
		d.press("\t\t\x15")
		for _, l := range []string{"/history", "/rounds", fmt.Sprint("/nix", n)} {
			d.paste(l)
			d.press("\r")
		}
		d.until("the end", func() bool { return strings.Contains(d.screen.Screen(), fmt.Sprintf(`command "/nix%d"`, n)) })
		if faults := d.screen.Faults(); len(faults) > 0 {
			t.Fatalf("%q: the terminal was sent %v", text, faults)
		}
		if styles := d.screen.Styles(); styles > 0 {
			t.Fatalf("%q: %d styles without colour", text, styles)
		}
	})
	d.t = f
}

// comes has text come in every way in which somebody else can send it.
func (d *desk) comes(text string) {
	f := d.engine
	f.mu.Lock()
	tag := f.rounds[0].Tag
	who := someone("bob")
	who.Name = text
	m := f.message(tag, "bob", text)
	m.From = who
	f.rounds[0].Name, f.rounds[0].Topic = text, text
	f.history = []engine.Message{m}
	round := f.rounds[0]
	f.mu.Unlock()
	late, problem, action := m, m, m
	late.Late, problem.Problem, action.Form = true, text+".", engine.Action
	f.emit(
		engine.RoundEvent{Round: round},
		engine.PeerEvent{Round: tag, Person: who, Address: text, State: engine.Online},
		engine.MessageEvent{Message: m}, engine.MessageEvent{Message: late}, engine.MessageEvent{Message: problem}, engine.MessageEvent{Message: action},
		engine.MemberEvent{Round: tag, Person: who, Change: engine.Joined, Live: true},
		engine.MemberEvent{Round: tag, Person: who, Change: engine.Renamed, Was: text, Live: true},
		engine.MemberEvent{Round: tag, Person: who, Change: engine.Left, Live: true},
		engine.TopicEvent{Round: tag, Topic: text, By: who, Live: true},
		engine.ProgressEvent{Round: tag, What: text, Total: 9000}, engine.ProgressEvent{Round: tag, What: text, Done: 9000, Total: 9000},
		engine.NoticeEvent{Text: text}, engine.ErrorEvent{Round: tag, Err: errors.New(text)},
		engine.SentEvent{Message: m, State: engine.Failed},
		engine.PeerEvent{Round: tag, Person: who, Address: text, State: engine.Offline},
	)
}
