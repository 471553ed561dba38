package engine_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"opentalk/engine"
)

var damageStates = flag.Int("engine.damage", 24, "damaged homes to open")

// copyHome gives another folder with the files of a home.
func copyHome(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// estate is a round of alice and bob as it was when both had gone, and what alice had in it.
type estate struct {
	alice, bob string // homes
	listen     []string
	tag        engine.Tag
	history    map[engine.MessageID]string
	waiting    map[engine.MessageID]bool
}

// newEstate has alice and bob talk. Some of what alice says waits for bob to return, some waits still.
func newEstate(t *testing.T) *estate {
	alice, bob := start(t, 0), start(t, 1)
	round, err := alice.engine.New("friends")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := alice.engine.Invite(round.Tag)
	if err == nil {
		_, err = bob.engine.Join(t.Context(), inv)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &estate{tag: round.Tag, listen: alice.listen, history: map[engine.MessageID]string{}, waiting: map[engine.MessageID]bool{}}
	say := func(p *person, text string) engine.MessageID {
		id, err := p.engine.Send(s.tag, text, engine.Plain, false)
		if err != nil {
			t.Fatal(err)
		}
		s.history[id] = text
		return id
	}
	for i := range 40 {
		say(alice, fmt.Sprint("alice ", i, strings.Repeat(".", i*40)))
		say(bob, fmt.Sprint("bob ", i))
	}
	if err := alice.engine.Verify(s.tag, bob.engine.Self().Fingerprint, true); err != nil {
		t.Fatal(err)
	}
	bob.close()
	until(alice, func(e engine.PeerEvent) bool { return e.State == engine.Offline })
	late := say(alice, "waited")
	bob.open()
	until(bob, func(e engine.MessageEvent) bool { return e.Message.ID == late })
	bob.close()
	until(alice, func(e engine.PeerEvent) bool { return e.State == engine.Offline })
	for i := range 5 {
		id := say(alice, fmt.Sprint("waits ", i))
		s.waiting[id] = true
	}
	alice.close()
	s.alice, s.bob = copyHome(t, alice.dir), copyHome(t, bob.dir)
	return s
}

// open opens a copy of a home, at its address.
func (s *estate) open(t *testing.T, dir string) *person {
	p := &person{t: t, dir: dir, listen: s.listen}
	p.open()
	return p
}

// left checks that alice has nothing that never was, and returns what still waits.
func (s *estate) left(t *testing.T, alice *person) (waiting map[engine.MessageID]bool, err error) {
	waiting = map[engine.MessageID]bool{}
	pending, err := alice.engine.Pending(s.tag)
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		if waiting[p.Message.ID] = true; s.history[p.Message.ID] != p.Message.Text {
			t.Errorf("%q waits", p.Message.Text)
		}
	}
	lines, err := alice.engine.History(s.tag, engine.Position{}, engine.MaxHistory)
	for _, m := range lines {
		if s.history[m.ID] != m.Text || m.Problem != "" {
			t.Errorf("line %q: %s", m.Text, m.Problem)
		}
	}
	return waiting, err
}

// meet lets alice and bob meet. All of what waits arrives once, nothing else is said again, and both hold the same.
func (s *estate) meet(t *testing.T, alice *person, waiting map[engine.MessageID]bool) {
	bob := &person{t: t, dir: copyHome(t, s.bob), listen: []string{loopback}}
	bob.open()
	defer bob.close()
	if _, err := alice.engine.Send(s.tag, "done", engine.Plain, false); err != nil {
		t.Fatal(err)
	}
	times := map[engine.MessageID]int{}
	until(bob, func(e engine.Event) bool {
		if n, ok := e.(engine.NoticeEvent); ok {
			t.Errorf("bob is told that %s", n.Text)
		}
		m, ok := e.(engine.MessageEvent)
		if ok {
			times[m.Message.ID]++
		}
		return ok && m.Message.Text == "done"
	})
	for id, text := range s.history {
		if want := map[bool]int{true: 1}[s.waiting[id] && waiting[id]]; times[id] != want {
			t.Errorf("%q arrives %d times, want %d", text, times[id], want)
		}
	}
	same(t, alice.engine, bob.engine, s.tag)
}

// harm is one way to damage a file.
type harm struct {
	what  string
	apply func([]byte) []byte
}

func harms(r *rand.Rand, size, n int) []harm {
	zero := func(from, to int) harm {
		return harm{fmt.Sprintf("zero %d to %d", from, to), func(b []byte) []byte { clear(b[from:to]); return b }}
	}
	cut := func(to int) harm {
		return harm{fmt.Sprintf("cut to %d", to), func(b []byte) []byte { return b[:to] }}
	}
	all := []harm{
		zero(0, 4096), zero(4096, 8192), zero(0, 8192), zero(0, 4*4096), zero(size/2, size), cut(1), cut(size / 2), cut(size - 4096),
	}
	for len(all) < n {
		at := r.IntN(size)
		switch r.IntN(5) {
		case 0:
			all = append(all, cut(at))
		case 1:
			all = append(all, zero(at&^4095, at&^4095+4096))
		case 2:
			all = append(all, zero(at, min(size, at+1+r.IntN(3*4096))))
		case 3:
			at = at&^4095 + r.IntN(64) // the beginnings of pages, where structure is
			fallthrough
		case 4:
			bit := byte(1) << r.IntN(8)
			all = append(all, harm{fmt.Sprintf("flip %#x at %d", bit, at), func(b []byte) []byte { b[at] ^= bit; return b }})
		}
	}
	return all[:n]
}

// TestSalvage damages the store of a home in many ways. The home opens; what it has is a part of what it had; and when it
// meets a member it has all again, and what waited arrives once.
func TestSalvage(t *testing.T) {
	s := newEstate(t)
	good, err := os.ReadFile(filepath.Join(s.alice, "rounds.db"))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	used := len(bytes.TrimRight(good, "\x00"))
	used += -used & 4095
	tally := map[string]int{}
	for _, h := range harms(rand.New(rand.NewPCG(seed, 1)), used, *damageStates) {
		ok := t.Run(h.what, func(t *testing.T) {
			dir := copyHome(t, s.alice)
			if err := os.WriteFile(filepath.Join(dir, "rounds.db"), h.apply(append([]byte(nil), good...)), 0o600); err != nil {
				t.Fatal(err)
			}
			tally[s.rescue(t, dir)]++
		})
		if !ok && testing.Short() {
			break
		}
	}
	t.Log(tally)
}

// rescue opens a damaged home as a person would, and says how that went.
func (s *estate) rescue(t *testing.T, dir string) (how string) {
	alice := s.open(t, dir)
	defer func() { alice.close() }()
	waiting, err := s.left(t, alice)
	if err != nil { // the damage shows only in reading; the next start knows of it
		alice.close()
		alice.open()
		if waiting, err = s.left(t, alice); err != nil {
			t.Fatal(err)
		}
	}
	kept, _ := filepath.Glob(filepath.Join(dir, "rounds.db.damaged-*"))
	how = fmt.Sprintf("%d salvaged", len(kept))
	if len(kept) > 0 {
		notice := until(alice, func(e engine.NoticeEvent) bool { return strings.Contains(e.Text, "damaged") })
		t.Log(notice.Text)
		if info, err := os.Stat(kept[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
	}
	s.meet(t, alice, waiting)
	return how
}
