package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store/storetest"
)

// TestRelay: members that cannot reach each other have everything through a third, what came while one of them was away
// too.
func TestRelay(t *testing.T) {
	s := newSim(t, 7, 3)
	s.wall(s.nodes[0], s.nodes[2])
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(time.Second)
	for _, nd := range s.nodes {
		s.say(nd, fmt.Sprintf("%d is here", nd.N))
	}
	s.settle(5 * time.Second)
	s.agree()
	s.crash(s.nodes[1])
	s.say(s.nodes[0], "written alone")
	s.say(s.nodes[2], "written alone, too")
	s.settle(time.Minute)
	s.start(s.nodes[1])
	s.settle(10 * time.Minute)
	s.agree()
}

// TestSilentMember: who has joined is known to everybody before they have said a word, also where they are not linked.
func TestSilentMember(t *testing.T) {
	s := newSim(t, 23, 3)
	s.wall(s.nodes[0], s.nodes[2])
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(5 * time.Second)
	for _, nd := range s.nodes {
		if n := nd.core.rounds[s.tag].people.members(); n != 3 {
			t.Errorf("node %d knows %d members", nd.N, n)
		}
	}
}

// TestHeldByDescent: that a member holds a message is known from what they write after it, also without a link to them.
func TestHeldByDescent(t *testing.T) {
	s := newSim(t, 29, 3)
	s.wall(s.nodes[0], s.nodes[2])
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(5 * time.Second)
	s.say(s.nodes[0], "does anybody hear me?")
	s.settle(5 * time.Second)
	r := s.nodes[0].core.rounds[s.tag]
	if len(r.unheld) != 1 || r.unheld[0].held != 1 {
		t.Errorf("before an answer: %+v", r.unheld)
	}
	s.say(s.nodes[2], "yes")
	s.settle(5 * time.Second)
	if len(r.unheld) != 0 {
		t.Errorf("after an answer: %+v", r.unheld)
	}
}

// TestHeldByWhoIsNew: who joined elsewhere, and has everything, counts as holding it as soon as there is a link: their frontier
// comes before their first block.
func TestHeldByWhoIsNew(t *testing.T) {
	s := newSim(t, 29, 4)
	s.found()
	for _, n := range []int{1, 3} {
		s.join(n, 0)
		s.settle(time.Second)
	}
	s.crash(s.nodes[3])
	s.say(s.nodes[0], "does anybody hear me?")
	s.settle(time.Second)
	s.Part(s.nodes[0].Node, s.nodes[1].Node)
	s.wall(s.nodes[0], s.nodes[2])
	s.join(2, 1)
	s.settle(time.Minute)
	s.Clear()
	s.wall(s.nodes[0], s.nodes[1])
	s.restart(s.nodes[2], 0)
	s.settle(10 * time.Minute)
	if r := s.round(0); len(r.unheld) != 1 || r.unheld[0].held != 2 {
		t.Errorf("held by the first and the new one, to its author it is %+v", r.unheld)
	}
}

// TestT13RestoredBackup: a device that comes back with an old copy of its store, or with none, takes its own later blocks
// from whoever is reachable before it writes, and so does not fork itself.
func TestT13RestoredBackup(t *testing.T) {
	for name, backup := range map[string]func(*storetest.Memory) *storetest.Memory{
		"old copy": (*storetest.Memory).Copy,
		"nothing":  func(*storetest.Memory) *storetest.Memory { return storetest.New() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, 11, 2)
			s.found()
			s.join(1, 0)
			s.settle(time.Second)
			s.say(s.nodes[1], "before the backup")
			s.settle(time.Second)
			old := backup(s.nodes[1].store)
			for i := range 5 {
				s.say(s.nodes[1], fmt.Sprintf("after the backup, %d", i))
				s.settle(time.Second)
			}
			s.crash(s.nodes[1])
			s.nodes[1].store = old
			if name == "nothing" { // nor an address book: the other comes and finds it
				s.crash(s.nodes[0])
				s.start(s.nodes[0])
			}
			s.start(s.nodes[1])
			s.say(s.nodes[1], "at once after the restore")
			s.settle(time.Hour)
			s.agree()
		})
	}
}

// TestT13KilledBetweenSteps: a device that has something in its outbox is killed after each single thing that happens from the
// moment on when others come, and starts again: it never forks, and what it has said is there once.
func TestT13KilledBetweenSteps(t *testing.T) {
	steps := 0
	for over := false; !over && !t.Failed(); steps++ {
		s := together(t, 11, 3)
		s.crash(s.nodes[0])
		s.crash(s.nodes[2])
		s.settle(time.Minute)
		s.say(s.nodes[1], "while nobody was there")
		s.settle(time.Minute)
		for _, n := range []int{0, 2, 1} { // it comes last, so that it dials them at once
			s.restart(s.nodes[n], 0)
		}
		s.say(s.nodes[2], "I am back")
		for range steps {
			if over = !s.Happen(); over {
				break
			}
		}
		s.restart(s.nodes[1], 0)
		s.say(s.nodes[1], "after it was killed")
		s.heal()
		s.agree()
	}
	if t.Logf("killed after each of %d steps", steps); steps < 50 {
		t.Error("that is not all")
	}
}

// TestT14Clocks: members whose clocks are years apart agree all the same.
func TestT14Clocks(t *testing.T) {
	s := newSim(t, 13, 3)
	s.nodes[1].Skew, s.nodes[2].Skew = 10*365*24*time.Hour, -10*365*24*time.Hour
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 0)
	s.settle(time.Second)
	for i := range 9 {
		s.say(s.nodes[i%3], fmt.Sprint("message ", i))
		s.settle(time.Second)
	}
	s.agree()
}

// TestMovedMember: who comes back at another address is found there again, also when its clock has gone back meanwhile.
func TestMovedMember(t *testing.T) {
	s := newSim(t, 19, 2)
	s.found()
	s.join(1, 0)
	s.settle(time.Minute)
	s.crash(s.nodes[1])
	s.nodes[1].Address, s.nodes[1].Skew = address(1001), -time.Hour
	s.start(s.nodes[1])
	s.settle(time.Minute)
	s.crash(s.nodes[0])
	s.crash(s.nodes[1])
	s.nodes[0].Address, s.nodes[1].Inbound = address(1000), true // so node 0 must find node 1
	s.start(s.nodes[1])
	s.start(s.nodes[0])
	s.say(s.nodes[1], "here I am")
	s.settle(10 * time.Minute)
	s.agree()
}

// TestWalledAtFirst: two members of whom neither has ever reached the other, since there was a wall when they heard of each other,
// have a link within minutes of its fall; or at once when one of them starts anew.
func TestWalledAtFirst(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		s := newSim(t, 7, 3)
		s.wall(s.nodes[1], s.nodes[2])
		s.found()
		for _, n := range []int{1, 2} {
			s.join(n, 0)
			s.settle(time.Second)
		}
		s.settle(10 * time.Minute)
		s.Clear()
		wait := 30 * time.Minute
		if restarted {
			s.nodes[2].Inbound = true // so node 1 must find it
			s.restart(s.nodes[2], 0)
			wait = 10 * time.Second
		}
		s.settle(wait)
		if s.round(1).peerOf(s.nodes[2].device()) == nil {
			t.Errorf("restarted %v: there is no link %v after the wall has fallen", restarted, wait)
		}
	}
}

// TestKilledWhileJoining: wherever a crash falls while a member joins, they are in the round when they start again and find
// their way back to it, or are not in it and can join anew.
func TestKilledWhileJoining(t *testing.T) {
	steps := 0
	for over := false; !over && !t.Failed(); steps++ {
		s := newSim(t, 3, 2)
		s.found()
		nd := s.nodes[1]
		inv := Invite{Addresses: []string{s.nodes[0].Address}, id: s.id}
		join := func() {
			s.step(nd, call(func(c *core) { c.joinRound(inv, func(Round, error) {}) }))
		}
		join()
		for range steps {
			if over = !s.Happen(); over {
				break
			}
		}
		s.restart(s.nodes[0], 0) // whom the other knows, and who may not know the other
		s.restart(nd, 0)
		s.settle(time.Minute)
		if nd.core.rounds[s.tag] == nil {
			join()
			s.settle(time.Minute)
		}
		s.say(nd, "here I am")
		s.settle(time.Minute)
		s.agree()
	}
	if t.Logf("killed after each of %d steps", steps); steps < 10 {
		t.Error("that is not all")
	}
}

// claims has a liar say, over a link of its own, that it has more of a node's own line than there is, whose newest block is
// called id. It answers nothing but what it is asked for by id, with the blocks that it gives; l.want is what else it was asked.
func (l *liar) claims(nd *node, id chain.ID, gives ...*chain.Block) (end func()) {
	s := l.s
	end = l.hold(nd.N)
	this := s.links
	s.watch = func(_ *node, ef effect) {
		send, ok := ef.(sendTo)
		if !ok || send.link != this {
			return
		}
		for _, m := range send.msgs {
			switch m := m.(type) {
			case link.Want:
				l.want = received{link: this, msg: link.Blocks{Request: m.Request, Last: true}}
			case link.Fetch:
				if slices.Contains(m.IDs, [32]byte(id)) {
					l.asked++
					l.answers = append(l.answers, received{link: this, msg: link.Blocks{Request: m.Request, Last: true}, blocks: gives})
				}
			}
		}
	}
	s.step(nd, received{link: this, msg: link.Frontier{Entries: []link.Entry{
		{Device: nd.device(), Seq: s.newest(nd.N).Seq + 5, ID: id},
	}, Last: true}})
	for _, a := range l.answers {
		s.step(nd, a)
	}
	l.answers = nil
	return end
}

// TestFalseFrontier: who says that they have more of a member's own line than there is, and does not show it, keeps that member
// from writing for a few seconds in all, however often they come, and whoever they are.
func TestFalseFrontier(t *testing.T) {
	s, l, _, _ := flooded(t)
	nd := s.nodes[0]
	s.settle(time.Minute)
	end := l.claims(nd, chain.ID{1})
	s.step(nd, l.want) // it has nothing, after all
	s.say(nd, "may I?")
	if s.settle(time.Second); len(s.round(0).drafts) > 0 {
		t.Error("who has given nothing when they were asked for it is waited for")
	}
	end()
	waits := func() time.Duration {
		defer l.claims(nd, chain.ID{1})()
		s.say(nd, fmt.Sprint("may I? ", l.asked))
		begin := s.Now()
		for len(s.round(0).drafts) > 0 && s.Step(begin.Add(time.Minute)) {
		}
		return s.Now().Sub(begin)
	}
	took := time.Duration(0)
	for range 20 {
		took += waits()
		s.settle(time.Second)
	}
	if took < patienceMost/2 || took > patienceMost*3/2 || l.asked != 21 {
		t.Errorf("a member is kept from writing for %v, and asks %d times", took, l.asked)
	}
	s.settle(patienceMost * patienceBack)
	if took := waits(); took < patienceMost/2 {
		t.Errorf("after a while it is waited for %v", took)
	}
	s.settle(time.Minute)
	s.agree()
}

// TestTrueFrontier: who shows that they have more of a member's own line is waited for, for as long as they are there.
func TestTrueFrontier(t *testing.T) {
	s, l, at, now := flooded(t)
	nd := s.nodes[0]
	s.settle(time.Minute)
	own := &liar{s: s, keys: nd.keys}
	missing := l.sign("nobody has this", at, now)
	newest := s.newest(0)
	newest.Seq += 4 // what is between is missing, too
	newest.ID = missing.ID()
	end := l.claims(nd, chain.ID{1}, own.sign("long ago", newest, now+1))
	defer end()
	s.say(nd, "may I?")
	if s.settle(ackTime - time.Second); len(s.round(0).drafts) != 1 {
		t.Error("a line that is longer is gone on with")
	}
}
