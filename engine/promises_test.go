package engine

import (
	"fmt"
	"slices"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// promises are the invariants of the protocol that can be looked at after every step: what a device has done now, and what it
// has come to. TestSimulation has them kept in all weathers. I1 and I6 are about the end, and I8 is kept if those are, with
// blocks of unknown kinds about; invariants_test.go has a round for I1, I2, I7 and I8 each.
type promises struct {
	*sim
	signed  map[string]chain.ID // I3: by device and number
	checked map[*node]uint64    // I2: blocks on its disk, by arrival
}

// promise has all honest nodes watched from now on.
func (s *sim) promise() {
	p := &promises{s, map[string]chain.ID{}, map[*node]uint64{}}
	s.watch = func(nd *node, ef effect) {
		if send, ok := ef.(sendTo); ok && nd != s.liar {
			for _, m := range send.msgs {
				p.sends(nd, m)
			}
		}
	}
	s.after = func(nd *node) {
		if nd != s.liar {
			p.fewHeads(nd)
			p.ancestorsFirst(nd)
		}
	}
}

func (p *promises) sends(nd *node, msg link.Message) {
	switch m := msg.(type) {
	case link.Ack:
		p.onDisk(nd, m.Entries)
	case link.Frontier:
		p.onDisk(nd, m.Entries)
	case link.Announce:
		for _, id := range m.IDs {
			p.has(nd, id, "I7: announces")
		}
	case link.Blocks:
		blocks, err := p.blocksIn(m)
		if err != nil {
			p.t.Errorf("I7: node %d sends a bad block: %v", nd.N, err)
		}
		for _, b := range blocks {
			p.neverForks(nd, b)
			p.verifiedFirst(nd, b)
		}
	}
}

// has checks that a block is on a node's disk.
func (p *promises) has(nd *node, id chain.ID, what string) {
	if _, ok, err := nd.store.Entry(p.tag, id); !ok || err != nil {
		if id == p.genesis {
			return // it is in the secrets
		}
		p.t.Errorf("%s %s, which is not on node %d's disk", what, id.Short(), nd.N)
	}
}

// neverForks is I3: no honest device ever signs two blocks of one number, whatever crashes. A block is on disk before its
// first byte leaves, and what a device has forgotten it fetches before it writes.
func (p *promises) neverForks(nd *node, b *chain.Block) {
	if b.Author != nd.device() || p.copied[b.Author] {
		return
	}
	at := fmt.Sprint(b.Author, b.Seq)
	if other, ok := p.signed[at]; ok && other != b.ID() {
		p.t.Errorf("I3: node %d signs %s and %s as number %d", nd.N, other.Short(), b.ID().Short(), b.Seq)
	}
	p.signed[at] = b.ID()
}

// onDisk is I4: what a device says that it holds, in an ACK or a frontier, is on its disk.
func (p *promises) onDisk(nd *node, entries []link.Entry) {
	for _, e := range entries {
		p.has(nd, e.ID, "I4: it says that it holds")
	}
}

// fewHeads is I5: there are never more heads than devices and forks, at any moment: whoever writes joins all it has.
func (p *promises) fewHeads(nd *node) {
	r := nd.core.rounds[p.tag]
	if r == nil || r.chain == nil {
		return
	}
	heads := len(r.chain.Heads())
	if heads <= r.people.members() { // or fewer than devices
		return
	}
	devices := r.chain.Devices()
	most := len(devices)
	for _, d := range devices {
		if r.chain.Line(d).Fork != nil {
			most++
		}
	}
	if heads > most {
		p.t.Errorf("I5: node %d has %d heads, of devices and forks %d", nd.N, heads, most)
	}
}

// verifiedFirst is I7: a device passes on nothing but blocks that it has admitted, with all their edges, and so cites and
// acknowledges nothing else.
func (p *promises) verifiedFirst(nd *node, b *chain.Block) {
	p.has(nd, b.ID(), "I3, I7: it sends")
	for _, id := range b.Edges() {
		p.has(nd, id, "I7: it sends a block that cites")
	}
}

// ancestorsFirst is I2, as far as it can be seen: whatever is on a disk has all its edges there.
func (p *promises) ancestorsFirst(nd *node) {
	n, err := nd.store.Count(p.tag)
	if err != nil || n == p.checked[nd] {
		return
	}
	from := p.checked[nd]
	if n < from { // an old copy
		from = 0
	}
	blocks, err := nd.store.Since(p.tag, from, store.Limit{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, raw := range blocks {
		b, err := chain.Parse(raw.Raw)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, id := range b.Edges() {
			p.has(nd, id, "I2: admitted is a block that cites")
		}
	}
	p.checked[nd] = from + uint64(len(blocks))
}

// sameInAnyOrder is I1: what a member has come to is what anybody comes to who is given the same blocks in another order.
func (s *sim) sameInAnyOrder() {
	from := s.honest()[0]
	r := from.core.rounds[s.tag]
	for _, d := range r.chain.Devices() {
		if r.chain.Line(d).Fork != nil {
			return // whose blocks are taken depends on what was known of the fork: TestT12TwoHistories
		}
	}
	var blocks []*chain.Block
	for _, b := range s.blocksOf(from) {
		if b.Kind != chain.KindGenesis {
			blocks = append(blocks, b)
		}
	}
	slices.Reverse(blocks)
	nd, by := s.blank(from.Skew), s.honest()[1]
	s.feed(nd, by, []*chain.Block{first(blocks, by)})
	s.Rand.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	s.feed(nd, by, blocks)
	if got, want := s.state(nd), s.state(from); got != want {
		s.t.Errorf("I1: in another order the state is\n%s, not\n%s", got, want)
	}
}
