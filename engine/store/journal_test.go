package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
)

// powerCut is a file whose writes are lost unless they are flushed.
type powerCut struct {
	journalFile
	waiting []func() error
}

func (f *powerCut) WriteAt(b []byte, at int64) (int, error) {
	b = bytes.Clone(b)
	f.waiting = append(f.waiting, func() error { _, err := f.journalFile.WriteAt(b, at); return err })
	return len(b), nil
}

func (f *powerCut) Sync() error {
	for _, w := range f.waiting {
		if err := w(); err != nil {
			return err
		}
	}
	f.waiting = nil
	return f.journalFile.Sync()
}

// copyStore copies the files of a store that is open, as a crash at this instant would leave them.
func copyStore(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "store")
	for _, suffix := range []string{"", journalSuffix} {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestJournal crashes after every small Write, between which some are undone, some are read and some go to bbolt at once.
// What has returned is there each time.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 10)
	s.journal.file = &powerCut{journalFile: s.journal.file}
	replayed := 0
	for n := 10; n < 60; n++ {
		write(t, s, func(tx Tx) error { return addBlocks(tx, n, n+1) })
		switch n % 10 {
		case 3:
			if s.Write(func(tx Tx) error { addBlocks(tx, n+1, n+3); return os.ErrInvalid }) != os.ErrInvalid {
				t.Error("it took a Write that failed")
			}
		case 5:
			s.settle()
		case 7:
			write(t, s, func(tx Tx) error { return tx.SetRound(testTag, []byte(fmt.Sprint(n))) })
		}
		e, raw, _ := testBlock(n)
		if b, ok, err := s.Block(testTag, e.ID); !ok || err != nil || b.Seq != e.Seq || b.Arrival != uint64(n+1) || !bytes.Equal(b.Raw, raw) {
			t.Errorf("block %d is not seen: %v, %v", n, ok, err)
		}
		if s.unsettled.Load() {
			replayed++
		}
		crashed := open(t, copyStore(t, path))
		if count, err := crashed.Count(testTag); count != uint64(n+1) || err != nil {
			t.Fatalf("after block %d: %d, %v", n, count, err)
		}
		if err := crashed.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
		crashed.Close()
	}
	if replayed < 20 {
		t.Errorf("the journal was needed %d times", replayed)
	}
	want := ask(s, 60)
	crashed := open(t, copyStore(t, path))
	if got := ask(crashed, 60); !reflect.DeepEqual(got, want) {
		t.Error("what is read after a crash is not what was read before")
	}
}

// TestJournalTorn cuts and damages the journal. Where it was cut, as by a crash while a record was written, all before that is
// done, and the rest had not returned. Where a record does not hold and a later one does, a Write that had returned is lost: the
// store is damaged, and says so, and all the other records are found in the wreck. Damage to the last record cannot be told from
// a crash.
func TestJournalTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 10)
	s.settle()
	for n := 10; n < 20; n++ {
		write(t, s, func(tx Tx) error { return addBlocks(tx, n, n+1) })
		s.pending.commit.Stop() // the journal is what this is about
	}
	b, err := os.ReadFile(path + journalSuffix)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:s.journal.end]
	var ends []int // of the records
	for at := 0; at < len(b); {
		_, size, ok := parseRecord(b[at:])
		if !ok {
			t.Fatal("a record does not hold")
		}
		at += size
		ends = append(ends, at)
	}
	for range 60 {
		to, torn, at := copyStore(t, path), bytes.Clone(b), rand.IntN(len(b))
		whole := 0 // records that hold before at
		for ends[whole] <= at {
			whole++
		}
		cut := rand.IntN(2) == 0
		if cut {
			torn = torn[:at]
		} else {
			torn[at] ^= 1 << rand.IntN(8)
		}
		if err := os.WriteFile(to+journalSuffix, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if cut || whole == len(ends)-1 {
			crashed := open(t, to)
			count, err := crashed.Count(testTag)
			if err == nil {
				err = crashed.Check(context.Background())
			}
			if count != uint64(10+whole) || err != nil {
				t.Fatalf("cut %v: after %d whole records there are %d blocks, %v", cut, whole, count, err)
			}
			continue
		}
		if s, err := Open(to); !errors.Is(err, ErrDamaged) {
			t.Fatalf("record %d of %d is damaged: %v, %v", whole+1, len(ends), s, err)
		}
		w, err := OpenWreck(to)
		if err != nil {
			t.Fatal(err)
		}
		f := &finds{t: t, w: w, values: map[string]string{}, blocks: map[ID]bool{}}
		if err := w.Search(nil, f, func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
		if len(f.blocks) != 19 || w.LostWrites() != 1 {
			t.Errorf("record %d of %d is damaged: %d blocks are found, %d Writes are lost", whole+1, len(ends), len(f.blocks), w.LostWrites())
		}
		w.Close()
	}
	// The journal of another store, and of this one at another time, is none.
	other := filepath.Join(t.TempDir(), "other")
	fill(t, other, 10).Close()
	early, gone := copyStore(t, path), copyStore(t, path)
	os.Remove(early + journalSuffix)
	open(t, early).Close()
	os.Remove(gone) // a journal without its store
	for _, to := range []string{other, early, gone} {
		later := bytes.Clone(b[:s.journal.end])
		_, first, _ := parseRecord(later)
		if to == early {
			later = later[first:]
		}
		if err := os.WriteFile(to+journalSuffix, later, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := open(t, to).Count(testTag); to == gone && !errors.Is(err, ErrNoRound) || to != gone && (n != 10 || err != nil) {
			t.Error(n, err)
		}
	}
}

// full is a file on a disk that is full: half of what is written goes on it.
type full struct {
	journalFile
	tried int
}

func (f *full) WriteAt(b []byte, at int64) (int, error) {
	f.tried++
	f.journalFile.WriteAt(b[:len(b)/2], at)
	return len(b) / 2, syscall.ENOSPC
}

// TestJournalFull has no room for a record. Nothing is tried again, and what had returned before is there when it is opened.
func TestJournalFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 10)
	write(t, s, func(tx Tx) error { return addBlocks(tx, 10, 11) })
	disk := &full{journalFile: s.journal.file}
	s.journal.file = disk
	for range 3 {
		err := s.Write(func(tx Tx) error { return addBlocks(tx, 11, 12) })
		if !errors.Is(err, ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	}
	e, _, _ := testBlock(10)
	if _, ok, err := s.Entry(testTag, e.ID); !ok || err != nil || disk.tried != 1 {
		t.Errorf("block 10 is seen: %v, %v; tried %d times", ok, err, disk.tried)
	}
	s.Close()
	s = open(t, path)
	if n, err := s.Count(testTag); n != 11 || err != nil {
		t.Error(n, err)
	}
	write(t, s, func(tx Tx) error { return addBlocks(tx, 11, 12) })
}

// TestWreckJournal finds what only the journal has.
func TestWreckJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 10)
	s.settle()
	id := [16]byte{200}
	write(t, s, func(tx Tx) error {
		if err := addBlocks(tx, 10, 15); err != nil {
			return err
		}
		return tx.PutDraft(testTag, id, []byte("draft"))
	})
	write(t, s, func(tx Tx) error { return tx.PutDraft(testTag, [16]byte{201}, []byte("gone")) })
	write(t, s, func(tx Tx) error { return tx.RemoveDraft(testTag, [16]byte{201}) })
	w, err := OpenWreck(copyStore(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f := &finds{t: t, w: w, values: map[string]string{}, blocks: map[ID]bool{}}
	if err := w.Search(nil, f, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if len(f.blocks) != 15 || f.values[fmt.Sprint(testTag, " draft 200 as ", uint64(1<<62))] != "draft" {
		t.Errorf("%d blocks, %q", len(f.blocks), f.values)
	}
	for what := range f.values {
		if bytes.Contains([]byte(what), []byte("draft 201")) {
			t.Error("a draft that was taken out is found")
		}
	}
}

// TestJournalThatDoesNotFit: what cannot be done again is damage, and stays for whoever saves what is left.
func TestJournalThatDoesNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 10)
	e, raw, cites := testBlock(3) // it is there
	r := record{s.id, s.number + 1, appendOp(nil, opAddBlock, testTag, appendEntry(nil, e), raw, joinIDs(cites))}
	s.Close()
	if err := os.WriteFile(path+journalSuffix, r.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	}
	if b, err := readJournal(path); err != nil || !bytes.Equal(b, r.encode()) {
		t.Error("the journal is not what it was", err)
	}
}
