package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
	"opentalk/engine/store/storetest"
)

// The invariants of the protocol, one test each. Whoever reads these has read what opentalk promises. They drive real cores
// over a made-up network, disk and clock (sim_test.go), with every seed another course of events.

const invariantSeeds = 12

func eachSeed(t *testing.T, f func(t *testing.T, seed uint64)) {
	for seed := range uint64(invariantSeeds) {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) { f(t, seed+1) })
	}
}

// past is a round of three with a past in which they also wrote apart, and its blocks in canonical order, without genesis.
func past(t *testing.T, seed uint64) (*sim, []*chain.Block) {
	s := together(t, seed, 3)
	for i := range 12 {
		if i%4 == 0 { // now two of them are apart
			s.Wall(s.nodes[0].Node, s.nodes[1].Node, i%8 == 0)
			s.Wall(s.nodes[1].Node, s.nodes[0].Node, i%8 == 0)
			s.restart(s.nodes[0], 0)
			s.settle(10 * time.Second)
		}
		s.say(s.nodes[s.Rand.IntN(3)], fmt.Sprint("message ", i))
		s.settle(time.Duration(s.Rand.IntN(3)) * time.Second)
	}
	s.heal()
	var blocks []*chain.Block
	for _, id := range s.ids(0) {
		raw, _, err := s.nodes[0].store.Block(s.tag, id)
		if err != nil {
			t.Fatal(err)
		}
		b, err := chain.Parse(raw.Raw)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	slices.Reverse(blocks)
	return s, blocks
}

// blank is node 0 as it would be if it had lost its disk: it knows genesis, and nobody.
func (s *sim) blank(skew time.Duration) *node {
	nd := &node{s: s, Node: s.Stranger(99), keys: s.nodes[0].keys, store: storetest.New()}
	nd.Skew = skew
	s.start(nd)
	nd.Flush()
	return nd
}

// feed gives a node blocks, each by itself, from a member that it knows.
func (s *sim) feed(nd *node, from *node, blocks []*chain.Block) {
	s.links++
	id := s.links
	s.step(nd, linkUp{link: id, tag: s.tag, self: nd.device(), cred: from.keys.Credential, address: from.Address})
	s.step(nd, received{link: id, msg: link.Ready{HavePubKey: true, HaveGenesis: true, Clock: nd.core.plain()}})
	for _, b := range blocks {
		s.step(nd, received{link: id, msg: link.Blocks{Blocks: [][]byte{b.Bytes()}, Last: true}, blocks: []*chain.Block{b}})
		if s.Rand.IntN(4) == 0 {
			nd.Flush()
		}
	}
	nd.Flush()
	s.step(nd, linkDown{link: id})
	nd.Flush()
}

// state is all that a node makes of the blocks it has: their order, the heads, the ends of the lines, who is a member.
func (s *sim) state(nd *node) string {
	r := nd.core.rounds[s.tag]
	text := ""
	for at := store.End; ; {
		blocks, err := nd.store.Before(s.tag, at, store.Limit{})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(blocks) == 0 {
			break
		}
		for _, b := range blocks {
			text += chain.ID(b.ID).Short() + " "
		}
		at = blocks[len(blocks)-1].Position()
	}
	text += fmt.Sprint(r.chain.Heads(), len(r.people))
	for _, d := range r.chain.Devices() {
		text += fmt.Sprint(r.chain.Line(d).Newest)
	}
	return text
}

// first finds the first block of a node.
func first(blocks []*chain.Block, nd *node) *chain.Block {
	return blocks[slices.IndexFunc(blocks, func(b *chain.Block) bool { return b.Author == nd.keys.Device.Device() })]
}

// TestI1SameBlocksSameState: the same set of blocks gives the same order, heads and members, in whatever order they come, how
// often, and wherever a crash falls between.
func TestI1SameBlocksSameState(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		s, blocks := past(t, seed)
		want := s.state(s.nodes[0])
		for range 3 {
			nd := s.blank(0)
			s.feed(nd, s.nodes[1], []*chain.Block{first(blocks, s.nodes[1])})
			for range 2 {
				mixed := slices.Concat(blocks, blocks[:len(blocks)/2])
				s.Rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
				s.feed(nd, s.nodes[1], mixed[:s.Rand.IntN(len(mixed))])
				s.crash(nd)
				s.start(nd)
				s.feed(nd, s.nodes[1], mixed)
			}
			if got := s.state(nd); got != want {
				t.Errorf("in another order the state is\n%s, not\n%s", got, want)
			}
		}
	})
}

// TestI2AncestorsDecide: whether a block is admitted depends on its ancestors alone: with all of them it is, whatever the
// clock says and whoever brings it; with one missing it is not.
func TestI2AncestorsDecide(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		s, blocks := past(t, seed)
		b := blocks[len(blocks)/2+s.Rand.IntN(len(blocks)/2)]
		before := map[chain.ID]bool{}
		for i := len(blocks) - 1; i >= 0; i-- {
			if blocks[i] == b || before[blocks[i].ID()] {
				for _, id := range blocks[i].Edges() {
					before[id] = true
				}
			}
		}
		for _, skew := range []time.Duration{0, -56 * year, 10 * year} {
			for _, from := range s.nodes[1:] {
				var ancestors []*chain.Block
				for _, a := range blocks {
					if before[a.ID()] && a != first(blocks, from) {
						ancestors = append(ancestors, a)
					}
				}
				hello := []*chain.Block{first(blocks, from)}
				nd := s.blank(skew)
				s.feed(nd, from, hello)
				s.feed(nd, from, append(slices.Clone(ancestors), b))
				if _, ok, _ := nd.store.Entry(s.tag, b.ID()); !ok {
					t.Errorf("%v is not admitted with all its ancestors, clock %v", b, skew)
				}
				if len(ancestors) == 0 {
					continue
				}
				missing := s.Rand.IntN(len(ancestors))
				nd = s.blank(skew)
				s.feed(nd, from, hello)
				s.feed(nd, from, append(slices.Delete(slices.Clone(ancestors), missing, missing+1), b))
				if _, ok, _ := nd.store.Entry(s.tag, b.ID()); ok {
					t.Errorf("%v is admitted without an ancestor, clock %v", b, skew)
				}
			}
		}
	})
}

// eachBlock calls f with every block but genesis that an effect sends.
func eachBlock(t *testing.T, ef effect, f func(*chain.Block)) {
	send, ok := ef.(sendTo)
	if !ok {
		return
	}
	for _, m := range send.msgs {
		if _, ok := m.(link.Genesis); ok {
			continue
		}
		blocks, err := blocksIn(m)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			f(b)
		}
	}
}

// TestI7VerifiedFirst: a device passes on, acknowledges and cites nothing but blocks that it has verified with all their
// edges, whatever it has been given: blocks whose edges are withheld never leave it.
func TestI7VerifiedFirst(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		s := together(t, seed, 3)
		bad := s.nodes[2]
		s.crash(bad)
		s.nodes = s.nodes[:2]
		l := &liar{s: s, keys: bad.keys}
		at := s.round(0).chain.Line(bad.keys.Device.Device()).Newest
		now := uint64(s.Now().UnixMilli()) + 1
		hidden := l.sign("hidden", at, now)
		orphans := []*chain.Block{l.sign("prev is missing", hidden.Place(), now+1), l.sign("parent is missing", at, now+1, hidden.ID())}
		unverified := map[chain.ID]bool{}
		for _, b := range orphans {
			unverified[b.ID()] = true
		}
		s.watch = func(nd *node, ef effect) {
			eachBlock(t, ef, func(b *chain.Block) {
				if unverified[b.ID()] || slices.ContainsFunc(b.Edges(), func(id chain.ID) bool { return unverified[id] }) {
					t.Errorf("node %d sends or cites %v", nd.N, b)
				}
			})
			if send, ok := ef.(sendTo); ok {
				for _, m := range send.msgs {
					if ack, ok := m.(link.Ack); ok {
						for _, e := range ack.Entries {
							if unverified[e.ID] {
								t.Errorf("node %d acknowledges %s", nd.N, chain.ID(e.ID).Short())
							}
						}
					}
				}
			}
		}
		before := s.round(0).blocks
		l.give(0, orphans...)
		s.say(s.nodes[0], "go on")
		s.settle(time.Minute)
		if got := s.round(0).blocks; got != before+1 {
			t.Errorf("node 0 counts %d blocks more", got-before)
		}
		s.watch = nil
		l.give(0, orphans[0], hidden) // with the edges it is one block like any
		s.settle(time.Minute)
		if _, ok, _ := s.nodes[0].store.Entry(s.tag, hidden.ID()); !ok {
			t.Error("with its edges there a block is not taken")
		}
	})
}

// TestI8UnknownKindsSurvive: a block of a kind that nobody here knows is kept, acknowledged, passed on and cited like any, and
// shown as what needs a newer version.
func TestI8UnknownKindsSurvive(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		s := together(t, seed, 4)
		newer := s.nodes[3]
		s.crash(newer)
		s.nodes = s.nodes[:3]
		at, now := s.round(0).chain.Line(newer.keys.Device.Device()).Newest, uint64(s.Now().UnixMilli())+1
		b, err := chain.Sign(newer.keys.Device, chain.Header{
			Tag: s.tag, Kind: 77, Seq: at.Seq + 1, Prev: at.ID, T: now, Wall: now,
		}, []byte("from the future of the protocol"))
		if err != nil {
			t.Fatal(err)
		}
		(&liar{s: s, keys: newer.keys}).give(0, b)
		s.settle(time.Minute)
		s.say(s.nodes[2], "what was that?")
		s.settle(time.Minute)
		for n, nd := range s.nodes {
			s.restart(nd, 0)
			raw, ok, err := nd.store.Block(s.tag, b.ID())
			if !ok || err != nil || string(raw.Raw) != string(b.Bytes()) {
				t.Errorf("node %d does not have it: %v", n, err)
			}
			if heads := s.round(n).chain.Heads(); len(heads) != 1 || heads[0] != s.newest(2) {
				t.Errorf("on node %d nobody cites it: %v", n, heads)
			}
			ms, err := s.round(n).archive().history(Position{}, 2)
			if err != nil || len(ms) != 2 || ms[0].Problem != problemNewer {
				t.Errorf("node %d shows %v, %v", n, ms, err)
			}
		}
	})
}
