package shell

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/engine"
	"opentalk/shell/line/linetest"
	"opentalk/shell/term"
)

// turns stand in for the loop: what is to be done later, and the test, take turns.
type turns struct{ sync.Mutex }

// newTurns begins with that of the test.
func newTurns() *turns {
	t := &turns{}
	t.Lock()
	return t
}

func (t *turns) later(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		t.Lock()
		defer t.Unlock()
		f()
	})
}

// pass lets time pass.
func (t *turns) pass(d time.Duration) {
	t.Unlock()
	time.Sleep(d)
	synctest.Wait()
	t.Lock()
}

// drawing counts how often a terminal is written to.
type drawing struct {
	*linetest.Editor
	prints, prompts int
}

func (d *drawing) Print(t term.Text)     { d.prints++; d.Editor.Print(t) }
func (d *drawing) SetPrompt(t term.Text) { d.prompts++; d.Editor.SetPrompt(t) }

// TestSheetDrawsSeldom prints 500 lines a second: the terminal is written to some 20 times a second, and nothing is lost, out of
// order or late.
func TestSheetDrawsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := newTurns()
		d := &drawing{Editor: linetest.New()}
		s := &sheet{editor: d, later: loop.later}
		const lines, seconds = 5000, 10
		var want strings.Builder
		for i := range lines {
			s.print(term.Sprintf("line %d", i))
			s.setPrompt(term.Sprintf("[%d]> ", i))
			fmt.Fprintf(&want, "line %d\n", i)
			loop.pass(seconds * time.Second / lines)
		}
		loop.pass(printWait)
		if d.Shown() != want.String() || d.Prompt() != "[4999]> " {
			t.Errorf("%d of %d bytes shown after %s, prompt %q", len(d.Shown()), want.Len(), printWait, d.Prompt())
		}
		if most := printBurst + seconds*printRate + 1; d.prints > most || d.prompts > most {
			t.Errorf("%d prints, %d prompts, want at most %d", d.prints, d.prompts, most)
		}
	})
}

// TestSheetOrder: what is to be copied, and what clears the screen, overtakes nothing.
func TestSheetOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := newTurns()
		e := linetest.New()
		s := &sheet{editor: e, later: loop.later}
		for i := range printBurst + 1 {
			s.print(term.Sprintf("%d", i))
		}
		s.raw(term.Literal("raw"))
		s.clear()
		if !strings.HasSuffix(e.Shown(), fmt.Sprintf("%d\nraw\n", printBurst)) {
			t.Errorf("shown: %q", e.Shown())
		}
	})
}

// TestCrowd has many talk at once: every message is shown or counted, what is shown can be read, and whoever is mentioned by
// somebody who is not loud hears of it.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seconds, authors = 30, 30
		loop := newTurns()
		counted, mentioned, shown, all := 0, 0, 0, 0
		c := newCrowd(loop.later, func(line term.Text) {
			_, text, _ := strings.Cut(line.String(), ": ")
			var n int
			fmt.Sscanf(text, "%d more", &n)
			counted += n
		})
		for range seconds * 15 {
			for a := range authors {
				who := someone(fmt.Sprint("author ", a))
				all++
				mention := a == 0
				if c.room(engine.Message{From: who, Live: true}, term.CleanHandle(who.Name), mention) {
					shown++
					if mention {
						mentioned++
					}
				}
			}
			loop.pass(time.Second / 15)
		}
		c.flush()
		if shown+counted != all {
			t.Errorf("%d shown and %d counted of %d", shown, counted, all)
		}
		if mentioned != seconds*15 {
			t.Errorf("%d mentions shown of %d", mentioned, seconds*15)
		}
		if most := crowdBurst + crowdRate + mentioned; shown > most { // it takes less than a second to be too much
			t.Errorf("%d shown, want at most %d", shown, most)
		}
		loop.pass(2 * condenseLast)
		if c.flush(); len(c.authors) != 0 || c.pause != 0 {
			t.Errorf("%d authors are remembered after a silence, pause %s", len(c.authors), c.pause)
		}
	})
}

func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"al": true, "hi AL!": true, "@al": true, "al's": true, "pal": false, "al2": false, "all al": true, "": false, "é́al": false,
		"al_": false, "alal": false, "\xffal\xff": true, "ál": false,
	} {
		if got := hasWord(text, "al"); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if hasWord("anything", "") {
		t.Error("nobody is mentioned by everything")
	}
}

// TestPromptIsBounded: however much is unread, and however rounds are called, a prompt stays a prompt.
func TestPromptIsBounded(t *testing.T) {
	b := newBook()
	for i := range 60 {
		tag := tagOf(fmt.Sprintf("%02d", i))
		b.rounds[tag] = engine.Round{Tag: tag, Name: fmt.Sprintf("%02d%s", i, strings.Repeat("x", 40))}
		for range 2000 {
			b.missed(engine.Message{Round: tag}, i == 59)
		}
	}
	b.rounds[tagOf("home")], b.current, b.inRound = engine.Round{Name: "home", Tag: tagOf("home")}, tagOf("home"), true
	b.waiting[b.current] = 100_000
	want := "home [59xxxxxxxxx… 999+!, 00xxxxxxxxx… 999+, 01xxxxxxxxx… 999+, +57] (999+ waiting)> "
	if got := b.prompt().String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestStateIsRead: what was read is kept by round, and a file that is none is as good as none.
func TestStateIsRead(t *testing.T) {
	p := paths{data: t.TempDir()}
	b := newBook()
	tag, gone := tagOf("friends"), tagOf("gone")
	b.rounds[tag] = engine.Round{Tag: tag, Name: "friends"}
	m := engine.Message{Round: tag}
	m.At.Block.T, m.At.Block.ID[3], m.At.Within = 1<<60+1, 7, 2
	b.read(m)
	b.read(engine.Message{Round: gone, At: m.At})
	if err := (state{Round: tag.String(), Read: b.positions()}).write(p.state()); err != nil {
		t.Fatal(err)
	}
	got := readState(p.state())
	if len(got.Read) != 1 || got.Read[tag.String()] != m.At {
		t.Errorf("kept %+v", got)
	}
}

// TestOnce: what a round said while it was being joined, and what comes again while it is entered, is shown once.
func TestOnce(t *testing.T) {
	var out buffer
	b := newBook()
	s := newScreen(look{zone: time.UTC}, b, roll{out: &output{to: &out}, columns: func() int { return 0 }}, newTurns().later)
	s.prompt = true
	say := func(i byte, text string) engine.Message {
		m := engine.Message{Round: tagOf("work"), From: someone("bob"), Text: text}
		m.ID[0] = i
		return m
	}
	first, second := say(1, "first"), say(2, "second")
	s.event(engine.MessageEvent{Message: first}) // the round has no name yet
	b.rounds[tagOf("work")], b.current, b.inRound = engine.Round{Tag: tagOf("work"), Name: "work"}, tagOf("work"), true
	s.entered(visit{round: b.rounds[b.current], seen: []engine.Message{first, second}})
	s.event(engine.MessageEvent{Message: second}) // it came while the history was read
	shown := out.take()
	unreadable := say(0, "")
	unreadable.Problem = "unreadable"
	s.shown = map[spot]bool{{}: true}
	s.entered(visit{round: b.rounds[b.current], seen: []engine.Message{unreadable}})
	if !strings.Contains(out.take(), "(unreadable)") {
		t.Error("that something cannot be read is not shown")
	}
	for _, text := range []string{"first", "second"} {
		if n := strings.Count(shown, text); n != 1 {
			t.Errorf("%q is shown %d times:\n%s", text, n, shown)
		}
	}
}

// TestPatience: a message that has been signed has its patience anew, and one that was taken is not told of.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := newTurns()
		d := newDeliveries(loop.later, func(term.Text) {})
		waiting, unheld := 0, 0
		id := engine.MessageID{1}
		d.soon(id, func() { waiting++ })
		loop.pass(patient - 1)
		d.soon(id, func() { unheld++ })
		loop.pass(patient - 1)
		if waiting+unheld != 0 {
			t.Errorf("told too early: %d, %d", waiting, unheld)
		}
		loop.pass(time.Nanosecond)
		if waiting != 0 || unheld != 1 {
			t.Errorf("told %d times that it waits, %d times that nobody holds it", waiting, unheld)
		}
		d.soon(id, func() { unheld++ })
		d.delivered(engine.DeliveryEvent{ID: id, Held: 1, Members: 2})
		loop.pass(patient)
		if unheld != 1 {
			t.Error("told of a message that somebody holds")
		}
	})
}
