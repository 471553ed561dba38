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
		for i := range lookUps {
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
		d.comes(text, n)
		d.press(fmt.Sprintf("\x15%s\x15/nix%d\r", lookUps[int(where)%len(lookUps)], n))
		d.until("the end", func() bool { return strings.Contains(d.screen.Screen(), fmt.Sprintf(`command "/nix%d"`, n)) })
		if faults := d.screen.Faults(); len(faults) > 0 {
			t.Fatalf("%q: the terminal was sent %v", text, faults)
		}
		if styles := d.screen.Styles(); styles > 0 {
			t.Fatalf("%q: %d styles without colour", text, styles)
		}
		if notices := len(d.screen.Notices()); notices != n {
			t.Fatalf("%q: %d notifications, want %d", text, notices, n)
		}
		d.exports(text)
	})
	d.t = f
}

// comes has text come in every way in which somebody else can send it, the nth time from another than before.
func (d *desk) comes(text string, n int) {
	f := d.engine
	f.mu.Lock()
	other, home := &f.rounds[0], &f.rounds[1]
	who := someone(fmt.Sprint(n % (maxPeople / 2)))
	who.Name = text
	m := f.message(home.Tag, "", text+" alice") // a mention, so that there is room for it
	m.From = who
	elsewhere := m
	elsewhere.Round = other.Tag
	other.Name, other.Topic, home.Topic = text, text, text
	f.history = []engine.Message{m, elsewhere}
	f.foreign = &who
	named := *home
	named.Name = text
	events := []engine.Event{engine.RoundEvent{Round: *other}, engine.RoundEvent{Round: named}}
	f.mu.Unlock()
	d.onLoop(func() {
		s := d.shell.view.(*screen).paper.(*sheet)
		s.rang, s.drawn = time.Time{}, level{} // the next mention may draw attention, and nothing is kept back
	})
	plain, late, problem, action := m, m, m, m
	plain.Text, late.Late, problem.Problem, action.Form = text, true, text+".", engine.Action
	f.emit(append(events,
		engine.PeerEvent{Round: m.Round, Person: who, Address: text, State: engine.Online},
		engine.MessageEvent{Message: m}, engine.MessageEvent{Message: plain}, engine.MessageEvent{Message: late}, engine.MessageEvent{Message: problem},
		engine.MessageEvent{Message: elsewhere},
		engine.MemberEvent{Round: m.Round, Person: who, Change: engine.Joined, Live: true},
		engine.MemberEvent{Round: m.Round, Person: who, Change: engine.Renamed, Was: text, Live: true},
		engine.MemberEvent{Round: m.Round, Person: who, Change: engine.Left, Live: true},
		engine.MessageEvent{Message: action}, // has these told
		engine.ForkEvent{Round: m.Round, Person: who},
		engine.TopicEvent{Round: m.Round, Topic: text, By: who, Live: true},
		engine.ProgressEvent{Round: m.Round, What: text, Total: 9000}, engine.ProgressEvent{Round: m.Round, What: text, Done: 9000, Total: 9000},
		engine.NoticeEvent{Text: text}, engine.ErrorEvent{Round: m.Round, Err: errors.New(text)},
		engine.SentEvent{Message: m, State: engine.Failed},
		engine.PeerEvent{Round: m.Round, Person: who, Address: text, State: engine.Offline},
	)...)
	d.onLoop(func() {}) // which takes all of these first
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
