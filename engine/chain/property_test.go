package chain

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// drawWorlds plays a round of a few devices, each with a world of its own: they write on what they have, hear of each other in
// any order, and now and then one signs two blocks of one seq. It returns every block.
func drawWorlds(t *rapid.T) []*Block {
	r := shared()
	n := rapid.IntRange(1, 5).Draw(t, "devices")
	all := []*Block{r.genesis}
	worlds := make([]*world, n)
	for i := range worlds {
		worlds[i] = drawWorld(t, r)
		if i > 0 {
			first := pubKeyOnce(i)
			all = append(all, first)
			deliver(t, worlds[i], first)
		}
	}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		i := rapid.IntRange(0, n-1).Draw(t, "device")
		switch rapid.IntRange(0, 9).Draw(t, "step") {
		case 0: // an older state of the device, as from a backup, signs too
			all = append(all, signNext(t, drawPart(t, r, all, i), i))
		case 1, 2, 3, 4:
			b := signNext(t, worlds[i], i)
			deliver(t, worlds[i], b)
			all = append(all, b)
		default:
			deliver(t, worlds[i], rapid.SampledFrom(all).Draw(t, "heard"))
		}
		checkInvariants(t, worlds[i])
	}
	return all
}

var firsts = make(map[int]*Block)

// pubKeyOnce signs a device's first block once for all runs.
func pubKeyOnce(i int) *Block {
	if firsts[i] == nil {
		firsts[i] = shared().pubKey(i, start+1)
	}
	return firsts[i]
}

func drawWorld(t *rapid.T, r *round) *world {
	w := &world{round: r, blocks: map[ID]*Block{r.genesis.ID(): r.genesis}}
	c, err := New(r.id, r.genesis, w.lookup, r.creds)
	if err != nil {
		t.Fatal(err)
	}
	w.Chain = c
	return w
}

// drawPart is a world with some of the blocks and their ancestors, the first block of device i among them.
func drawPart(t *rapid.T, r *round, all []*Block, i int) *world {
	w := drawWorld(t, r)
	if i > 0 {
		deliver(t, w, pubKeyOnce(i))
	}
	for _, b := range ancestors(all, rapid.SampledFrom(all).Draw(t, "restored")) {
		deliver(t, w, b)
	}
	return w
}

func signNext(t *rapid.T, w *world, i int) *Block {
	d := identitytest.Device(i)
	now := start + uint64(rapid.IntRange(0, 50).Draw(t, "clock"))
	h, ok := w.Next(d.Device(), now)
	if !ok {
		t.Fatalf("device %d has no line", i)
	}
	h.Kind = Kind(rapid.SampledFrom([]int{2, 2, 3, 4, 5, 99}).Draw(t, "kind"))
	b, err := Sign(d, h, []byte{byte(rapid.IntRange(0, 255).Draw(t, "body"))})
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := w.Check(b); err != nil || len(missing) > 0 {
		t.Fatalf("a block that Next began does not pass: missing %d, %v", len(missing), err)
	}
	return b
}

func deliver(t *rapid.T, w *world, b *Block) {
	if err := w.deliver(b); err != nil {
		t.Fatal(err)
	}
}

// ancestors returns a block and all that it descends from, in canonical order.
func ancestors(all []*Block, of *Block) []*Block {
	byID := make(map[ID]*Block)
	for _, b := range all {
		byID[b.ID()] = b
	}
	seen := map[ID]*Block{}
	for todo := []ID{of.ID()}; len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		if seen[id] == nil {
			seen[id] = byID[id]
			todo = append(todo, byID[id].Edges()...)
		}
	}
	var out []*Block
	for _, id := range canonical(seen) {
		out = append(out, byID[id])
	}
	return out
}

// checkInvariants holds after every step in every world: heads are what nothing cites, there are at most as many as devices
// and forks (I5), and canonical order comes after every edge.
func checkInvariants(t *rapid.T, w *world) {
	m := modelOf(w.blocks)
	if got := w.Heads(); !slices.Equal(ids(got), m.heads) {
		t.Fatalf("heads %v, want %v", got, m.heads)
	}
	if len(w.Heads()) > len(m.newest)+m.forks {
		t.Fatalf("%d heads of %d devices and %d forks", len(w.Heads()), len(m.newest), m.forks)
	}
	at := make(map[ID]int)
	for i, id := range w.order() {
		at[id] = i
		for _, e := range w.blocks[id].Edges() {
			if before, ok := at[e]; !ok || before >= i {
				t.Fatalf("block %s comes before %s, which it cites", id.Short(), e.Short())
			}
		}
	}
}

// model says what a set of blocks comes to, by the text of CHAIN 6 and without any state.
type model struct {
	heads  []ID
	newest map[identity.Device]ID
	first  map[identity.Device]ID
	forked map[identity.Device]bool
	forks  int
	order  []ID
}

func modelOf(blocks map[ID]*Block) model {
	m := model{
		newest: make(map[identity.Device]ID), first: make(map[identity.Device]ID), forked: make(map[identity.Device]bool),
		order: canonical(blocks),
	}
	cited, places := make(map[ID]bool), make(map[string]int)
	for _, b := range blocks {
		for _, e := range b.Edges() {
			cited[e] = true
		}
		places[fmt.Sprint(b.Author, b.Seq)]++
		if places[fmt.Sprint(b.Author, b.Seq)] > 1 {
			m.forks++
			m.forked[b.Author] = true
		}
		if n := blocks[m.newest[b.Author]]; n == nil || b.Seq > n.Seq || b.Seq == n.Seq && b.ID().Compare(n.ID()) < 0 {
			m.newest[b.Author] = b.ID()
		}
		if b.Seq == 0 {
			m.first[b.Author] = b.ID()
		}
	}
	for _, id := range m.order {
		if !cited[id] {
			m.heads = append(m.heads, id)
		}
	}
	return m
}

// I1: the same blocks come to the same lines, heads and order, in whatever order and how often they arrive.
func TestAnyArrivalGivesTheSameChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorlds(t)
		w := drawWorld(t, shared())
		arrivals := rapid.Permutation(all).Draw(t, "arrival")
		again := rapid.SliceOfN(rapid.SampledFrom(all), 0, 10).Draw(t, "duplicates")
		for _, b := range slices.Concat(arrivals, again) {
			if err := w.deliver(must(Parse(b.Bytes()))); err != nil {
				t.Fatal(err)
			}
		}
		checkInvariants(t, w)
		blocks := make(map[ID]*Block)
		for _, b := range all {
			blocks[b.ID()] = b
		}
		m := modelOf(blocks)
		if len(w.waiting) > 0 || !slices.Equal(w.order(), m.order) || len(w.Devices()) != len(m.newest) {
			t.Fatalf("%d of %d blocks admitted, %d wait", len(w.blocks), len(blocks), len(w.waiting))
		}
		for d, id := range m.newest {
			line := w.Line(d)
			if line.Newest.ID != id || line.First.ID() != m.first[d] || (line.Fork != nil) != m.forked[d] {
				t.Fatalf("device %s: newest %s, want %s; forked %v, want %v", d.Short(), line.Newest.ID.Short(), id.Short(), line.Fork != nil, m.forked[d])
			}
		}
	})
}

// I2: what is said of a block with only its ancestors there is what is said of it with everything there, for good blocks and
// for bad ones.
func TestAdmissionDependsOnAncestorsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorlds(t)
		full := drawWorld(t, shared())
		for _, b := range all {
			deliver(t, full, b)
		}
		b := rapid.SampledFrom(all).Draw(t, "block")
		part := drawWorld(t, shared())
		for _, a := range ancestors(all, b) {
			if a != b {
				deliver(t, part, a)
			}
		}
		judged := []*Block{b}
		if bad := drawBad(t, b, part); bad != nil {
			judged = append(judged, bad)
		}
		for _, b := range judged {
			missing1, err1 := full.Check(b)
			missing2, err2 := part.Check(b)
			if len(missing1)+len(missing2) > 0 || fmt.Sprint(err1) != fmt.Sprint(err2) {
				t.Fatalf("with all: %v, with its ancestors: %v", err1, err2)
			}
		}
		if _, err := full.Check(b); err != nil {
			t.Fatal(err)
		}
	})
}

// drawBad signs a block like b that breaks a rule, over edges that part has. It is nil when b allows none.
func drawBad(t *rapid.T, b *Block, part *world) *Block {
	if b.Kind == KindGenesis {
		return nil
	}
	h := b.Header
	edges := slices.Collect(maps.Keys(part.blocks))
	slices.SortFunc(edges, ID.Compare)
	switch rapid.IntRange(0, 4).Draw(t, "wrong") {
	case 0:
		h.T = uint64(rapid.IntRange(0, int(b.T)).Draw(t, "t"))
	case 1:
		h.Seq += uint64(rapid.IntRange(1, 3).Draw(t, "ahead"))
		h.Prev, h.Parents = rapid.SampledFrom(edges).Draw(t, "prev"), nil
	case 2:
		h.Kind = KindPubKey
	case 3:
		h.Parents = []ID{rapid.SampledFrom(edges).Draw(t, "parent")}
	case 4:
		h.Tag[3]++
	}
	for i := range 6 {
		if d := identitytest.Device(i); d.Device() == b.Author {
			bad, err := Sign(d, h, b.Body())
			if err != nil {
				return nil
			}
			return bad
		}
	}
	return nil
}

// Holding a block back changes nothing in the end, and until then the heads are those of what is not held.
func TestHeldAndReleasedGivesTheSameChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorlds(t)
		now := start + uint64(rapid.IntRange(0, 80).Draw(t, "now")) - MaxAhead
		w, early := drawWorld(t, shared()), make(map[ID]*Block)
		every := map[ID]*Block{shared().genesis.ID(): shared().genesis}
		for _, b := range all {
			every[b.ID()] = b
		}
		for _, id := range canonical(every) {
			b := every[id]
			switch {
			case b.T <= now+MaxAhead || b.Kind == KindGenesis:
				early[id] = b
				deliver(t, w, b)
			default:
				w.blocks[id] = b
				w.Hold(b)
			}
		}
		if got, want := ids(w.Heads()), modelOf(early).heads; !slices.Equal(got, want) {
			t.Fatalf("heads %v, want %v", got, want)
		}
		for ; len(w.Held()) > 0; now += 7 {
			w.Release(now)
		}
		if got, want := ids(w.Heads()), modelOf(every).heads; !slices.Equal(got, want) {
			t.Fatalf("heads %v, want %v", got, want)
		}
	})
}
