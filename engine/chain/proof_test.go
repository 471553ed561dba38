package chain

import (
	"errors"
	"slices"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// forkOf signs two blocks of device i under one seq.
func forkOf(r *round, i int) (first, a, b *Block) {
	first = r.pubKey(i, start+1)
	h := Header{Tag: r.id.Tag(), Kind: KindMessage, Seq: 1, Prev: first.ID(), T: start + 2}
	return first, must(Sign(identitytest.Device(i), h, []byte("one"))), must(Sign(identitytest.Device(i), h, []byte("other")))
}

func TestProofOfAFork(t *testing.T) {
	w := newWorld(t, shared())
	first, a, b := forkOf(w.round, 1)
	for _, pair := range [][2]*Block{{a, b}, {b, a}} {
		d, f, err := w.Proof(pair[0].Signed(), pair[1].Signed())
		if err != nil || d != a.Author || f != (Fork{Seq: 1, A: a.ID(), B: b.ID()}.sorted()) {
			t.Errorf("device %s forks at %+v, %v", d.Short(), f, err)
		}
	}
	h := Header{Tag: identity.Tag{1}, Kind: KindMessage, Seq: 1, Prev: first.ID(), T: start + 2}
	elsewhere, too := must(Sign(identitytest.Device(1), h, []byte("one"))), must(Sign(identitytest.Device(1), h, nil))
	bad := slices.Clone(b.Signed())
	bad[len(bad)-1] ^= 1
	_, byAnother, _ := forkOf(w.round, 2)
	for name, pair := range map[string][2][]byte{
		"one block twice": {a.Signed(), a.Signed()},
		"two seqs":        {first.Signed(), a.Signed()},
		"two authors":     {a.Signed(), byAnother.Signed()},
		"a bad signature": {a.Signed(), bad},
		"a body":          {a.Signed(), b.Bytes()},
		"a cut signature": {a.Signed(), b.Signed()[:len(b.Signed())-1]},
		"nothing":         {a.Signed(), nil},
		"another round":   {elsewhere.Signed(), too.Signed()},
	} {
		var f *Fault
		if _, _, err := w.Proof(pair[0], pair[1]); !errors.As(err, &f) {
			t.Errorf("%s proves a fork: %v", name, err)
		}
	}
}

// What a header says is the same whether the body comes with it or not.
func FuzzParseHeaderOnly(f *testing.F) {
	seed(f, "blocks.json", func(v blockVector) []byte { return v.Block })
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Parse(raw)
		if err != nil {
			ParseHeaderOnly(raw)
			return
		}
		h, id, err := ParseHeaderOnly(b.Signed())
		if verr := b.Verify(); (err == nil) != (verr == nil) {
			t.Fatalf("with the body %v, without %v", verr, err)
		}
		if err == nil && (id != b.ID() || h.Author != b.Author || h.Seq != b.Seq || h.T != b.T) {
			t.Fatalf("%s read as %s", b, id)
		}
	})
}
