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
	"time"

	"opentalk/engine"
	"opentalk/engine/identity"
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
	tag := meeting(t, bob, alice)
	s := &estate{tag: tag, listen: alice.listen, history: map[engine.MessageID]string{}, waiting: map[engine.MessageID]bool{}}
	say := func(p *person, text string) engine.MessageID {
		id := p.say(s.tag, text)
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
	alice.say(s.tag, "done")
	times := bob.hears("done")
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

// damagedBy puts a damaged store into a home: the pages of all the images, and no root that could be read.
func damagedBy(t *testing.T, dir string, images ...[]byte) {
	t.Helper()
	b := bytes.Join(images, nil)
	clear(b[:2*4096])
	if err := os.WriteFile(filepath.Join(dir, "rounds.db"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// image is the store of a home that nobody has open.
func image(t *testing.T, p *person) []byte {
	t.Helper()
	p.close()
	b, err := os.ReadFile(filepath.Join(p.dir, "rounds.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// meeting is a round of the first and the others, who know each other.
func meeting(t *testing.T, first *person, others ...*person) engine.Tag {
	t.Helper()
	round, err := first.engine.New("friends")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := first.engine.Invite(round.Tag)
	for _, p := range others {
		if err == nil {
			_, err = p.engine.Join(t.Context(), inv)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return round.Tag
}

func (p *person) say(tag engine.Tag, text string) engine.MessageID {
	p.t.Helper()
	id, err := p.engine.Send(tag, text, engine.Plain, false)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// hears waits until somebody is shown a line, and counts all that come until then. That somebody writes two histories fails
// the test.
func (p *person) hears(text string) map[engine.MessageID]int {
	p.t.Helper()
	times := map[engine.MessageID]int{}
	until(p, func(e engine.Event) bool {
		if n, ok := e.(engine.NoticeEvent); ok && strings.Contains(n.Text, "two histories") {
			p.t.Error(n.Text)
		}
		m, ok := e.(engine.MessageEvent)
		if ok {
			times[m.Message.ID]++
		}
		return ok && m.Message.Text == text
	})
	return times
}

// TestSalvageInterrupted: a crash came when the secrets had the new device and the damaged store was still in its place. The
// next start finds it again, or does not: the damage was of a disk that has recovered. Either way it is the new device that
// goes on, and what waits arrives once.
func TestSalvageInterrupted(t *testing.T) {
	s := newEstate(t)
	for name, damaged := range map[string]bool{"damaged": true, "recovered": false} {
		t.Run(name, func(t *testing.T) {
			dir := copyHome(t, s.alice)
			if damaged {
				path := filepath.Join(dir, "rounds.db")
				good, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				damagedBy(t, dir, good)
			}
			keys, err := identity.OpenKeyring(filepath.Join(dir, "secrets"), nil)
			if err != nil {
				t.Fatal(err)
			}
			old := keys.Device.Device()
			if err := keys.Retire(time.Now(), func(identity.Tag, *identity.DeviceKey, *identity.Credential) ([]byte, error) {
				return nil, nil
			}); err != nil {
				t.Fatal(err)
			}
			if how, want := s.rescue(t, dir), fmt.Sprintf("%d salvaged", map[bool]int{true: 1}[damaged]); how != want {
				t.Errorf("%s, want %s", how, want)
			}
			keys, err = identity.OpenKeyring(filepath.Join(dir, "secrets"), nil)
			if err != nil || keys.Device.Device() == old {
				t.Error("the old device goes on", err)
			}
		})
	}
}

// TestSalvageNeverForks: the newest block of the own line is among what is lost, and the only one who has it is away. What is
// written meanwhile does not contradict it when they come back. T13.
func TestSalvageNeverForks(t *testing.T) {
	alice, bob, carol := start(t, 0), start(t, 1), start(t, 2)
	tag := meeting(t, alice, bob, carol)
	alice.say(tag, "to both")
	bob.hears("to both")
	carol.hears("to both")
	carol.close()
	before := image(t, alice)
	alice.open()
	alice.say(tag, "to bob alone")
	bob.hears("to bob alone")
	bob.close()
	alice.close()

	damagedBy(t, alice.dir, before)
	alice.open()
	carol.open()
	alice.say(tag, "to carol")
	carol.hears("to carol")
	bob.open()
	bob.hears("to carol")
	carol.hears("to bob alone")
	bob.say(tag, "all here")
	alice.hears("all here")
	carol.hears("all here")
	same(t, alice.engine, bob.engine, tag)
	same(t, carol.engine, bob.engine, tag)
}

// TestSalvageSaysOnce: a message was signed and arrived. It is not said again, whether the damaged store has only the draft
// of it, or both.
func TestSalvageSaysOnce(t *testing.T) {
	for name, both := range map[string]bool{"draft": false, "both": true} {
		t.Run(name, func(t *testing.T) {
			alice, bob := start(t, 0), start(t, 1)
			tag := meeting(t, bob, alice)
			bob.close()
			until(alice, func(e engine.PeerEvent) bool { return e.State == engine.Offline })
			id := alice.say(tag, "once")
			older := image(t, alice)
			alice.open()
			bob.open()
			bob.hears("once")
			newer := image(t, alice)
			if both {
				damagedBy(t, alice.dir, newer, older)
			} else {
				damagedBy(t, alice.dir, older)
			}
			bob.close()
			alice.open()
			bob.open()
			alice.say(tag, "next")
			if n := bob.hears("next")[id]; n > 0 {
				t.Errorf("it is said %d times more", n)
			}
			if waiting, err := alice.engine.Pending(tag); err != nil || len(waiting) > 0 && waiting[0].Message.ID == id {
				t.Error(waiting, err)
			}
			same(t, alice.engine, bob.engine, tag)
		})
	}
}
