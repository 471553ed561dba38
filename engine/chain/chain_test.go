package chain

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// wantRule checks that err is the fault of one rule.
func wantRule(t *testing.T, what string, err error, rule int) {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Rule != rule {
		t.Errorf("%s: %v, want a fault of V%d", what, err, rule)
	}
}

func TestHeadsAreWhatNobodyCites(t *testing.T) {
	for text, heads := range map[string]string{
		"a1":                              "a1",
		"a1 -> b1":                        "b1",
		"a1 -> b1 \n a1 -> c1":            "b1 c1",
		"a1 -> b1 -> a2 \n a1 -> c1":      "a2 c1",
		"a1 -> b1 -> a2 \n c1 -> a2":      "a2",
		"a1 \n a1' \n b1":                 "a1 a1' b1",
		"a1 -> a2 \n a1 -> a2' -> b1":     "a2 b1",
		"b0 \n c0":                        "b0 c0",
		"a1' -> a2 -> b1 \n a1 -> b1@100": "b1",
	} {
		h := newHistory(t, text)
		if got := h.names(ids(h.world(t).Heads())); got != heads {
			t.Errorf("%q: heads %s, want %s", text, got, heads)
		}
	}
}

// Each rule that needs the round or the edges, broken alone. V1 and V2 have their own tests.
func TestEachRuleRefusesByItself(t *testing.T) {
	h := newHistory(t, "a1@10 -> b1@20 -> a2@30")
	w, tag := h.world(t), h.round.id.Tag()
	sign := func(i int, head Header, body []byte) *Block {
		return must(Sign(identitytest.Device(i), head, body))
	}
	id := func(name string) ID { return h.blocks[name].ID() }
	first := Header{Tag: tag, Kind: KindPubKey, Parents: []ID{id("a0")}, T: start + 40}
	body := h.round.pubKeyBody(2, first)
	next := Header{Tag: tag, Kind: KindMessage, Seq: 3, Prev: id("a2"), T: start + 40}
	with := func(head Header, change func(*Header)) Header { change(&head); return head }

	for _, c := range []struct {
		what  string
		rule  int
		block *Block
	}{
		{"nothing wrong", 0, sign(0, next, nil)},
		{"nothing wrong in a first block", 0, sign(2, first, body)},
		{"an unknown kind", 0, sign(0, with(next, func(h *Header) { h.Kind = 77 }), nil)},
		{"an unknown epoch", 0, sign(0, with(next, func(h *Header) { h.Epoch[0] = 1 }), nil)},
		{"a clock years ahead", 0, sign(0, with(next, func(h *Header) { h.T, h.Wall = MaxTime, MaxTime }), nil)},
		{"an older block cited", 0, sign(0, with(next, func(h *Header) { h.Parents = []ID{id("a0")} }), nil)},
		{"another round's tag", 1, sign(0, with(next, func(h *Header) { h.Tag[0]++ }), nil)},
		{"another round's genesis", 1, newRound(1).genesis},
		{"seq 0 and another kind", 3, sign(2, with(first, func(h *Header) { h.Kind = KindMessage }), body)},
		{"seq 0 and an unknown kind", 3, sign(2, with(first, func(h *Header) { h.Kind = 77 }), body)},
		{"pubkey later than seq 0", 3, sign(0, with(next, func(h *Header) { h.Kind = KindPubKey }), body)},
		{"first block that does not cite genesis", 3, sign(2, with(first, func(h *Header) { h.Parents = []ID{id("a1")} }), body)},
		{"credential of another device", 3, sign(3, first, body)},
		{"credential changed", 3, sign(2, first, flip(body, 800))},
		{"body of another shape", 3, sign(2, first, body[1:])},
		{"sealed handle too long", 3, sign(2, first, resize(body, SealedHandle+1))},
		{"seq left out", 4, sign(0, with(next, func(h *Header) { h.Seq = 4 }), nil)},
		{"seq too low", 4, sign(0, with(next, func(h *Header) { h.Seq = 2 }), nil)},
		{"prev of another author", 4, sign(0, with(next, func(h *Header) { h.Prev, h.Seq = id("b1"), 2 }), nil)},
		{"t of prev", 6, sign(0, with(next, func(h *Header) { h.T = start + 30 }), nil)},
		{"t before prev", 6, sign(0, with(next, func(h *Header) { h.T = 1 }), nil)},
		{"t of a parent", 6, sign(1, Header{Tag: tag, Kind: KindMessage, Seq: 2, Prev: id("b1"), Parents: []ID{id("a2")}, T: start + 30}, nil)},
		{"t of genesis", 6, sign(2, with(first, func(h *Header) { h.T = start }), body)},
	} {
		missing, err := w.Check(c.block)
		switch {
		case c.rule > 0:
			wantRule(t, c.what, err, c.rule)
		case err != nil || len(missing) > 0:
			t.Errorf("%s: missing %d, %v", c.what, len(missing), err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// resize gives the body of a pubkey block another sealed handle of n bytes.
func resize(body []byte, n int) []byte {
	p := must(ParsePubKey(body))
	p.Handle = make([]byte, n)
	return must(encMode.Marshal(p))
}

// A missing edge is never a fault: not V4, not V6, and not because of how many are missing.
func TestMissingEdgesAreNamedAndNoFault(t *testing.T) {
	h := newHistory(t, "a1 -> b1 -> a2 \n c1 -> a2")
	w := newWorld(t, h.round)
	b := h.blocks["a2"]
	missing, err := w.Check(b)
	if err != nil || !slices.Equal(missing, b.Edges()) {
		t.Errorf("missing %s, %v", h.names(missing), err)
	}
	for _, name := range []string{"b0", "c0", "a1", "b1"} {
		if err := w.deliver(h.blocks[name]); err != nil {
			t.Fatal(err)
		}
	}
	if missing, err := w.Check(b); err != nil || h.names(missing) != "c1" {
		t.Errorf("missing %s, %v", h.names(missing), err)
	}
}

func TestLookupErrorIsNoFault(t *testing.T) {
	h := newHistory(t, "a1")
	w, broken := newWorld(t, h.round), errors.New("disk")
	w.Chain.lookup = func(ID) (Place, bool, error) { return Place{}, false, broken }
	_, err := w.Check(h.blocks["a1"])
	var f *Fault
	if !errors.Is(err, broken) || errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

func TestRoundBeginsWithItsOwnGenesisOnly(t *testing.T) {
	r, other := shared(), newRound(1)
	if _, err := New(r.id, other.genesis, nil, r.creds); err == nil {
		t.Error("genesis of another round is accepted")
	}
	sealedHandle := r.pubKeyBody(0, Header{})
	for what, body := range map[string][]byte{"a pubkey body": sealedHandle, "nothing": nil, "another's credential": other.genesis.Body()} {
		g, err := Sign(identitytest.Device(0), Header{Kind: KindGenesis, T: 1}, body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(identity.RoundIDOf(g.Bytes()), g, nil, r.creds)
		wantRule(t, what, err, 3)
	}
	forged := must(Parse(flip(r.genesis.Bytes(), r.genesis.header)))
	_, err := New(identity.RoundIDOf(forged.Bytes()), forged, nil, r.creds)
	wantRule(t, "signature", err, 2)
}

// T6: a signed block is of one round, one author, one kind and one seq.
func TestMovedBlockIsRefused(t *testing.T) {
	h := newHistory(t, "a1 -> b1")
	other := newWorld(t, newRound(1))
	_, err := other.Check(h.blocks["b1"])
	wantRule(t, "moved to another round", err, 1)

	w, b := h.world(t), h.blocks["b1"]
	for what, change := range map[string]func(*Header){
		"author": func(h *Header) { h.Author = identitytest.Device(0).Device() },
		"kind":   func(h *Header) { h.Kind = KindTopic },
		"seq":    func(h *Header) { h.Seq = 2 },
		"epoch":  func(h *Header) { h.Epoch[5] = 1 },
		"tag":    func(h *Header) { h.Tag = other.Tag() },
		"prev":   func(h *Header) { h.Prev = h.Parents[0] },
		"t":      func(h *Header) { h.T++ },
		"wall":   func(h *Header) { h.Wall++ },
	} {
		head := b.Header
		head.Parents = slices.Clone(head.Parents)
		change(&head)
		if head.Prev == head.Parents[0] {
			head.Parents = nil
		}
		raw := append(must(encodeHeader(head)), b.raw()[b.header:]...)
		moved, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		wantRule(t, "another "+what, moved.Verify(), 2)
		if _, err := w.Check(moved); err == nil {
			t.Errorf("another %s: admitted", what)
		}
	}
}

// T19: a bad copy does not spoil the good block, whichever comes first.
func TestBadCopyFirstThenTheGoodOne(t *testing.T) {
	h := newHistory(t, "a1")
	good := h.blocks["a1"].Bytes()
	bad := flip(good, h.blocks["a1"].header+3)
	w := newWorld(t, h.round)
	for i, raw := range [][]byte{bad, good, bad, good} {
		b, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.deliver(b); (err == nil) != (i%2 == 1) {
			t.Errorf("copy %d: %v", i, err)
		}
	}
}

// T11: no change to any byte of a block gives another that is admitted, or one with the same id.
func TestBlockWithAnyByteChangedIsNeverAdmitted(t *testing.T) {
	h := newHistory(t, "a1 -> b1 -> a2")
	w := h.world(t)
	for _, name := range []string{"b0", "a2"} {
		b := h.blocks[name]
		for i := range b.raw() {
			for _, mask := range []byte{0x01, 0x80, 0x20} {
				raw := slices.Clone(b.raw())
				raw[i] ^= mask
				changed, err := Parse(raw)
				if err != nil {
					continue
				}
				if changed.ID() == b.ID() {
					t.Errorf("%s with byte %d changed has the same id", name, i)
				}
				if _, err := w.Check(changed); err == nil {
					t.Errorf("%s with byte %d changed is admitted", name, i)
				}
			}
		}
	}
}

func TestForkIsKeptAndItsAuthorNoLongerCited(t *testing.T) {
	h := newHistory(t, "a1 -> b1 -> a2 \n a1 -> b1'@50")
	w := h.world(t)
	b, a := identitytest.Device(1).Device(), identitytest.Device(0).Device()
	low, high := h.blocks["b1"].ID(), h.blocks["b1'"].ID()
	if low.Compare(high) > 0 {
		low, high = high, low
	}
	if f := w.Line(b).Fork; f == nil || *f != (Fork{Seq: 1, A: low, B: high}) {
		t.Errorf("fork %v", f)
	}
	if w.Line(b).Newest.ID != low {
		t.Error("newest is not the lower id")
	}
	w.Flag(a, Fork{Seq: 1, A: high, B: low})
	if f := w.Line(a).Fork; f.A != low || f.B != high {
		t.Error("the lower id is not first in the proof")
	}
	w.Line(a).Fork = nil
	w.Flag(b, Fork{Seq: 9})
	if w.Line(b).Fork.Seq != 1 {
		t.Error("a second proof replaced the first")
	}
	next, _ := w.Next(a, start)
	if got := h.names(next.Parents); got != "" {
		t.Errorf("next cites %s", got)
	}
}

// Two first blocks of one device: which came first must not matter.
func TestFirstBlockDoesNotDependOnArrival(t *testing.T) {
	r := shared()
	early, late := r.pubKey(1, start+5), r.pubKey(1, start+9)
	for _, order := range [][]*Block{{early, late}, {late, early}} {
		w := newWorld(t, r)
		for _, b := range order {
			if err := w.deliver(b); err != nil {
				t.Fatal(err)
			}
		}
		if w.Line(early.Author).First != early {
			t.Errorf("first is %s", w.Line(early.Author).First)
		}
	}
}

func TestRestoreGivesTheSameChain(t *testing.T) {
	h := newHistory(t, "a1 -> b1 -> a2 \n a1 -> c1 \n a1 -> c1'")
	w := h.world(t)
	var lines []Line
	for _, d := range w.Devices() {
		l := *w.Line(d)
		l.Credential = nil
		lines = append(lines, l)
	}
	again := &world{round: h.round, blocks: w.blocks}
	again.Chain = must(New(h.round.id, h.round.genesis, again.lookup, h.round.creds))
	if err := again.Restore(lines, w.Heads()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Heads(), w.Heads()) || !slices.Equal(again.Devices(), w.Devices()) {
		t.Error("other heads or devices")
	}
	for _, d := range w.Devices() {
		a, b := again.Line(d), w.Line(d)
		if a.Newest != b.Newest || a.First != b.First || a.Fork != b.Fork || a.Credential.Fingerprint() != b.Credential.Fingerprint() {
			t.Errorf("device %s: %+v, want %+v", d.Short(), a, b)
		}
	}
	damaged := *w.Line(identitytest.Device(1).Device())
	damaged.First = must(Sign(identitytest.Device(1), Header{Tag: w.Tag(), Kind: KindPubKey, Parents: []ID{w.Genesis()}}, []byte("?")))
	wantRule(t, "damaged first block", again.Restore([]Line{damaged}, nil), 3)
}

func TestUnknownKindSurvives(t *testing.T) {
	h := newHistory(t, "a1")
	w := h.world(t)
	next, _ := w.Next(identitytest.Device(0).Device(), start)
	next.Kind = 1 << 40
	b := must(Parse(must(Sign(identitytest.Device(0), next, []byte("from the future"))).Bytes()))
	if err := w.deliver(b); err != nil {
		t.Fatal(err)
	}
	if after, _ := w.Next(identitytest.Device(0).Device(), start); after.Prev != b.ID() {
		t.Error("the line does not go on from an unknown kind")
	}
	if string(w.blocks[b.ID()].Body()) != "from the future" || !strings.Contains(b.Kind.String(), "1099511627776") {
		t.Error("the unknown kind came back changed")
	}
	if slices.Collect(maps.Keys(w.heads))[0] != b.ID() {
		t.Error("it is no head")
	}
}
