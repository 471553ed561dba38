package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// TestPowerCut makes images of the file as a power cut leaves them at every point of a Write, and opens each. bbolt flushes the
// pages of a Write before it writes the root that leads to them, and that before Write returns. So either any part of the
// pages is there, and none of the root: then the store is as it was before. Or all pages are, and any part of the root, which
// may be torn at any byte: then it is as before or after. Never a mixture, and nothing that was acknowledged is missing. With the
// journal, which had the Write before, it is as after in any case.
func TestPowerCut(t *testing.T) {
	folder := t.TempDir()
	path, image := filepath.Join(folder, "store"), filepath.Join(folder, "image")
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-store.seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	s := open(t, path)
	if _, err := crashNext(s, 0); err != nil {
		t.Fatal(err)
	}
	tally := map[string]int{}
	const perWrite = 20
	for n := uint64(1); int(n-1)*perWrite < *cuts; n++ {
		if n%20 == 0 { // much of the file is free from now on, and used again
			write(t, s, func(t Tx) error { return t.RemoveRound(testTag) })
			write(t, s, func(t Tx) error {
				step := number(n)
				return errors.Join(t.AddRound(testTag, nil), addBlocks(t, 0, int(5*n)), t.PutDraft(testTag, [16]byte(append(step, make([]byte, 8)...)), step),
					t.PutSetting(testTag, "step", step))
			})
		}
		s.settle()
		before := contents(t, path)
		if _, err := crashNext(s, n); err != nil {
			t.Fatal(err)
		}
		s.settle()
		journal := contents(t, path+journalSuffix)
		w := newCut(t, before, contents(t, path))
		for range perWrite {
			what, b := w.draw(r)
			if err := os.WriteFile(image, b, 0o600); err != nil {
				t.Fatal(err)
			}
			os.Remove(image + suspectSuffix)
			os.Remove(image + journalSuffix)
			journaled := r.IntN(4) == 0
			if journaled {
				if err := os.WriteFile(image+journalSuffix, journal, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			after, err := reopened(image)
			if err != nil || after != n && (after != n+1 || !w.rooted && !journaled) || journaled && after == n {
				t.Fatalf("step %d, %s: step %d, %v", n, what, after, err)
			}
			if journaled {
				what += " with the journal"
			}
			tally[fmt.Sprint(what, ": as ", map[bool]string{true: "after", false: "before"}[after > n])]++
		}
	}
	t.Log(tally)
	for _, never := range []string{"torn root: as before", "torn root: as after", "torn pages: as before"} {
		if tally[never] == 0 {
			t.Errorf("none was %s", never)
		}
	}
}

// cut is what one Write did to the file.
type cut struct {
	before, after []byte
	pages         []int // offsets of the sectors that have changed, outside of both roots
	root          int   // the offset of the root that was written
	rooted        bool  // all pages of the last image are there, and perhaps the root
}

func newCut(t *testing.T, before, after []byte) *cut {
	t.Helper()
	grown := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	c := &cut{before: grown, after: after, root: -1}
	for at := 0; at < len(after); at += sector {
		switch {
		case bytes.Equal(after[at:at+sector], grown[at:at+sector]):
		case at >= 2*4096:
			c.pages = append(c.pages, at)
		case c.root < 0:
			c.root = at &^ 4095
		default:
			t.Fatal("one Write changes more of the roots than a sector")
		}
	}
	if c.root < 0 || len(c.pages) == 0 {
		t.Fatal("a Write that changes nothing")
	}
	return c
}

// draw is the file after a cut at some point.
func (c *cut) draw(r *rand.Rand) (what string, b []byte) {
	if c.rooted = r.IntN(2) == 0; c.rooted {
		b = bytes.Clone(c.before)
		for _, at := range c.pages {
			copy(b[at:at+sector], c.after[at:])
		}
		if r.IntN(5) == 0 {
			return "whole root", bytes.Clone(c.after)
		}
		torn := r.IntN(sector)
		copy(b[c.root:c.root+torn], c.after[c.root:])
		return "torn root", b
	}
	b = bytes.Clone(c.before)
	often := 1 + r.IntN(9)
	for _, at := range c.pages {
		switch {
		case r.IntN(10) >= often:
		case r.IntN(20) == 0: // a disk that was writing it
			copy(b[at:at+r.IntN(sector)], c.after[at:])
		default:
			copy(b[at:at+sector], c.after[at:])
		}
	}
	return "torn pages", b
}

// reopened returns at which step the store in a file is, and checks that all of it is at that.
func reopened(path string) (uint64, error) {
	s, err := Open(path)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	n, err := crashStep(s)
	if err != nil {
		return n, err
	}
	count, err := s.Count(testTag)
	if err != nil || count != 5*n {
		return n, fmt.Errorf("%d blocks: %w", count, err)
	}
	last, _, _ := testBlock(int(5*n - 1))
	b, ok, err := s.Block(testTag, last.ID)
	if err != nil || !ok || b.Arrival != 5*n {
		return n, fmt.Errorf("last block is number %d, %v: %w", b.Arrival, ok, err)
	}
	drafts, err := s.Drafts(testTag)
	if err != nil || len(drafts) != 1 || binary.BigEndian.Uint64(drafts[0].Value) != n {
		return n, fmt.Errorf("drafts %v: %w", drafts, err)
	}
	return n, s.Check(context.Background())
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
