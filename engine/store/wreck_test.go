package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"opentalk/engine/identity"
)

// finds is what was found in a wreck of what fill writes, by name.
type finds struct {
	t      *testing.T
	w      *Wreck
	values map[string]string
	blocks map[ID]bool
	counts uint64
}

func (f *finds) note(tag identity.Tag, what string, value []byte) {
	f.values[tag.String()+" "+what] = string(value)
}

func (f *finds) FoundRound(tag identity.Tag, value []byte) { f.note(tag, "round", value) }
func (f *finds) FoundCounts(tag identity.Tag, blocks, _ uint64) {
	f.counts = max(f.counts, blocks)
}
func (f *finds) FoundPeer(tag identity.Tag, p Peer) {
	f.note(tag, fmt.Sprint("peer ", p.Device[0]), p.Value)
}
func (f *finds) FoundSetting(tag identity.Tag, name string, value []byte) { f.note(tag, name, value) }
func (f *finds) FoundDraft(tag identity.Tag, n uint64, d Draft) {
	f.note(tag, fmt.Sprint("draft ", d.ID[0], " as ", n), d.Value)
}

func (f *finds) FoundBlock(tag identity.Tag, e Entry, at Spot) {
	raw, err := f.w.Raw(at)
	n := int(e.Arrival) - 1
	if at.raw != nil { // the journal does not say when it arrived
		n = int(4*e.Seq) + int(e.Author[0])
	}
	want, wantRaw, _ := testBlock(n)
	want.Arrival = e.Arrival
	if e != want || !bytes.Equal(raw, wantRaw) || tag != testTag || err != nil {
		f.t.Errorf("block %d of %d bytes: %v", e.Arrival, len(raw), err)
	}
	f.blocks[e.ID] = true
}

func findAll(t *testing.T, path string) *finds {
	t.Helper()
	w, err := OpenWreck(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f := &finds{t: t, w: w, values: map[string]string{}, blocks: map[ID]bool{}}
	if err := w.Search(nil, f, func(int64, int64) {}); err != nil {
		t.Error(err)
	}
	return f
}

// TestWreck: in a whole file everything is found, and nothing that was removed; in a damaged one nothing that was not there
// once, and no block of another page is lost.
func TestWreck(t *testing.T) {
	const blocks = 260
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, blocks)
	if _, err := OpenWreck(path); !errors.As(err, new(*InUseError)) {
		t.Error(err)
	}
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := findAll(t, path)
	if len(whole.blocks) != blocks || whole.counts != blocks || len(whole.values) != 2+39+40+40 {
		t.Errorf("%d blocks, %d counted, %d values", len(whole.blocks), whole.counts, len(whole.values))
	}
	root, _ := parseRoot(good)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, h := range harms(rand.New(rand.NewPCG(seed, 1)), int(root.pages*root.pageSize), *damageStates/4) {
		if err := os.WriteFile(path, h.apply(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		f := findAll(t, path)
		for what, v := range f.values {
			// Without the list of free pages what was removed comes back.
			if was, ok := whole.values[what]; (!ok || was != v) && !strings.Contains(what, "draft 7 as ") {
				t.Errorf("%s: %s is invented", h.what, what)
			}
		}
		if lost := blocks - len(f.blocks); strings.HasPrefix(h.what, "flip") && lost > 40 {
			t.Errorf("%s: %d blocks are lost", h.what, lost)
		}
	}
}

// TestReplace: the new file has the place and the wreck another name, which is never one that is taken; with all names taken
// nothing is changed.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for n := 1; n <= maxWrecks+1; n++ {
		old, fresh := fmt.Sprint("old ", n), fmt.Sprint("fresh ", n)
		for name, text := range map[string]string{path: old, path + ".new": fresh} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := OpenWreck(path)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := w.Keep()
		if err == nil {
			err = w.Replace(path + ".new")
		}
		w.Close()
		now, _ := os.ReadFile(path)
		aside, _ := os.ReadFile(kept)
		switch {
		case n > maxWrecks:
			if !errors.Is(err, ErrWrecks) || string(now) != old {
				t.Errorf("%q in its place: %v", now, err)
			}
		case err != nil || string(now) != fresh || string(aside) != old:
			t.Errorf("%q in its place, %q aside: %v", now, aside, err)
		}
	}
}
