package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/store"
)

const year = 365 * 24 * time.Hour

// together is a round of n where everybody has joined and is online.
func together(t *testing.T, seed uint64, n int, skews ...time.Duration) *sim {
	s := newSim(t, seed, n)
	for i, skew := range skews {
		s.nodes[i].Skew = skew
	}
	s.found()
	for i := 1; i < n; i++ {
		s.join(i, 0)
		s.settle(time.Second)
	}
	s.settle(time.Minute)
	return s
}

func (s *sim) round(n int) *round { return s.nodes[n].core.rounds[s.tag] }

// restart is a crash and a start with another clock.
func (s *sim) restart(nd *node, skew time.Duration) {
	s.crash(nd)
	nd.Skew = skew
	s.start(nd)
}

// newest is the last block of a node's own line.
func (s *sim) newest(n int) chain.Place {
	return s.round(n).chain.Line(s.nodes[n].keys.Device.Device()).Newest
}

func (s *sim) noticed(n int, what string) (times int) {
	for _, text := range s.nodes[n].notices {
		if strings.Contains(text, what) {
			times++
		}
	}
	return times
}

// TestT29ClockIsCorrected: a device whose clock is 1970's, or years ahead, finds out from the others, says so once, and
// writes with their clock. Mended, it says that, too.
func TestT29ClockIsCorrected(t *testing.T) {
	for _, wrong := range []time.Duration{-56 * year, -3 * time.Hour, 3 * time.Minute, 3 * time.Hour, 10 * year} {
		t.Run(wrong.String(), func(t *testing.T) {
			s := together(t, 3, 4)
			s.restart(s.nodes[3], wrong)
			s.settle(10 * time.Minute) // two must have come: it finds no address records that last
			if n := s.noticed(3, "the others' is used"); n != 1 {
				t.Errorf("it says so %d times: %q", n, s.nodes[3].notices)
			}
			s.say(s.nodes[3], "what time is it?")
			s.settle(5 * time.Second)
			at := time.UnixMilli(int64(s.newest(3).T))
			if off := s.Now().Sub(at); off.Abs() > clockOff {
				t.Errorf("its block is %v off", off)
			}
			for n := range s.nodes[:3] {
				if len(s.round(n).chain.Held()) > 0 || len(s.nodes[n].notices) > 0 {
					t.Errorf("node %d holds %d blocks and says %q", n, len(s.round(n).chain.Held()), s.nodes[n].notices)
				}
			}
			s.agree()

			c := s.nodes[3].core
			last := c.clock()
			s.nodes[3].Skew = 0
			c.now, c.effects = s.Now(), nil // as advance does, where the machine tells what has passed from what the clock says
			c.clockSet(last)
			s.effects(s.nodes[3], c.effects)
			if c.correction != 0 {
				t.Error("a clock that is set right is still corrected by", c.correction)
			}
			s.settle(5 * time.Minute)
			s.say(s.nodes[3], "mended")
			s.settle(5 * time.Second)
			s.agree()
		})
	}
}

// TestSleepIsNotAWrongClock: when time has passed that this device slept through, what was corrected stays corrected.
func TestSleepIsNotAWrongClock(t *testing.T) {
	c := &core{now: time.Date(2016, 1, 1, 8, 0, 0, 0, time.UTC), correction: 10 * year}
	last := c.clock()
	c.now = c.now.Add(8 * time.Hour)
	if c.clockSet(last); c.correction != 10*year {
		t.Error("after a night the clock is corrected by", c.correction)
	}
	c.now = c.now.Add(10 * year)
	if c.clockSet(last.Add(8 * time.Hour)); c.correction != 0 {
		t.Error("mended, the clock is still corrected by", c.correction)
	}
}

// TestOneVoiceSetsNoClock: one identity, whatever it says and however many devices say it, moves nobody's clock; nor do two
// that disagree.
func TestOneVoiceSetsNoClock(t *testing.T) {
	s := together(t, 5, 2, 0, 5*time.Hour)
	s.settle(5 * time.Minute)
	for n := range s.nodes {
		if c := s.nodes[n].core.correction; c != 0 {
			t.Errorf("node %d corrects its clock by %v", n, c)
		}
	}
	s = together(t, 5, 3, 0, -5*time.Hour, 5*time.Hour)
	s.settle(5 * time.Minute)
	if c := s.nodes[0].core.correction; c != 0 {
		t.Errorf("between two that disagree the clock is corrected by %v", c)
	}
}

// TestT14BlockAheadIsHeld: a block from years ahead is stored, passed on and shown with a mark, and nobody builds on it,
// after a restart neither; once its time has come it is built on like any.
func TestT14BlockAheadIsHeld(t *testing.T) {
	s := together(t, 17, 3)
	ahead := s.nodes[2]
	s.wall(s.nodes[0], ahead) // what 0 knows of it comes through 1
	s.restart(ahead, 2*time.Hour)
	s.settle(10 * time.Minute)
	s.say(ahead, "from the future")
	s.settle(5 * time.Second)
	future := s.newest(2)
	if now := uint64(s.Now().UnixMilli()); future.T < now+chain.MaxAhead {
		t.Fatal("the clock was corrected by one peer")
	}
	for range 2 {
		for n := range 2 {
			s.say(s.nodes[n], fmt.Sprintf("%d in the present", n))
			s.settle(2 * time.Second)
			if held := s.round(n).chain.Held(); len(held) != 1 || held[0] != future {
				t.Errorf("node %d holds %v", n, held)
			}
			if d := s.newest(n); d.T >= future.T {
				t.Errorf("node %d is dragged along", n)
			}
			if ms := s.history(n); !ms["from the future"].Held || ms["0 in the present"].Held {
				t.Errorf("node %d marks %v", n, ms)
			}
			s.restart(s.nodes[n], 0)
			s.settle(time.Minute)
		}
	}
	s.crash(ahead)
	s.settle(3 * time.Hour)
	for n := range 2 {
		if held := s.round(n).chain.Held(); len(held) > 0 {
			t.Errorf("node %d still holds %v", n, held)
		}
		s.say(s.nodes[n], fmt.Sprintf("%d later", n))
		s.settle(2 * time.Second)
		if heads := s.round(n).chain.Heads(); len(heads) != 1 {
			t.Errorf("node %d has heads %v", n, heads)
		}
		s.restart(s.nodes[n], 0)
		if heads := s.round(n).chain.Heads(); len(heads) != 1 {
			t.Errorf("node %d has heads %v after a start", n, heads)
		}
	}
	s.start(ahead)
	s.settle(time.Minute)
	s.agree()
}

// TestManyHeld: of the blocks that are held few are in memory, and when their time comes all are built on, in order, after a
// start too.
func TestManyHeld(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s, l, at, now := flooded(t)
		s.nodes[0].core.maxHeld = 4
		var ahead []*chain.Block
		for i := range 30 {
			b := l.sign(fmt.Sprint("from the future, ", i), at, now+uint64((2*time.Hour).Milliseconds())+uint64(i))
			ahead, at = append(ahead, b), b.Place()
		}
		l.give(0, ahead...)
		s.settle(time.Second)
		r := s.round(0)
		if n := len(r.chain.Held()); n < 4 || n > 9 {
			t.Errorf("%d are in memory", n)
		}
		s.say(s.nodes[0], "in the present")
		s.settle(time.Second)
		if restarted {
			s.restart(s.nodes[0], 0)
			s.nodes[0].core.maxHeld = 4
		}
		s.settle(time.Minute)
		s.Leap(3 * time.Hour)
		s.step(s.nodes[0], tick{})
		r = s.round(0)
		heads := r.chain.Heads()
		if len(r.chain.Held()) > 0 || len(heads) != 2 || heads[0] != at && heads[1] != at {
			t.Errorf("restarted %v: %d are held, the heads are %v, not %v", restarted, len(r.chain.Held()), heads, at)
		}
	}
}

// history is what a node shows, by text.
func (s *sim) history(n int) map[string]Message {
	ms, err := s.round(n).archive().history(Position{}, MaxHistory)
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]Message{}
	for _, m := range ms {
		all[m.Text] = m
	}
	return all
}

// TestHeldAcrossAStart: what only a held block cites is a head, after a start too; and when its time came while nobody looked,
// it is not one any more.
func TestHeldAcrossAStart(t *testing.T) {
	s, l, at, now := flooded(t)
	s.say(s.nodes[1], "the last of the present")
	s.settle(time.Minute)
	present := s.newest(1)
	future := l.sign("from the future", at, now+uint64((2*time.Hour).Milliseconds()), present.ID)
	l.give(0, future)
	s.settle(time.Second)
	heads := func(when string, want chain.Place) {
		t.Helper()
		if got := s.round(0).chain.Heads(); len(got) != 1 || got[0] != want {
			t.Errorf("%s the heads are %v, not %v", when, got, want)
		}
	}
	heads("before", present)
	s.restart(s.nodes[0], 0)
	heads("after a start", present)
	s.crash(s.nodes[0])
	s.Leap(3 * time.Hour)
	s.start(s.nodes[0])
	heads("three hours later", future.Place())
	s.heal()
	s.agree()
}

// TestT29NamedInTheFuture: a name and a topic that were given while a clock was hours ahead count for nothing where there are
// others, and what is said with a right clock counts at once, with whom they counted, too. When their time comes they are like
// any, after a start too, though nobody said anything since; and the next to be said counts again.
func TestT29NamedInTheFuture(t *testing.T) {
	for _, test := range []struct{ restarted, said bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("restarted %v, said %v", test.restarted, test.said), func(t *testing.T) {
			s := together(t, 17, 3)
			nd := s.nodes[1]
			s.Part(nd.Node, s.nodes[2].Node) // one alone does not correct it
			say := func(n int, name, topic string) {
				t.Helper()
				s.on(n, func(r *round) {
					r.rename(name, func(State, error) {})
					r.retitle(topic, func(State, error) {})
				})
				s.settle(time.Minute)
			}
			say(0, "p0", "yesterday's")
			s.restart(nd, 3*time.Hour)
			s.settle(10 * time.Minute)
			say(1, "futurist", "tomorrow's")
			for _, n := range []int{0, 2} {
				if got := s.known(n); got != "p0, p1, p2: yesterday's" {
					t.Errorf("node %d knows %q", n, got)
				}
			}
			s.Clear()
			s.restart(nd, 0)
			s.settle(10 * time.Minute)
			if test.said {
				say(1, "robert", "today's")
				s.wantState("p0, robert, p2: today's")
			}
			for _, nd := range s.nodes {
				if test.restarted {
					s.crash(nd)
				}
			}
			s.settle(4 * time.Hour)
			s.Leap(4 * time.Hour)
			s.heal()
			for _, n := range []int{0, 2} { // who said it may go by what they said since
				if got := s.known(n); got != "p0, futurist, p2: tomorrow's" {
					t.Errorf("node %d knows %q", n, got)
				}
			}
			say(1, "bob", "the last")
			s.wantState("p0, bob, p2: the last")
			s.agree()
		})
	}
}

// TestT29MendedAlone: a member whose clock is ten years off, and whom too few could tell the time, writes and is heard: nobody is
// dragged along, all have the same, and nothing waits for anything, neither then nor once the clock is right.
func TestT29MendedAlone(t *testing.T) {
	for _, wrong := range []time.Duration{-10 * year, 10 * year} {
		t.Run(wrong.String(), func(t *testing.T) {
			s := together(t, 11, 3)
			s.wall(s.nodes[0], s.nodes[2])
			for _, skew := range []time.Duration{wrong, 0} {
				s.restart(s.nodes[2], skew)
				s.settle(10 * time.Minute)
				for i := range 9 {
					s.say(s.nodes[i%3], fmt.Sprintf("%d with %v", i, skew))
					s.settle(5 * time.Second)
				}
				if c := s.nodes[2].core.correction; c != 0 && skew > 0 {
					t.Fatal("one peer has corrected the clock by", c)
				}
				for n := range 2 { // those whose clocks are right are not dragged along
					if off := s.Now().Sub(time.UnixMilli(int64(s.newest(n).T))); off.Abs() > clockOff {
						t.Errorf("what node %d writes is %v off", n, off)
					}
				}
				s.agree()
			}
		})
	}
}

// TestHeadThatIsHeldAgain: what was a head while a clock was ahead and is held since that is right gives back what it cited, in
// the run in which the clock is set right and after a start; and with it what else was written ahead is held.
func TestHeadThatIsHeldAgain(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s, l, at, now := flooded(t)
		nd, ahead := s.nodes[0], uint64((3 * time.Hour).Milliseconds())
		s.say(s.nodes[1], "the last of the present")
		s.settle(time.Minute)
		present := s.newest(1)
		one := l.sign("from the future", at, now+ahead, present.ID)
		other := l.sign("and more", one.Place(), now+ahead+1)
		s.restart(nd, 3*time.Hour)
		s.settle(time.Minute)
		l.give(0, one, other)
		s.settle(time.Second)
		if heads := s.round(0).chain.Heads(); len(heads) != 1 || heads[0] != other.Place() {
			t.Fatalf("to a clock that is ahead the heads are %v", heads)
		}
		if restarted {
			s.restart(nd, 0)
		} else {
			nd.Skew = 0
			c := nd.core
			last := c.clock()
			c.now = s.Now()
			c.clockSet(last)
			s.step(nd, tick{})
		}
		for range 2 {
			if heads := s.round(0).chain.Heads(); len(heads) != 1 || heads[0] != present {
				t.Errorf("restarted %v: the heads are %v, not %v", restarted, heads, present)
			}
			if held := s.round(0).chain.Held(); len(held) != 2 {
				t.Errorf("restarted %v: %v are held", restarted, held)
			}
			s.settle(time.Minute)
			s.restart(nd, 0)
		}
	}
}

// TestClocksBeforeGenesis: who believes in a time before the round began, with others or alone, does not become device after
// device, each with a first block that is ahead again.
func TestClocksBeforeGenesis(t *testing.T) {
	s := together(t, 7, 3)
	s.crash(s.nodes[0])
	s.settle(20 * time.Minute)
	for _, nd := range s.nodes[1:] {
		s.say(nd, "before")
		s.restart(nd, -10*year)
	}
	for range 10 {
		for _, nd := range s.nodes[1:] {
			s.say(nd, "what year is it?")
		}
		s.settle(time.Minute)
	}
	for n, nd := range s.nodes[1:] {
		if got := s.devices(n+1, nd); got > 2 {
			t.Errorf("node %d has been %d devices", n+1, got)
		}
	}
}

// reading is a store that counts the blocks that are read.
type reading struct {
	Store
	read int
}

func (c *reading) Before(tag Tag, at store.Position, l store.Limit) ([]store.Block, error) {
	blocks, err := c.Store.Before(tag, at, l)
	c.read += len(blocks)
	return blocks, err
}

func (c *reading) Block(tag Tag, id store.ID) (store.Block, bool, error) {
	c.read++
	return c.Store.Block(tag, id)
}

// TestT16HeldReadsLittle: neither a block ahead that cites what is as old as the round nor a clock that goes back behind all that
// was said has a device read its history; and once the clock is right again the heads are what they were.
func TestT16HeldReadsLittle(t *testing.T) {
	s, l, at, now := flooded(t)
	nd, ancient := s.nodes[0], at.ID
	var line []*chain.Block
	for i := range 3 * maxUncovered {
		b := l.sign(fmt.Sprint(i, " and so on"), at, now)
		line, at, now = append(line, b), b.Place(), now+1
	}
	l.give(0, line...)
	s.settle(time.Minute)
	s.say(s.nodes[1], "the last of the present")
	s.settle(time.Minute)
	heads := s.round(0).chain.Heads()
	disk := &reading{Store: nd.core.store}
	nd.core.store = disk

	future := l.sign("from the future", at, now+uint64((2*time.Hour).Milliseconds()), ancient)
	l.give(0, future)
	s.settle(time.Second)
	disk.read = 0
	s.step(nd, call(func(*core) { // as at a start
		entries, err := disk.Heads(s.tag)
		if err == nil {
			_, held, sorted := s.round(0).sortHeads(entries)
			err = errors.Join(sorted, s.round(0).recall(held))
		}
		if err != nil {
			t.Error(err)
		}
	}))
	if got := s.round(0).chain.Heads(); disk.read > maxUncovered+10 || !slices.Equal(got, heads) {
		t.Errorf("a block ahead that cites an old one: %d blocks are read, the heads are %v, not %v", disk.read, got, heads)
	}
	for _, skew := range []time.Duration{-24 * time.Hour, 0} {
		last := nd.core.clock()
		nd.Skew, disk.read = skew, 0
		s.step(nd, call(func(c *core) { c.clockSet(last) }))
		if disk.read > 2*maxUncovered {
			t.Errorf("with a clock that is %v off %d blocks are read", skew, disk.read)
		}
	}
	if got := s.round(0).chain.Heads(); !slices.Equal(got, heads) {
		t.Errorf("once the clock is right again the heads are %v, not %v", got, heads)
	}
	s.settle(time.Minute)
	s.agree()
}
