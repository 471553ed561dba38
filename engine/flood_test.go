package engine

import (
	"fmt"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/seal"
)

// flooded is a round of two, and what a third member signs with to flood it.
func flooded(t *testing.T) (*sim, *liar, chain.Place, uint64) {
	s := together(t, 31, 3)
	bad := s.nodes[2]
	s.crash(bad)
	s.nodes = s.nodes[:2]
	l := &liar{s: s, keys: bad.keys}
	return s, l, s.round(0).chain.Line(bad.keys.Device.Device()).Newest, uint64(s.now.UnixMilli()) + 1
}

const flood = 20_000

// pool is how many blocks a node keeps aside, which is checked against what it counts.
func (s *sim) pool(n int) int {
	o := s.round(n).orphans
	size, wanted := 0, 0
	for _, w := range o.waiting {
		size += len(w.block.Bytes())
	}
	for _, of := range o.wanted {
		wanted += len(of)
	}
	for _, held := range o.held {
		size -= held.size
	}
	if size != 0 || wanted > len(o.waiting)*(chain.MaxParents+1) {
		s.t.Errorf("node %d counts %d bytes wrong; %d edges of %d blocks", n, size, wanted, len(o.waiting))
	}
	return len(o.waiting)
}

// TestT16WithheldParents: a long line whose first block is withheld costs a node a bounded pool, which goes with the link, and
// no stack; nobody is dropped, and the others go on.
func TestT16WithheldParents(t *testing.T) {
	s, l, at, now := flooded(t)
	last, r := l.sign("withheld", at, now).Place(), s.round(0)
	most := 0
	s.watch = func(nd *node, _ effect) {
		if nd == s.nodes[0] {
			most = max(most, len(r.orphans.waiting))
		}
	}
	line := make([]*chain.Block, flood)
	for i := range line {
		now++
		line[i] = l.sign(fmt.Sprint(i), last, now)
		last = line[i].Place()
	}
	l.give(0, line...)
	if s.watch = nil; most == 0 || most > 256 {
		t.Errorf("%d blocks waited at once", most)
	}
	if left := s.pool(0); left > 0 {
		t.Errorf("%d blocks still wait when the link has gone", left)
	}
	if r.blocks > 4 {
		t.Errorf("it has %d blocks", r.blocks)
	}
	s.say(s.nodes[0], "never mind")
	s.settle(time.Minute)
	s.agree()
}

// TestT16ManyHeads: a member that signs thousands of blocks of one seq makes two heads, not thousands: the pair that proves it.
// The rest is set aside, within bounds.
func TestT16ManyHeads(t *testing.T) {
	s, l, at, now := flooded(t)
	r := s.round(0)
	most := 0
	s.watch = func(nd *node, _ effect) {
		if nd == s.nodes[0] {
			most = max(most, len(r.orphans.waiting))
		}
	}
	before := r.blocks
	heads := make([]*chain.Block, flood)
	for i := range heads {
		heads[i] = l.sign(fmt.Sprint(i), at, now)
	}
	l.give(0, heads...)
	s.watch = nil
	s.settle(time.Minute)
	if got := r.blocks - before; got != 2 || most > 256 || len(r.recent) > recentPlaces {
		t.Errorf("%d blocks are admitted, %d were set aside at once", got, most)
	}
	if n := len(r.chain.Heads()); n > len(r.chain.Devices())+1 {
		t.Errorf("there are %d heads", n)
	}
	s.say(s.nodes[1], "one of us is mad")
	s.settle(time.Minute)
	s.agreeOnFork(l.keys.Device.Device(), heads[:2]...)
}

// TestCopiedMessageID: who uses the id of another's message changes nothing about that one: it is shown, delivered and in the
// history like any, and so is the copy.
func TestCopiedMessageID(t *testing.T) {
	s, l, at, now := flooded(t)
	s.say(s.nodes[1], "mine")
	s.flush(s.nodes[1])
	var id MessageID
	for said := range s.said {
		id = said
	}
	copied := func() *chain.Block { // like sign, with another's id
		h := chain.Header{Tag: s.tag, Kind: chain.KindMessage, Author: at.Author, Seq: at.Seq + 1, Prev: at.ID, T: now + 1, Wall: now}
		plain, _, err := chain.EncodeMessages([]chain.Message{{ID: id, Text: "mine, says the thief", Written: now}}, chain.MaxBody-seal.Overhead)
		if err != nil {
			t.Fatal(err)
		}
		b, err := chain.Sign(l.keys.Device, h, seal.Body(s.round(0).content, sealPlace(h), plain))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}()
	l.give(0, copied) // before the real one has come
	s.settle(time.Minute)
	for n := range s.nodes {
		if h := s.history(n); h["mine"].From.Name != "p1" || h["mine, says the thief"].ID != id {
			t.Errorf("node %d has %v", n, h)
		}
	}
	if s.nodes[0].shown[id] != 2 || s.nodes[1].shown[id] != 1 {
		t.Errorf("it is shown %d and %d times", s.nodes[0].shown[id], s.nodes[1].shown[id])
	}
	if u := s.round(1).unheld; len(u) != 1 || u[0].held != 1 { // the liar is away
		t.Errorf("its author knows %v of who holds it", u)
	}
}
