package chain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/seal"
)

// start is the t of genesis in every test.
const start = 1_750_000_000_000

// shared is what every test's round has: one genesis by device a, and one verifier.
var shared = sync.OnceValue(func() *round {
	r := newRound(0)
	r.creds = new(identity.Verifier)
	return r
})

type round struct {
	id      identity.RoundID
	genesis *Block
	creds   *identity.Verifier
}

// testRandom is easy to find in whatever shows it.
func testRandom() (r [32]byte) {
	for i := range r {
		r[i] = 0xa1 + byte(i)
	}
	return r
}

func newRound(author int) *round {
	d := identitytest.Device(author)
	body, err := (&Genesis{
		Random: testRandom(), Name: "test",
		PubKey: PubKey{Credential: identitytest.Credential(author).Bytes(), HPKE: d.HPKE(), Handle: []byte("alice")},
	}).Encode()
	if err != nil {
		panic(err)
	}
	g := must(Sign(d, Header{Kind: KindGenesis, T: start, Wall: start}, body))
	return &round{id: identity.RoundIDOf(g.Bytes()), genesis: g, creds: new(identity.Verifier)}
}

// place is where the body of a block with this header belongs.
func bodyPlace(h Header) seal.Place {
	return seal.Place{Tag: h.Tag, Kind: uint64(h.Kind), Epoch: h.Epoch, Author: h.Author, Seq: h.Seq}
}

// pubKeyBody is the body of the first block of device i.
func (r *round) pubKeyBody(i int, h Header) []byte {
	d := identitytest.Device(i)
	h.Author = d.Device()
	handle := must(EncodeHandle(fmt.Sprintf("member-%d", i)))
	return must((&PubKey{
		Credential: identitytest.Credential(i).Bytes(), HPKE: d.HPKE(),
		Handle: seal.Body(r.id.ContentKey(), bodyPlace(h), handle),
	}).Encode())
}

// pubKey signs the first block of device i.
func (r *round) pubKey(i int, t uint64) *Block {
	h := Header{Tag: r.id.Tag(), Kind: KindPubKey, Parents: []ID{r.genesis.ID()}, T: t, Wall: t}
	return must(Sign(identitytest.Device(i), h, r.pubKeyBody(i, h)))
}

// world is a chain and the blocks that it has admitted. It holds back what waits for others.
type world struct {
	*Chain
	round   *round
	blocks  map[ID]*Block
	waiting []*Block
}

func newWorld(t testing.TB, r *round) *world {
	t.Helper()
	w := &world{round: r, blocks: make(map[ID]*Block)}
	c, err := New(r.id, r.genesis, w.lookup, r.creds)
	if err != nil {
		t.Fatal(err)
	}
	w.Chain = c
	w.blocks[r.genesis.ID()] = r.genesis
	return w
}

func (w *world) lookup(id ID) (Place, bool, error) {
	b, ok := w.blocks[id]
	if !ok {
		return Place{}, false, nil
	}
	return place(b), true, nil
}

// deliver does what an engine does with a block: admits it, holds it back, or gives the fault.
func (w *world) deliver(b *Block) error {
	if w.blocks[b.ID()] != nil {
		return nil
	}
	missing, err := w.Check(b)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		w.waiting = append(w.waiting, b)
		return nil
	}
	w.admit(b)
	waiting := w.waiting
	w.waiting = nil
	for _, b := range waiting {
		if err := w.deliver(b); err != nil {
			return err
		}
	}
	return nil
}

// admit adds a block and flags its author if it forks.
func (w *world) admit(b *Block) {
	for _, o := range w.blocks {
		if o.Author == b.Author && o.Seq == b.Seq {
			defer w.Flag(b.Author, Fork{Seq: b.Seq, A: o.ID(), B: b.ID()})
		}
	}
	w.blocks[b.ID()] = b
	w.Add(b)
}

// order is the canonical order of what has been admitted.
func (w *world) order() []ID {
	return canonical(w.blocks)
}

func canonical(blocks map[ID]*Block) []ID {
	var all []*Block
	for _, b := range blocks {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *Block) int { return a.Position().Compare(b.Position()) })
	ids := make([]ID, len(all))
	for i, b := range all {
		ids[i] = b.ID()
	}
	return ids
}

// history is blocks by name, written in a small language. A name is a device's letter and a seq, so that a0 is genesis and
// b0 is b's first block; a prime makes another block of the same seq. An arrow says that the right one cites the left one:
//
//	a1 -> b1 -> a2
//	a1 -> c1 -> a2
//	a1 -> a2'
//
// Every block also cites the previous one of its author, which is the one without a prime unless an arrow says otherwise. t is
// one more than that of the latest edge, or what stands behind '@', counted from genesis. A block must be named to the left of
// an arrow before one that cites it is complete; lines may come in any order.
type history struct {
	round  *round
	blocks map[string]*Block
}

func device(letter byte) int { return int(letter - 'a') }

type named struct {
	letter byte
	seq    uint64
	t      uint64
	edges  []string
}

func newHistory(t testing.TB, text string) *history {
	t.Helper()
	h := &history{round: shared(), blocks: map[string]*Block{"a0": shared().genesis}}
	all := make(map[string]*named)
	for line := range strings.Lines(text) {
		var left string
		for _, word := range strings.Split(strings.TrimSpace(line), "->") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			name, at, _ := strings.Cut(word, "@")
			n := all[name]
			if n == nil {
				seq, err := strconv.ParseUint(strings.TrimRight(name[1:], "'"), 10, 64)
				if err != nil {
					t.Fatalf("history: %q", word)
				}
				n = &named{letter: name[0], seq: seq}
				all[name] = n
			}
			if at != "" {
				ahead, err := strconv.ParseInt(at, 10, 64)
				if err != nil {
					t.Fatalf("history: %q", word)
				}
				n.t = uint64(start + ahead)
			}
			if left != "" {
				n.edges = append(n.edges, left)
			}
			left = name
		}
	}
	for name := range all {
		h.sign(t, all, name)
	}
	return h
}

func (h *history) sign(t testing.TB, all map[string]*named, name string) *Block {
	t.Helper()
	if b := h.blocks[name]; b != nil {
		return b
	}
	n := all[name]
	if n == nil {
		n = &named{letter: name[0]} // a first block that nobody wrote down
		if name[1:] != "0" {
			t.Fatalf("history: %s is cited and not there", name)
		}
	}
	if n.seq == 0 {
		h.blocks[name] = h.round.pubKey(device(n.letter), cmp.Or(n.t, start+1))
		return h.blocks[name]
	}
	head := Header{Tag: h.round.id.Tag(), Kind: KindMessage, Seq: n.seq, Wall: start}
	prev := fmt.Sprintf("%c%d", n.letter, n.seq-1)
	for _, e := range n.edges {
		if e[0] == n.letter && strings.TrimRight(e, "'") == prev {
			prev = e
		}
	}
	for _, e := range append(n.edges, prev) {
		edge := h.sign(t, all, e)
		head.T = max(head.T, edge.T+1)
		switch {
		case e == prev:
			head.Prev = edge.ID()
		case !slices.Contains(head.Parents, edge.ID()):
			head.Parents = append(head.Parents, edge.ID())
		}
	}
	head.T = cmp.Or(n.t, head.T)
	b, err := Sign(identitytest.Device(device(n.letter)), head, []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	h.blocks[name] = b
	return b
}

// world admits the whole history, in canonical order.
func (h *history) world(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, h.round)
	all := make(map[ID]*Block)
	for _, b := range h.blocks {
		all[b.ID()] = b
	}
	for _, id := range canonical(all) {
		if err := w.deliver(all[id]); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.waiting) > 0 {
		t.Fatalf("%d blocks wait", len(w.waiting))
	}
	return w
}

// names gives ids their names again, sorted.
func (h *history) names(ids []ID) string {
	var out []string
	for _, id := range ids {
		name := id.Short()
		for n, b := range h.blocks {
			if b.ID() == id {
				name = n
			}
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func ids(places []Place) []ID {
	out := make([]ID, len(places))
	for i, p := range places {
		out[i] = p.ID
	}
	return out
}
