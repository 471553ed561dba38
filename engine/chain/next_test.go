package chain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/identity/identitytest"
)

func TestNextCitesEveryHeadAndComesAfterThem(t *testing.T) {
	h := newHistory(t, "a1@10 -> b1@20 \n a1 -> c1@90")
	w := h.world(t)
	for letter, cites := range map[byte]string{'a': "b1 c1", 'b': "c1", 'c': "b1"} {
		d := identitytest.Device(device(letter)).Device()
		next, ok := w.Next(d, start+50)
		if !ok || h.names(next.Parents) != cites {
			t.Errorf("%c cites %s, want %s", letter, h.names(next.Parents), cites)
		}
		if next.Seq != 2 || next.Prev != w.Line(d).Newest.ID || next.T != start+91 || next.Wall != start+50 {
			t.Errorf("%c: seq %d, t %d, wall %d", letter, next.Seq, next.T-start, next.Wall-start)
		}
		if later, _ := w.Next(d, start+5000); later.T != start+5000 {
			t.Errorf("%c: t %d with a clock after the heads", letter, later.T-start)
		}
	}
	if _, ok := w.Next(identitytest.Device(9).Device(), start); ok {
		t.Error("a stranger has a next block")
	}
	if first := w.First(1); first.T != start+1 || first.Kind != KindPubKey {
		t.Errorf("first block at %d", first.T)
	}
}

func TestPastSixteenHeadsTheSixteenLowestAreCited(t *testing.T) {
	var text strings.Builder
	for i := range 20 { // b … u, each with a block of its own; t descends
		fmt.Fprintf(&text, "%c1@%d\n", 'b'+i, 500-7*i)
	}
	h := newHistory(t, text.String())
	w := h.world(t)
	next, _ := w.Next(identitytest.Device(0).Device(), start)
	if len(w.Heads()) != 20 || len(next.Parents) != MaxParents { // genesis is cited by every first block
		t.Fatalf("%d heads, %d cited", len(w.Heads()), len(next.Parents))
	}
	if want := ids(w.Heads()[:MaxParents]); !slices.Equal(next.Parents, want) {
		t.Errorf("cites %s, want %s", h.names(next.Parents), h.names(want))
	}
	next.Kind = KindMessage
	b := must(Sign(identitytest.Device(0), next, nil))
	if err := w.deliver(b); err != nil {
		t.Fatal(err)
	}
	if len(w.Heads()) != 20-MaxParents+1 {
		t.Errorf("%d heads left", len(w.Heads()))
	}
}

// T29: a clock ahead poisons nobody. A held block is admitted, and neither cited nor counted among the heads, and what it
// cites stays a head, until its time comes.
func TestHeldBlockIsNotCitedUntilItsTime(t *testing.T) {
	h := newHistory(t, "a1@10 -> b1@20 -> c1@900000 -> c2@900001")
	held := []string{"c1", "c2"}
	w := newWorld(t, h.round)
	for _, name := range []string{"b0", "c0", "a1", "b1"} {
		if err := w.deliver(h.blocks[name]); err != nil {
			t.Fatal(err)
		}
	}
	a := identitytest.Device(0).Device()
	for _, name := range held {
		b := h.blocks[name]
		if missing, err := w.Check(b); err != nil || len(missing) > 0 {
			t.Fatalf("%s: missing %d, %v", name, len(missing), err)
		}
		w.blocks[b.ID()] = b
		w.Hold(b)
		w.Hold(b) // after a start it is given again
	}
	if got := h.names(ids(w.Heads())); got != "b1 c0" {
		t.Errorf("heads %s, want b1 c0", got)
	}
	if got := h.names(ids(w.Held())); got != "c1 c2" {
		t.Errorf("held %s", got)
	}
	if w.Line(identitytest.Device(2).Device()).Newest.ID != h.blocks["c2"].ID() {
		t.Error("the author's line does not go on")
	}
	next, _ := w.Next(a, start+100)
	if got := h.names(next.Parents); got != "b1 c0" || next.T > start+100 {
		t.Errorf("next cites %s at %d", got, next.T-start)
	}
	if released, _ := w.Release(start + 900000 - MaxAhead - 1); len(released) > 0 {
		t.Errorf("%s released early", h.names(ids(released)))
	}
	released, spent := w.Release(start + 900000 - MaxAhead)
	if h.names(ids(released)) != "c1" || h.names(spent) != "b1 c0" {
		t.Errorf("released %s, spent %s", h.names(ids(released)), h.names(spent))
	}
	w.Release(start + 900001)
	if got := h.names(ids(w.Heads())); got != "c2" || len(w.Held()) > 0 {
		t.Errorf("heads %s", got)
	}
	if next, _ := w.Next(a, start+900001); h.names(next.Parents) != "c2" {
		t.Error("a released block is not cited")
	}
	// A clock set back: heads that lie ahead now are not cited either.
	if next, _ := w.Next(a, start); len(next.Parents) > 0 {
		t.Errorf("with the clock set back next cites %s", h.names(next.Parents))
	}
}

// The own line goes on however far ahead it is, and genesis may always be cited.
func TestOwnLineAndGenesisAreNeverHeld(t *testing.T) {
	h := newHistory(t, "a1@900000")
	w := h.world(t)
	if next, _ := w.Next(identitytest.Device(0).Device(), start); next.Prev != h.blocks["a1"].ID() || next.T != start+900001 {
		t.Errorf("t %d", next.T-start)
	}
	w = newWorld(t, h.round)
	w.lines[identitytest.Device(1).Device()] = &Line{Newest: Place{Seq: 0, T: start + 1}}
	if next, _ := w.Next(identitytest.Device(1).Device(), 5); len(next.Parents) != 1 {
		t.Error("genesis is held")
	}
}
