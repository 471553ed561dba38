package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"opentalk/engine/store"
	"opentalk/engine/store/storetest"
)

// on runs f on the round of a node.
func (s *sim) on(n int, f func(*round)) {
	s.t.Helper()
	s.step(s.nodes[n], call(func(c *core) { f(c.rounds[s.tag]) }))
}

// three are three members who know each other.
func three(t *testing.T, seed uint64) *sim {
	s := newSim(t, seed, 3)
	s.found()
	for n := 1; n < 3; n++ {
		s.join(n, 0)
		s.settle(5 * time.Second)
	}
	return s
}

// announced fails the test unless what is announced comes as far as it should.
func (s *sim) announced(n int, want State, f func(*round, func(State, error))) {
	s.t.Helper()
	got := State("nothing")
	s.on(n, func(r *round) {
		f(r, func(state State, err error) {
			if err != nil {
				s.t.Error(err)
			}
			got = state
		})
	})
	s.settle(5 * time.Second)
	if got != want {
		s.t.Errorf("node %d: announced is %q, want %q", n, got, want)
	}
}

// known is what a node knows of names, topic and who is there, in one line.
func (s *sim) known(n int) string {
	r := s.nodes[n].core.rounds[s.tag]
	var names []string
	for i := range s.nodes {
		f := s.nodes[i].keys.Credential.Fingerprint()
		name := r.people.name(f, func(Fingerprint) bool { return false })
		if p := r.people[f]; p != nil && p.left() {
			name += " (left)"
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%s: %s", strings.Join(names, ", "), r.topic.Text)
}

func (s *sim) wantState(want string) {
	s.t.Helper()
	for i, nd := range s.nodes {
		if nd.core != nil && nd.core.rounds[s.tag] != nil {
			if got := s.known(i); got != want {
				s.t.Errorf("node %d knows %q, want %q", i, got, want)
			}
		}
	}
}

// TestNamesAndTopic: names and topics are the same for everyone, after a restart, too.
func TestNamesAndTopic(t *testing.T) {
	s := three(t, 21)
	s.announced(1, Sent, func(r *round, done func(State, error)) { r.rename("robert", done) })
	s.announced(2, Sent, func(r *round, done func(State, error)) { r.retitle("what we do", done) })
	s.wantState("p0, robert, p2: what we do")
	s.announced(2, Sent, func(r *round, done func(State, error)) { r.retitle("", done) })
	s.announced(0, Sent, func(r *round, done func(State, error)) { r.retitle("another", done) })
	for _, nd := range s.nodes {
		s.crash(nd)
	}
	s.start(s.nodes[0])
	s.wantState("p0, robert, p2: another")
	s.heal()
	s.wantState("p0, robert, p2: another")
	s.agree()
}

// TestNamesWait: what is announced while nobody is there waits in the order in which it was written, and survives a crash.
func TestNamesWait(t *testing.T) {
	s := three(t, 22)
	s.crash(s.nodes[0])
	s.crash(s.nodes[1])
	s.settle(time.Minute)
	s.say(s.nodes[2], "before")
	s.announced(2, Waiting, func(r *round, done func(State, error)) { r.rename("pat", done) })
	s.say(s.nodes[2], "between")
	s.announced(2, Waiting, func(r *round, done func(State, error)) { r.retitle("later", done) })
	s.say(s.nodes[2], "after")
	s.settle(time.Second)
	s.crash(s.nodes[2])
	s.start(s.nodes[2])
	if n := s.nodes[2].core.rounds[s.tag].waiting(); n != 5 {
		t.Errorf("%d wait, want 5", n)
	}
	s.wantState("p0, p1, p2: ")
	s.heal()
	s.wantState("p0, p1, pat: later")
	s.agree()
	r := s.nodes[0].core.rounds[s.tag]
	blocks, err := s.nodes[0].store.Line(s.tag, s.nodes[2].keys.Device.Device(), 1, 100, store.Limit{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, b := range blocks {
		kinds = append(kinds, Kind(b.Kind).String())
	}
	if got := strings.Join(kinds, " "); got != "message profile message topic message" || r == nil {
		t.Errorf("the blocks are %s", got)
	}
}

// leave makes a node leave as Engine.Leave does.
func (s *sim) leave(n int) (told bool) {
	s.on(n, func(r *round) { r.sayGoodbye(func(ok bool) { told = ok }) })
	s.settle(leaveTime)
	left := false
	s.on(n, func(r *round) {
		r.depart(func(err error) {
			if left = err == nil; !left {
				s.t.Error(err)
			}
		})
	})
	s.settle(time.Second)
	if !left || s.nodes[n].core.rounds[s.tag] != nil || len(s.nodes[n].keys.Rounds) != 0 {
		s.t.Errorf("node %d has not forgotten the round", n)
	}
	return told
}

// TestLeave: who leaves is told of, is not counted, and may come back by an invite without writing a second history, even
// the one who began the round.
func TestLeave(t *testing.T) {
	for _, leaver := range []int{0, 1} {
		t.Run(fmt.Sprint(leaver), func(t *testing.T) {
			s := three(t, 23)
			stays := 1 - leaver
			inv := Invite{Addresses: []string{s.nodes[2].Address}, id: s.nodes[0].core.rounds[s.tag].id}
			s.say(s.nodes[leaver], "goodbye")
			s.settle(time.Second)
			if !s.leave(leaver) {
				t.Error("nobody was told")
			}
			names := []string{"p0", "p1", "p2"}
			names[leaver] += " (left)"
			s.wantState(strings.Join(names, ", ") + ": ")
			if got := s.nodes[2].core.rounds[s.tag].people.members(); got != 2 {
				t.Errorf("%d members are left, want 2", got)
			}
			s.crash(s.nodes[stays])
			s.crash(s.nodes[leaver])
			s.start(s.nodes[stays])
			s.start(s.nodes[leaver])
			s.wantState(strings.Join(names, ", ") + ": ")
			s.say(s.nodes[stays], "they are gone")
			s.settle(time.Minute)

			s.step(s.nodes[leaver], call(func(c *core) {
				c.joinRound(inv, func(_ Round, err error) {
					if err != nil {
						t.Errorf("coming back: %v", err)
					}
				})
			}))
			s.settle(time.Minute)
			s.say(s.nodes[leaver], "back again")
			s.heal()
			s.agree()
			s.wantState("p0, p1, p2: ")
		})
	}
}

// TestLeaveSurvivesACrash: a crash between the store's mark and the secrets ends in a round that is left.
func TestLeaveSurvivesACrash(t *testing.T) {
	s := three(t, 24)
	rounds := append(s.nodes[1].keys.Rounds[:0:0], s.nodes[1].keys.Rounds...)
	s.leave(1)
	s.nodes[1].keys.Rounds = rounds // as they were when the crash came
	s.crash(s.nodes[1])
	s.start(s.nodes[1])
	if len(s.nodes[1].keys.Rounds) != 0 || len(s.nodes[1].core.rounds) != 0 {
		t.Error("the round is back")
	}
}

// TestBackWithoutAMark: who has left, and whose store was lost since, comes back as another device: of the first block that it
// signed as this one nothing is left.
func TestBackWithoutAMark(t *testing.T) {
	for _, gone := range []bool{false, true} { // who knows the device from before, as soon as they have told genesis
		s := three(t, 23)
		inv := Invite{Addresses: []string{s.nodes[0].Address, s.nodes[2].Address}, id: s.nodes[0].core.rounds[s.tag].id}
		nd := s.nodes[1]
		old := nd.device()
		s.say(nd, "goodbye")
		s.settle(time.Second)
		s.leave(1)
		s.crash(nd)
		nd.store = storetest.New()
		s.start(nd)
		joined := errors.New("nothing came of it")
		s.Weather.Flush, s.Weather.Drop = time.Second, true
		s.Part(nd.Node, s.nodes[2].Node) // the dial takes its time
		s.step(nd, call(func(c *core) { c.joinRound(inv, func(_ Round, err error) { joined = err }) }))
		for s.round(1).chain == nil && s.Step(s.Now().Add(time.Minute)) {
		}
		if gone {
			s.Part(nd.Node, s.nodes[0].Node)
		}
		s.settle(time.Second)
		s.Clear()
		s.settle(time.Minute)
		if joined != nil || nd.device() == old || s.noticed(1, "know this device from a time") != 1 {
			t.Errorf("gone %v: coming back: %v, the same device: %v, %q", gone, joined, nd.device() == old, nd.notices)
		}
		s.say(nd, "back again")
		s.heal()
		s.agree()
		s.wantState("p0, p1, p2: ")
	}
}

// TestHeldByThoseWhoStay: who has left is counted neither among the members nor among those who hold a message.
func TestHeldByThoseWhoStay(t *testing.T) {
	s := three(t, 25)
	s.crash(s.nodes[2])
	s.settle(2 * time.Minute)
	s.say(s.nodes[0], "held by 1 of 2")
	s.settle(5 * time.Second)
	r := s.nodes[0].core.rounds[s.tag]
	if len(r.unheld) != 1 || r.unheld[0].held != 1 {
		t.Fatalf("unheld is %+v", r.unheld)
	}
	s.leave(1)
	if len(r.unheld) != 1 || r.unheld[0].held != 0 || len(r.pending()) != 1 {
		t.Errorf("after the leave unheld is %+v", r.unheld)
	}
	s.start(s.nodes[2])
	s.settle(10 * time.Minute)
	if len(r.unheld) != 0 {
		t.Errorf("in the end unheld is %+v", r.unheld)
	}
}

// TestSameNames: of two members with one name neither has it bare, unless the person here has verified one of them.
func TestSameNames(t *testing.T) {
	s := three(t, 26)
	for n := 1; n < 3; n++ {
		s.announced(n, Sent, func(r *round, done func(State, error)) { r.rename("sam", done) })
	}
	one, two := s.nodes[1].keys.Credential.Fingerprint(), s.nodes[2].keys.Credential.Fingerprint()
	name := func(f Fingerprint) string {
		return s.nodes[0].core.rounds[s.tag].person(f, Device{}).Name
	}
	check := func(wantOne, wantTwo string) {
		t.Helper()
		if name(one) != wantOne || name(two) != wantTwo {
			t.Errorf("they are called %s and %s, want %s and %s", name(one), name(two), wantOne, wantTwo)
		}
	}
	verify := func(f Fingerprint, yes bool) {
		s.step(s.nodes[0], call(func(c *core) { c.mark(verified, f, yes, func(error) {}) }))
		s.settle(time.Second)
	}
	long, other := "sam~"+one.String()[:4], "sam~"+two.String()[:4]
	check(long, other)
	verify(one, true)
	check("sam", other)
	s.crash(s.nodes[0])
	s.start(s.nodes[0])
	check("sam", other)
	verify(two, true)
	check(long, other)
	verify(one, false)
	check(long, "sam")
	s.nodes[0].core.handle = "sam"
	if s.announced(0, Sent, func(r *round, done func(State, error)) { r.rename("sam", done) }); name(s.nodes[0].keys.Credential.Fingerprint()) == "sam" {
		t.Error("oneself and somebody verified have one name, and no digits")
	}
}
