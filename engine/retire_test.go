package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"opentalk/engine/store/storetest"
)

// image is a copy of a home, as a backup is.
type image struct {
	secrets []byte
	store   *storetest.Memory
}

func (s *sim) copyOf(nd *node) image {
	raw, err := os.ReadFile(filepath.Join(nd.dir, "secrets"))
	if err != nil {
		s.t.Fatal(err)
	}
	return image{secrets: raw, store: nd.store.Copy()}
}

// put makes a node, which is down, a home that was copied.
func (s *sim) put(nd *node, im image) {
	s.putSecrets(nd, im.secrets)
	nd.store = im.store.Copy()
	s.copied[nd.device()] = true
	drafts, err := nd.store.Drafts(s.tag)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range drafts {
		s.twice[d.ID] = true
	}
}

// part keeps two groups of nodes from reaching each other from now on.
func (s *sim) part(some, others []int) {
	for _, a := range some {
		for _, b := range others {
			s.Part(s.nodes[a].Node, s.nodes[b].Node)
		}
	}
}

// devices is how many devices node n knows of the person that nd is.
func (s *sim) devices(n int, nd *node) int {
	return len(s.round(n).people[nd.keys.Credential.Fingerprint()].devices)
}

// allHeld checks that nothing of what a node has said is still to be held by somebody, and that it says nothing too much.
func (s *sim) allHeld(nd *node) {
	s.t.Helper()
	r := nd.core.rounds[s.tag]
	if len(r.unheld) > 0 || len(r.holds) != 1 {
		s.t.Errorf("node %d does not know who holds %v, and follows %d lines", nd.N, r.unheld, len(r.holds))
	}
}

// backup is a round in which node 1 was restored from a backup while only node 2 was there, which had not heard the last
// that node 1 had said: so it signed two histories, of which node 0 has the one and node 2 the other.
func backup(t *testing.T, seed uint64) *sim {
	s := together(t, seed, 3)
	old := s.copyOf(s.nodes[1])
	s.part([]int{2}, []int{0, 1})
	s.settle(time.Minute)
	for i := range 3 {
		s.say(s.nodes[1], fmt.Sprint("before the disk broke, ", i))
		s.settle(time.Second)
	}
	s.crash(s.nodes[1])
	s.put(s.nodes[1], old)
	s.Clear()
	s.part([]int{0}, []int{1, 2})
	s.start(s.nodes[1])
	s.settle(10 * time.Minute)
	for i := range 4 {
		s.say(s.nodes[1], fmt.Sprint("after the restore, ", i))
		s.settle(time.Second)
	}
	return s
}

// TestT13ForkedDeviceRetires: a home that was restored from a backup, and has signed two histories since, finds out when it
// meets who has the other. It says why, goes on as a new device, and whatever it ever said reaches everybody, once.
func TestT13ForkedDeviceRetires(t *testing.T) {
	s := backup(t, 3)
	nd, old := s.nodes[1], s.nodes[1].device()
	s.Clear()
	s.settle(10 * time.Minute)
	if nd.device() == old || s.noticed(1, "goes on as a new device") != 1 {
		t.Fatalf("it has not retired: %q", nd.notices)
	}
	s.agree()
	for n := range s.nodes {
		if line := s.round(n).chain.Line(old); line.Fork == nil {
			t.Errorf("node %d does not flag the old device", n)
		}
		if line := s.round(n).chain.Line(nd.device()); line == nil || line.Fork != nil {
			t.Errorf("to node %d the new device is %v", n, line)
		}
		if got := s.devices(n, nd); got != 2 || s.round(n).people.members() != 3 {
			t.Errorf("node %d counts %d devices, %d members", n, got, s.round(n).people.members())
		}
	}
	s.allHeld(nd)
	s.say(nd, "here I am again")
	s.say(s.nodes[0], "welcome back")
	s.settle(5 * time.Second)
	s.agree()
	s.allHeld(nd)
	if heads := s.round(2).chain.Heads(); len(heads) > 2 {
		t.Errorf("nobody builds on what the old device said: %v", heads)
	}
	s.restart(nd, 0)
	s.settle(time.Minute)
	if s.devices(0, nd) != 2 {
		t.Error("after a start it retires again")
	}
	s.agree()
}

// TestT13KilledWhileRetiring: wherever a crash falls from the moment a device learns of its fork, nothing is lost or doubled,
// and it is a new device in the end.
func TestT13KilledWhileRetiring(t *testing.T) {
	for after := 0; after < 60; after += 4 {
		s := backup(t, 3)
		nd, old := s.nodes[1], s.nodes[1].device()
		s.Clear()
		s.crash(s.nodes[2])
		for s.round(1).chain.Line(old).Fork == nil {
			if !s.Happen() && !s.Tick(s.Now().Add(time.Hour)) {
				t.Fatal("it never learns of its fork")
			}
		}
		s.say(nd, "what is this?")
		for range after {
			s.Happen()
		}
		s.crash(nd)
		s.heal()
		if nd.device() == old {
			t.Errorf("crash after %d steps: it has not retired", after)
		}
		s.agree()
		s.allHeld(nd)
		if t.Failed() {
			t.Fatalf("crash after %d steps", after)
		}
	}
}

// TestT13TwoCopies: a home that runs twice becomes two devices of one person.
func TestT13TwoCopies(t *testing.T) {
	for seed := range uint64(10) {
		s := together(t, seed, 3)
		s.add()
		s.put(s.nodes[3], s.copyOf(s.nodes[1]))
		s.part([]int{0, 1}, []int{2, 3})
		s.start(s.nodes[3])
		s.settle(10 * time.Minute)
		for i := range 3 {
			s.say(s.nodes[1], fmt.Sprint("the one, ", i))
			s.say(s.nodes[3], fmt.Sprint("the other, ", i))
			s.settle(time.Second)
		}
		s.heal()
		s.agree()
		for _, n := range []int{1, 3} {
			s.say(s.nodes[n], fmt.Sprint("and now, ", n))
		}
		s.settle(time.Minute)
		s.agree()
		for n := range s.nodes {
			if got := s.devices(n, s.nodes[1]); got != 3 {
				t.Errorf("node %d counts %d devices", n, got)
			}
		}
		for _, n := range []int{1, 3} {
			s.allHeld(s.nodes[n])
		}
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

// TestT13RestoredAlone: a restored home that reaches nobody signs nothing: what is said waits, and goes out on its own line
// once somebody has told it how far that had come.
func TestT13RestoredAlone(t *testing.T) {
	s := together(t, 5, 2)
	old := s.copyOf(s.nodes[1])
	s.say(s.nodes[1], "after the backup")
	s.settle(time.Second)
	s.crash(s.nodes[1])
	s.crash(s.nodes[0])
	s.put(s.nodes[1], old)
	s.start(s.nodes[1])
	device, before := s.nodes[1].device(), s.newest(1)
	s.say(s.nodes[1], "is anybody there?")
	s.settle(time.Hour)
	if s.newest(1) != before || len(s.round(1).drafts) != 1 {
		t.Errorf("alone it signs %v, and %d messages wait", s.newest(1), len(s.round(1).drafts))
	}
	s.heal()
	clear(s.copied) // it must not have forked
	s.agree()
	if s.nodes[1].device() != device {
		t.Error("it has retired for nothing")
	}
}

// TestT13RestoredOutbox: what waited in a backup and was sent since is not sent again, if somebody is there who knows.
func TestT13RestoredOutbox(t *testing.T) {
	s := together(t, 5, 2)
	s.crash(s.nodes[0])
	s.say(s.nodes[1], "can you hear me?")
	s.settle(time.Second)
	old := s.copyOf(s.nodes[1])
	s.heal()
	s.crash(s.nodes[1])
	s.put(s.nodes[1], old)
	s.heal()
	clear(s.twice)
	s.agree()
}

// TestT29OwnLineAhead: a device that wrote while its clock was years ahead is held by the others. Once the clock is right it
// talks again at once, as a new device.
func TestT29OwnLineAhead(t *testing.T) {
	for _, members := range []int{2, 4} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			s := together(t, 7, members)
			nd := s.nodes[1]
			for _, other := range s.nodes[2:] { // one alone does not correct it
				s.Part(nd.Node, other.Node)
			}
			s.restart(nd, 10*year)
			s.settle(10 * time.Minute)
			for i := range 3 {
				s.say(nd, fmt.Sprint("the future, ", i))
				s.settle(time.Second)
			}
			old := nd.device()
			if at := s.newest(1); len(s.round(0).chain.Held()) != 3 {
				t.Fatalf("its blocks are not held: %v", at)
			}
			s.Clear()
			s.restart(nd, 0)
			s.settle(10 * time.Minute)
			if nd.device() != old {
				t.Error("it retires with nothing to say")
			}
			s.say(nd, "what year is it?")
			s.settle(5 * time.Second)
			if nd.device() == old || s.noticed(1, "when its clock was wrong") != 1 {
				t.Fatalf("it does not retire: %q", nd.notices)
			}
			s.say(s.nodes[0], "this one")
			s.settle(5 * time.Second)
			s.agree()
			s.allHeld(nd)
			for n := range s.nodes {
				if heads := s.round(n).chain.Heads(); len(heads) != 1 || heads[0] != s.newest(0) {
					t.Errorf("to node %d the heads are %v", n, heads)
				}
				if s.devices(n, nd) != 2 {
					t.Errorf("node %d counts %d devices", n, s.devices(n, nd))
				}
			}
		})
	}
}

// TestRetiredLeaves: who leaves after retiring leaves with the device that they were before, whatever comes of that one's blocks
// later; and with either home that was copied, while the other that writes on brings them back.
func TestRetiredLeaves(t *testing.T) {
	s := backup(t, 3)
	s.Clear()
	s.settle(10 * time.Minute)
	inv := Invite{Addresses: []string{s.nodes[2].Address}, id: s.round(0).id}
	if !s.leave(1) {
		t.Error("nobody was told")
	}
	s.wantState("p0, p1 (left), p2: ")
	for _, nd := range s.nodes {
		s.restart(nd, 0)
	}
	s.settle(time.Minute)
	s.wantState("p0, p1 (left), p2: ")
	s.say(s.nodes[0], "they are gone")
	s.settle(time.Minute)
	if s.allHeld(s.nodes[0]); s.round(0).people.members() != 2 {
		t.Error("they are counted")
	}
	s.step(s.nodes[1], call(func(c *core) { c.joinRound(inv, func(Round, error) {}) }))
	s.settle(time.Minute)
	s.wantState("p0, p1, p2: ")
	s.agree()
}

// TestCopyLeaves: of a home that runs twice one leaves. The other brings the person back by its next word, but not by what it
// had said.
func TestCopyLeaves(t *testing.T) {
	s := together(t, 4, 3)
	s.add()
	s.put(s.nodes[3], s.copyOf(s.nodes[1]))
	s.part([]int{0, 1}, []int{2, 3})
	s.start(s.nodes[3])
	s.settle(10 * time.Minute)
	s.say(s.nodes[1], "the one")
	s.say(s.nodes[3], "the other")
	s.heal()
	s.leave(1)
	for _, n := range []int{0, 2} {
		if got := s.round(n).people.members(); got != 2 {
			t.Errorf("node %d counts %d members", n, got)
		}
	}
	s.say(s.nodes[3], "not I")
	s.settle(time.Minute)
	for _, n := range []int{0, 2} {
		if got := s.round(n).people.members(); got != 3 {
			t.Errorf("node %d counts %d members when the other copy speaks", n, got)
		}
	}
}

// TestClockBehindIsNoReason: whose clock is behind the others' goes on with its line, which is ahead to itself alone.
func TestClockBehindIsNoReason(t *testing.T) {
	s := together(t, 7, 2)
	nd := s.nodes[1]
	device := nd.device()
	s.say(nd, "one")
	s.settle(time.Second)
	s.restart(nd, -5*time.Hour)
	s.settle(10 * time.Minute)
	s.say(nd, "two")
	s.settle(time.Minute)
	if nd.device() != device {
		t.Errorf("it retires: %q", nd.notices)
	}
	s.agree()
}

// TestRetiresLessAndLess: where members cannot agree what year it is, a device has a reason to retire every other time it speaks.
// It does so a few times, each time after a longer wait, and what was said meanwhile arrives once the clocks are right.
func TestRetiresLessAndLess(t *testing.T) {
	s := together(t, 7, 3)
	nd, device := s.nodes[0], s.nodes[0].device()
	var retired []time.Time
	begin := s.Now()
	for i := range 60 {
		for _, other := range s.nodes[1:] {
			s.restart(other, time.Duration(i%2)*10*year)
		}
		s.settle(20 * time.Second)
		s.say(nd, fmt.Sprint("what year is it? ", i))
		s.settle(10 * time.Second)
		if now := nd.device(); now != device {
			device, retired = now, append(retired, s.Now())
		}
	}
	most := 0 // that fit into so long, each wait twice as long as the one before
	for at, wait := time.Duration(0), retireAgain; at < s.Now().Sub(begin); at, wait = at+wait, 2*wait {
		most++
	}
	if len(retired) < 2 || len(retired) > most {
		t.Errorf("it retires %d times in %v, at most %d are right", len(retired), s.Now().Sub(begin), most)
	}
	for _, other := range s.nodes[1:] {
		s.restart(other, 0)
	}
	s.settle(3 * time.Hour)
	s.agree()
}
