//go:build unix

package shell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/shell/term/vt"
)

// lookUps are keys that show what others have said and are called: candidates of Tab, and commands.
var lookUps = []string{
	"/switch \t\t", "/whois \t\t", "/history 3\r", "/search -a alice\r", "/rounds\r", "/peers\r", "/members\r", "/doctor\r", "/switch home\r",
}

// arrivals are the events with text of others in them: m is a message of theirs, whose text it is.
var arrivals = []func(m engine.Message, elsewhere engine.Round) engine.Event{
	func(m engine.Message, _ engine.Round) engine.Event { return engine.MessageEvent{Message: m} },
	func(m engine.Message, _ engine.Round) engine.Event {
		m.Late = true
		return engine.MessageEvent{Message: m}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		m.Problem = m.Text + "."
		return engine.MessageEvent{Message: m}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		m.Form = engine.Action
		return engine.MessageEvent{Message: m}
	},
	func(m engine.Message, elsewhere engine.Round) engine.Event {
		m.Round = elsewhere.Tag
		return engine.MessageEvent{Message: m}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.PeerEvent{Round: m.Round, Person: m.From, Address: m.Text, State: engine.Online}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.PeerEvent{Round: m.Round, Person: m.From, Address: m.Text, State: engine.Offline}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.MemberEvent{Round: m.Round, Person: m.From, Change: engine.Joined, Live: true}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.MemberEvent{Round: m.Round, Person: m.From, Change: engine.Renamed, Was: m.Text, Live: true}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.MemberEvent{Round: m.Round, Person: m.From, Change: engine.Left, Live: true}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.ForkEvent{Round: m.Round, Person: m.From}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.TopicEvent{Round: m.Round, Topic: m.Text, By: m.From, Live: true}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.ProgressEvent{Round: m.Round, What: m.Text, Total: 9000}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.ProgressEvent{Round: m.Round, What: m.Text, Done: 9000, Total: 9000}
	},
	func(m engine.Message, _ engine.Round) engine.Event { return engine.NoticeEvent{Text: m.Text} },
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.ErrorEvent{Round: m.Round, Err: errors.New(m.Text)}
	},
	func(m engine.Message, _ engine.Round) engine.Event {
		return engine.SentEvent{Message: m, State: engine.Failed}
	},
	func(m engine.Message, elsewhere engine.Round) engine.Event {
		return engine.RoundEvent{Round: elsewhere}
	},
	func(m engine.Message, elsewhere engine.Round) engine.Event {
		elsewhere.Tag = m.Round // the round that one is in
		return engine.RoundEvent{Round: elsewhere}
	},
}

// FuzzForeignText is T20 for a person's terminal: text of others, wherever it can come up, never becomes a control sequence that
// opentalk did not mean, nor a colour. One shell shows it all, so that what one text does to the
// terminal would be seen with the next. An input comes up in one way, so that thousands can be tried.
func FuzzForeignText(f *testing.F) {
	ways := len(arrivals) + len(lookUps) + 1 // the last is a file of /export
	for _, text := range []string{
		hostile, "", "\x1b", "\x1b[2J\x1b[?1049h", "\x1b]0;title\a", "\x1b]52;c;aGk=\x1b\\", "\x1b]8;;http://x\x1b\\x\x1b]8;;\x1b\\",
		"\x1bP$qm\x1b\\", "\x1b[6n\x1b[c\x1b[>q", "\u009b2J\x9b31m", "\r\n\r\b\x7f\x00\a", "\u202e\u2066abc\u2069", "\u2028\u2029\u0085", "\xff\xfe",
		"👩\u200d👧\ufe0f e\u0301\u0301", strings.Repeat("\u0316", 100), strings.Repeat("日本語 ", 100), "\t\t", "%s%d%!", "a: \nb: ", "/quit", "\x1b[200~x\x1b[201~",
		"opentalk:aaaa",
	} {
		for i := range ways {
			f.Add(text, byte(i))
		}
	}
	d := newDesk(f, 60, 100)
	d.engine.add("other")
	d.engine.add("home")
	if err := os.WriteFile(filepath.Join(d.home, "config.toml"), []byte("notify = 'osc9'\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	d.start("--color=never", "--round=home")
	d.until("a prompt", func() bool { return strings.HasSuffix(d.screen.Screen(), "home> ▮") })
	for ready := false; !ready; {
		d.onLoop(func() { ready = !d.shell.held })
	}
	n := 0
	f.Fuzz(func(t *testing.T, text string, where byte) {
		d.t = t
		n++
		before, way := len(d.screen.Notices()), int(where)%ways
		m, elsewhere := d.knows(text, n)
		switch looked := way - len(arrivals); {
		case looked < 0:
			d.arrives(arrivals[way](m, elsewhere), n)
		case looked < len(lookUps):
			d.press(fmt.Sprintf("\x15%s\x15/nix%d\r", lookUps[looked], n))
			d.until("the end", func() bool { return strings.Contains(d.screen.Screen(), fmt.Sprintf(`command "/nix%d"`, n)) })
		default:
			d.exports(text)
		}
		if faults := d.screen.Faults(); len(faults) > 0 {
			t.Fatalf("%q: the terminal was sent %v", text, faults)
		}
		if styles := d.screen.Styles(); styles > 0 {
			t.Fatalf("%q: %d styles without colour", text, styles)
		}
		if rang := len(d.screen.Notices()) - before; rang > 1 || way == 0 && rang != 1 {
			t.Fatalf("%q: %d notifications", text, rang)
		}
	})
	d.t = f
}

// knows has the engine know text wherever it can come from somebody else, the nth time another than before. It returns a
// message of theirs that mentions the person, and another round than the current one.
func (d *desk) knows(text string, n int) (engine.Message, engine.Round) {
	f := d.engine
	f.mu.Lock()
	other, home := &f.rounds[0], &f.rounds[1]
	who := someone(fmt.Sprint(n % 30))
	who.Name = text
	m := f.message(home.Tag, "", text+" alice") // a mention, so that there is room for it
	m.From = who
	elsewhere := m
	elsewhere.Round = other.Tag
	other.Name, other.Topic, home.Topic = text, text, text
	f.history = []engine.Message{m, elsewhere}
	f.foreign = &who
	room := *other
	f.mu.Unlock()
	d.onLoop(func() {
		s := d.shell.view.(*screen).paper.(*sheet)
		s.rang, s.drawn = time.Time{}, level{} // the next mention may draw attention, and nothing is kept back
	})
	return m, room
}

// arrives has something happen, and something after it, for which it waits.
func (d *desk) arrives(ev engine.Event, n int) {
	end := fmt.Sprintf("that was %d.", n)
	d.engine.emit(ev, engine.NoticeEvent{Text: end})
	d.until("the end", func() bool { return strings.Contains(d.screen.Screen(), end) })
}

// onLoop runs f on the shell's loop, once that has taken the events that are there, and waits for it.
func (d *desk) onLoop(f func()) {
	done := make(chan struct{})
	d.shell.post(func() {
		f()
		close(done)
	})
	<-done
}

// exports looks at text as a file of /export in a terminal.
func (d *desk) exports(text string) {
	m := d.engine.history[0]
	action := m
	action.Form = engine.Action
	shown := vt.New(60, 10)
	for _, line := range []func(engine.Message) string{exportText(look{zone: time.UTC}), exportJSON(engine.Round{Name: text})} {
		fmt.Fprint(shown, strings.ReplaceAll(line(m)+line(action), "\n", "\r\n"))
	}
	if faults := shown.Faults(); len(faults) > 0 || shown.Styles() > 0 {
		d.t.Fatalf("%q: a file holds %v", text, faults)
	}
}
