package engine

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/seal"
)

// flooded is a round of two, and what a third member signs with to flood it.
func flooded(t *testing.T) (*sim, *liar, chain.Place, uint64) { return floodedBy(t, 2) }

// floodedBy is a round in which all members but one mean well.
func floodedBy(t *testing.T, good int) (*sim, *liar, chain.Place, uint64) {
	s := together(t, 31, good+1)
	bad := s.nodes[good]
	s.crash(bad)
	s.nodes = s.nodes[:good]
	l := &liar{s: s, keys: bad.keys}
	return s, l, s.round(0).chain.Line(bad.keys.Device.Device()).Newest, uint64(s.Now().UnixMilli()) + 1
}

var (
	flood = flag.Int("engine.flood", 5_000, "blocks of a line whose beginning is withheld")
	heads = flag.Int("engine.heads", 5_000, "heads that one device tries to make")
)

// floodHeap is what the memory in use may grow by in a flood: the pool, and what the chain remembers of newest places.
const floodHeap = 16 << 20

// heapInUse is the memory in use.
func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

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

// Of one peer's blocks so many are set aside. These are figures, not the engine's own limits, which the tests are about.
const (
	poolBlocks = 256
	poolBytes  = 4 << 20
)

// TestT16WithheldParents: a long line whose first block is withheld costs a node a bounded pool, which goes with the link, and
// no stack; nobody is dropped, and the others go on.
func TestT16WithheldParents(t *testing.T) {
	s, l, at, now := flooded(t)
	last, r := l.sign("withheld", at, now).Place(), s.round(0)
	before := heapInUse()
	end := l.flood(0, func(yield func(*chain.Block) bool) {
		for i := range *flood {
			now++
			b := l.sign(fmt.Sprint(i), last, now)
			last = b.Place()
			yield(b)
		}
	})
	if grown := heapInUse() - before; grown > floodHeap {
		t.Errorf("%d blocks take %d bytes of memory", *flood, grown)
	}
	end()
	if l.most != poolBlocks {
		t.Errorf("%d blocks waited at once, want %d", l.most, poolBlocks)
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

// TestT16LargeBlocks: of blocks as large as they may be fewer are set aside.
func TestT16LargeBlocks(t *testing.T) {
	s, l, at, now := flooded(t)
	at = l.sign("withheld", at, now).Place()
	end := l.flood(0, func(yield func(*chain.Block) bool) {
		for range 2 * poolBytes / chain.MaxBody {
			now++
			b, err := chain.Sign(l.keys.Device, chain.Header{
				Tag: s.tag, Kind: 77, Seq: at.Seq + 1, Prev: at.ID, T: now, Wall: now,
			}, make([]byte, chain.MaxBody))
			if err != nil {
				t.Fatal(err)
			}
			at = b.Place()
			yield(b)
		}
	})
	s.pool(0)
	if end(); l.mostBytes > poolBytes || l.mostBytes < poolBytes-chain.MaxBlock {
		t.Errorf("%d bytes waited at once", l.mostBytes)
	}
	if left := s.pool(0); left > 0 {
		t.Errorf("%d blocks still wait when the link has gone", left)
	}
}

// TestT16ManyHeads: a member that signs thousands of blocks of one seq makes two heads, not thousands: the pair that proves it.
// The rest is set aside, within bounds.
func TestT16ManyHeads(t *testing.T) {
	s, l, at, now := flooded(t)
	r := s.round(0)
	before, used := r.blocks, heapInUse()
	var pair []*chain.Block
	end := l.flood(0, func(yield func(*chain.Block) bool) {
		for i := range *heads {
			b := l.sign(fmt.Sprint(i), at, now)
			if len(pair) < 2 {
				pair = append(pair, b)
			}
			yield(b)
		}
	})
	if grown := heapInUse() - used; grown > floodHeap {
		t.Errorf("%d heads take %d bytes of memory", *heads, grown)
	}
	end()
	s.settle(time.Minute)
	if got := r.blocks - before; got != 2 || l.most != poolBlocks/2 || len(r.recent) > recentPlaces {
		t.Errorf("%d blocks are admitted, %d were set aside at once", got, l.most)
	}
	if n := len(r.chain.Heads()); n > len(r.chain.Devices())+1 {
		t.Errorf("there are %d heads", n)
	}
	s.say(s.nodes[1], "one of us is mad")
	s.settle(time.Minute)
	s.agreeOnFork(l.keys.Device.Device(), pair...)
}

// TestCopiedMessageID: who uses the id of another's message changes nothing about that one: it is shown, delivered and in the
// history like any, and so is the copy.
func TestCopiedMessageID(t *testing.T) {
	s, l, at, now := flooded(t)
	s.say(s.nodes[1], "mine")
	s.nodes[1].Flush()
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
