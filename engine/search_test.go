package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// TestSearch finds what is there and nothing else, the newest first, goes on from where it stopped, and holds nobody up.
func TestSearch(t *testing.T) {
	const n = 2000
	long := longHistory(t, n)
	e := at(t, long.home(t), nil)
	drain(e)
	var want []string
	for i := enginetest.Authors + n - 1; i >= enginetest.Authors; i-- {
		if text := fmt.Sprintf("message %d, of the length that people write in a chat", i); strings.Contains(text, "e 17") {
			want = append(want, text)
		}
	}
	var got []string
	var from engine.Position
	for len(got) < len(want) { // three at a time
		before := len(got)
		for m, err := range e.Search(t.Context(), long.tag, from, "E 17") {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Status(); err != nil { // the core is free meanwhile
				t.Fatal(err)
			}
			got, from = append(got, m.Text), m.At
			if len(got) == before+3 {
				break
			}
		}
		if len(got) == before {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %d: %q…, want %d: %q…", len(got), got[:min(3, len(got))], len(want), want[:3])
	}
	for m, err := range e.Search(t.Context(), long.tag, engine.Position{}, "not there") {
		t.Errorf("found %v %v", m, err)
	}
}

func TestSearchIsGivenUp(t *testing.T) {
	long := longHistory(t, 2000)
	e := at(t, long.home(t), nil)
	drain(e)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	found, last := 0, error(nil)
	for _, err := range e.Search(ctx, long.tag, engine.Position{}, "message") {
		if err != nil {
			last = err
			continue
		}
		if found++; found == 10 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || found > 1000 {
		t.Errorf("%d found, then %v", found, last)
	}
	if _, err := e.Arrived(t.Context(), engine.Tag{}); !errors.Is(err, engine.ErrNoRound) {
		t.Errorf("a round that is not there: %v", err)
	}
}

// TestAfterIsHistory: what is read forwards is what is read backwards, and stays so while more comes.
func TestAfterIsHistory(t *testing.T) {
	long := longHistory(t, 2000)
	e := at(t, long.home(t), nil)
	drain(e)
	among, err := e.Arrived(t.Context(), long.tag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Rename(long.tag, "late"); err != nil {
		t.Fatal(err)
	}
	var back, forth []engine.MessageID
	var from engine.Position
	for {
		page, err := e.History(long.tag, from, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		from = page[0].At
		ids := make([]engine.MessageID, 0, len(page)+len(back))
		for _, m := range page {
			ids = append(ids, m.ID)
		}
		back = append(ids, back...)
	}
	for m, err := range e.After(t.Context(), long.tag, engine.Position{}, among) {
		if err != nil {
			t.Fatal(err)
		}
		forth = append(forth, m.ID)
	}
	if len(back) != 2000 || !slices.Equal(back, forth) {
		t.Errorf("%d back, %d forth", len(back), len(forth))
	}
	half := 0
	for range e.After(t.Context(), long.tag, engine.Position{}, among-1000) {
		half++
	}
	if half != 1000 {
		t.Errorf("%d messages without the last thousand to arrive", half)
	}
}

// BenchmarkSearch looks for what is not there, in turns with its limit: all cores decrypting bodies that are in memory already,
// and looking through them.
func BenchmarkSearch(b *testing.B) {
	long := longHistory(b, *benchBlocks)
	dir := long.home(b)
	bodies, key := bodiesOf(b, dir, long.tag)
	e := at(b, dir, nil)
	drain(e)
	var ours, bare []time.Duration
	for b.Loop() {
		ours = append(ours, times(1, func() {
			for m, err := range e.Search(context.Background(), long.tag, engine.Position{}, "not there") {
				b.Fatal(m, err)
			}
		}))
		b.StopTimer()
		bare = append(bare, times(1, func() { bruteForce(b, key, bodies) }))
		b.StartTimer()
	}
	b.ReportMetric(float64(median(ours)), "ns-ours")
	b.ReportMetric(float64(median(bare)), "ns-bruteforce")
	b.ReportMetric(float64(median(ours))/float64(median(bare)), "x-bruteforce")
}

// bodiesOf reads the messages of a round that nobody has open, and what opens them.
func bodiesOf(b *testing.B, dir string, tag engine.Tag) (all []*chain.Block, key identity.ContentKey) {
	keys, err := identity.OpenKeyring(filepath.Join(dir, "secrets"), nil)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "rounds.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for at := store.End; ; {
		raw, err := s.Before(tag, at, store.Limit{})
		if err != nil {
			b.Fatal(err)
		}
		if len(raw) == 0 {
			return all, keys.Round(tag).ID.ContentKey()
		}
		for i := range raw {
			block, err := chain.Parse(raw[i].Raw)
			if err != nil {
				b.Fatal(err)
			}
			if block.Kind == chain.KindMessage {
				all = append(all, block)
			}
		}
		at = raw[len(raw)-1].Position()
	}
}

func bruteForce(b *testing.B, key identity.ContentKey, blocks []*chain.Block) {
	var wg sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for from := range cores {
		wg.Go(func() {
			for i := from; i < len(blocks); i += cores {
				h := blocks[i].Header
				at := seal.Place{Tag: h.Tag, Kind: uint64(h.Kind), Epoch: h.Epoch, Author: h.Author, Seq: h.Seq}
				plain, err := seal.OpenBody(key, at, blocks[i].Body())
				if err != nil || bytes.Contains(plain, []byte("not there")) {
					b.Error("found", err)
				}
			}
		})
	}
	wg.Wait()
}
