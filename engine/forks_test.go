package engine

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// liar is a member that signs whatever it likes: it has what a node has, and no scruples.
type liar struct {
	s    *sim
	keys *identity.Keyring

	most, mostBytes int // of its blocks that were set aside at once

	asked   int        // how often it was asked for what it claims to have
	answers []received // to that
	want    received   // an answer to the last WANT that gives nothing
}

// sign writes the block after prev, citing parents too.
func (l *liar) sign(text string, prev chain.Place, t uint64, parents ...chain.ID) *chain.Block {
	r, key := l.s.round(0), l.keys.Device
	h := chain.Header{
		Tag: l.s.tag, Kind: chain.KindMessage, Author: key.Device(), Seq: prev.Seq + 1, Prev: prev.ID, Parents: parents, T: t, Wall: t,
	}
	m := chain.Message{Text: text, Written: t}
	copy(m.ID[:], text)
	plain, _, err := chain.EncodeMessages([]chain.Message{m}, chain.MaxBody-seal.Overhead)
	if err != nil {
		l.s.t.Fatal(err)
	}
	b, err := chain.Sign(key, h, seal.Body(r.content, sealPlace(h), plain))
	if err != nil {
		l.s.t.Fatal(err)
	}
	return b
}

// give makes a node take a block as if the liar had pushed it over a link, which lasts only for this.
func (l *liar) give(n int, blocks ...*chain.Block) { l.hold(n, blocks...)() }

// hold is give over a link that lasts until what it returns is called.
func (l *liar) hold(n int, blocks ...*chain.Block) (end func()) {
	return l.flood(n, slices.Values(blocks))
}

// flood is hold for more blocks than should be in memory.
func (l *liar) flood(n int, blocks iter.Seq[*chain.Block]) (end func()) {
	nd := l.s.nodes[n]
	l.s.links++
	id := l.s.links
	l.s.step(nd, linkUp{link: id, tag: l.s.tag, self: nd.device(), cred: l.keys.Credential, address: "127.0.0.1:1"})
	l.s.step(nd, received{link: id, msg: link.Ready{HavePubKey: true, HaveGenesis: true, Clock: nd.core.plain()}})
	for b := range blocks {
		l.s.step(nd, received{link: id, msg: link.Blocks{Blocks: [][]byte{b.Bytes()}, Last: true}, blocks: []*chain.Block{b}})
		o := l.s.round(n).orphans
		l.most = max(l.most, len(o.waiting))
		if held := o.held[id]; held != nil {
			l.mostBytes = max(l.mostBytes, held.size)
		}
	}
	if nd.core.peers[id] == nil {
		l.s.t.Errorf("node %d drops the liar", n)
	}
	return func() { l.s.step(nd, linkDown{link: id}) }
}

// ids is what a node has admitted, the newest in canonical order first.
func (s *sim) ids(n int) (ids []chain.ID) {
	for at := store.End; ; {
		blocks, err := s.nodes[n].store.Before(s.tag, at, store.Limit{})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(blocks) == 0 {
			return ids
		}
		for _, b := range blocks {
			ids = append(ids, b.ID)
		}
		at = blocks[len(blocks)-1].Position()
	}
}

// agreeOnFork checks that the nodes hold the same, with both blocks of the pair, and all flag the device.
func (s *sim) agreeOnFork(d Device, pair ...*chain.Block) {
	s.t.Helper()
	first := s.ids(0)
	for n := range s.nodes {
		r := s.round(n)
		if line := r.chain.Line(d); line == nil || line.Fork == nil {
			s.t.Errorf("node %d does not flag it", n)
		}
		ids := s.ids(n)
		if fmt.Sprint(ids) != fmt.Sprint(first) {
			s.t.Errorf("node %d has %d blocks, node 0 %d, or in another order", n, len(ids), len(first))
		}
		for _, b := range pair {
			if _, ok, err := r.entry(b.ID()); !ok || err != nil {
				s.t.Errorf("node %d lacks %v", n, b)
			}
		}
	}
}

// TestT12TwoHistories: a member signs two histories and tells one to some and the other to the rest, who answer it. Once they
// meet, all have both, what was built on both, the same order, the proof and the flag, and nobody cites it any more; restarts
// change nothing of that.
func TestT12TwoHistories(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := together(t, seed, 5)
			bad := s.nodes[4]
			s.crash(bad)
			s.nodes = s.nodes[:4]
			for a := range 2 {
				for b := 2; b < 4; b++ {
					s.wall(s.nodes[a], s.nodes[b])
				}
			}
			for n := range s.nodes {
				s.crash(s.nodes[n])
				s.start(s.nodes[n])
			}
			s.settle(time.Minute)

			l := &liar{s: s, keys: bad.keys}
			device := bad.keys.Device.Device()
			at := s.round(0).chain.Line(device).Newest
			now := max(uint64(s.Now().UnixMilli()), at.T+1)
			one, other := l.sign("yes", at, now), l.sign("no", at, now)
			deep := l.sign("no, never", other.Place(), now+1)
			l.give(0, one)
			l.give(3, other, deep)
			s.settle(2 * time.Second)
			for n := range s.nodes { // both sides build on what they have been told
				s.say(s.nodes[n], fmt.Sprintf("%d has heard it", n))
				s.settle(2 * time.Second)
			}
			s.heal()
			s.agreeOnFork(device, one, other, deep)

			for n := range s.nodes {
				if got := s.noticed(n, "two histories"); got != 1 {
					t.Errorf("node %d says so %d times", n, got)
				}
				s.restart(s.nodes[n], 0)
				if got := s.noticed(n, "two histories"); got != 1 {
					t.Errorf("after a start node %d says so %d times", n, got)
				}
				flagged := 0
				for _, m := range s.round(n).members() {
					if m.Forked {
						flagged++
					}
				}
				if flagged != 1 {
					t.Errorf("node %d shows %d members as forked", n, flagged)
				}
			}
			more := l.sign("believe me", one.Place(), now+2)
			l.give(1, more)
			s.settle(time.Minute)
			for n := range s.nodes {
				s.say(s.nodes[n], fmt.Sprintf("%d goes on", n))
				s.settle(2 * time.Second)
				if _, ok, _ := s.round(n).entry(more.ID()); ok {
					t.Errorf("node %d takes more of it", n)
				}
			}
			s.settle(time.Minute)
			s.agreeOnFork(device, one, other, deep)
			for _, id := range s.ids(0)[:4] {
				raw, _, _ := s.nodes[0].store.Block(s.tag, id)
				if b, err := chain.Parse(raw.Raw); err != nil || b.Author == device {
					t.Errorf("the newest blocks are %v, %v", b, err)
				}
			}
		})
	}
}

// TestNewcomerLearnsOfTheFork: who joins after a fork has the proof, both histories and whatever was built on them.
func TestNewcomerLearnsOfTheFork(t *testing.T) {
	for _, deep := range []int{40, maxOrphans + 64} {
		t.Run(fmt.Sprint(deep), func(t *testing.T) { learnOfTheFork(t, deep) })
	}
}

func learnOfTheFork(t *testing.T, deep int) {
	s := newSim(t, 23, 4)
	s.found()
	for n := 1; n < 3; n++ {
		s.join(n, 0)
		s.settle(time.Second)
	}
	s.crash(s.nodes[2])
	s.wall(s.nodes[0], s.nodes[1])
	s.restart(s.nodes[1], 0)
	s.restart(s.nodes[0], 0)
	s.settle(time.Minute)
	l := &liar{s: s, keys: s.nodes[2].keys}
	device := l.keys.Device.Device()
	at := s.round(0).chain.Line(device).Newest
	now := max(uint64(s.Now().UnixMilli()), at.T+1)
	one, other := l.sign("yes", at, now), l.sign("no", at, now)
	last := other.Place()
	l.give(1, one)
	var line []*chain.Block
	for i := range deep {
		b := l.sign(fmt.Sprint("no ", i), last, now+1+uint64(i))
		line, last = append(line, b), b.Place()
	}
	l.give(0, append([]*chain.Block{other}, line...)...)
	cites := (&liar{s: s, keys: s.nodes[0].keys}).sign("I believe the other", s.newest(0), last.T+1, last.ID)
	s.settle(time.Second)
	if err := s.round(0).add(cites, nil, nil); err != nil {
		t.Fatal(err)
	}
	s.step(s.nodes[0], tick{})
	s.settle(time.Second)
	s.join(3, 0)
	s.settle(time.Minute)
	s.Clear()
	s.settle(15 * time.Minute)
	s.nodes = []*node{s.nodes[0], s.nodes[1], s.nodes[3]}
	s.agreeOnFork(device, append(line, one, other, cites)...)
}

// TestFrontierThatDiffersIsFollowedUp: two that hold one block of a pair each find out from their frontiers.
func TestFrontierThatDiffersIsFollowedUp(t *testing.T) {
	s, l, at, now := flooded(t)
	s.wall(s.nodes[0], s.nodes[1])
	s.restart(s.nodes[0], 0)
	s.settle(time.Minute)
	one, other := l.sign("yes", at, now), l.sign("no", at, now)
	l.give(0, one)
	l.give(1, other)
	s.settle(time.Second)
	s.heal()
	s.agreeOnFork(l.keys.Device.Device(), one, other)
}

// TestProofIsPassedOn: who holds one block of a pair, as the one who found out counts it, too, learns of the other by the proof.
func TestProofIsPassedOn(t *testing.T) {
	s, l, at, now := flooded(t)
	one, other := l.sign("yes", at, now), l.sign("no", at, now)
	l.give(0, one)
	s.settle(time.Second)
	l.give(0, other)
	s.settle(time.Minute)
	s.agreeOnFork(l.keys.Device.Device(), one, other)
}

// TestProofBeforeItsBlocks: who was shown a proof by one that had only one of the two blocks, and asked in vain for the other,
// has it when that one has, and what is built on it.
func TestProofBeforeItsBlocks(t *testing.T) {
	s, l, at, now := flooded(t)
	one, other := l.sign("yes", at, now), l.sign("no", at, now)
	deep := l.sign("no, never", other.Place(), now+1)
	l.give(0, one)
	s.settle(time.Second)
	end := l.hold(0)
	s.step(s.nodes[0], received{link: s.links, msg: link.Proof{A: one.Signed(), B: other.Signed()}})
	id := s.links
	s.settle(time.Second)
	if line := s.round(1).chain.Line(l.keys.Device.Device()); line.Fork == nil {
		t.Error("the proof is not passed on")
	}
	s.step(s.nodes[0], received{
		link: id, msg: link.Blocks{Request: 1, Blocks: [][]byte{other.Bytes()}, Last: true}, blocks: []*chain.Block{other},
	})
	s.settle(time.Second)
	s.agreeOnFork(l.keys.Device.Device(), one, other)
	end()
	honest := (&liar{s: s, keys: s.nodes[0].keys}).sign("I had not heard of the fork", s.newest(0), now+3, deep.ID())
	l.give(0, deep)
	for _, b := range []*chain.Block{deep, honest} {
		if err := s.round(0).add(b, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.step(s.nodes[0], tick{})
	s.settle(time.Second)
	s.say(s.nodes[0], "and more")
	s.settle(time.Minute)
	s.agreeOnFork(l.keys.Device.Device(), one, other, deep, honest)
}

// TestShunnedUntilBuiltOn: more of a flagged device is set aside, a line of it too, until an honest member's block descends
// from it.
func TestShunnedUntilBuiltOn(t *testing.T) {
	s, l, at, now := flooded(t)
	one, other := l.sign("yes", at, now), l.sign("no", at, now)
	more := l.sign("more", one.Place(), now+1)
	last := l.sign("and more", more.Place(), now+2)
	end := l.hold(0, one, other, more, last)
	s.settle(time.Second)
	if _, ok, _ := s.round(0).entry(more.ID()); ok || s.pool(0) != 2 {
		t.Errorf("more of it is taken; %d set aside", s.pool(0))
	}
	s.crash(s.nodes[1])
	honest := &liar{s: s, keys: s.nodes[1].keys}
	cites := honest.sign("I had not heard of the fork", s.round(0).chain.Line(honest.keys.Device.Device()).Newest, now+3, last.ID())
	honest.give(0, cites)
	s.settle(time.Second)
	for _, b := range []*chain.Block{more, last, cites} {
		if _, ok, _ := s.round(0).entry(b.ID()); !ok {
			t.Errorf("%v is not taken", b)
		}
	}
	end()
	if n := s.pool(0); n != 0 {
		t.Errorf("%d are still set aside", n)
	}
}
