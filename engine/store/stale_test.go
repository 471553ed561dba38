package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"opentalk/engine/identity"
)

// staleBlocks is how many blocks the store of these tests has: none cites another, and three at a time are of one moment.
const staleBlocks = 12

func staleBlock(n int) (Entry, []byte) {
	e := Entry{ID: sha256.Sum256(number(uint64(n))), Author: identity.Device{byte(n % 4)}, Seq: uint64(n / 4), T: uint64(1000 + n/3)}
	return e, bytes.Repeat(e.ID[:], 1+n%5)
}

func stale(t *testing.T) *Store {
	s := open(t, filepath.Join(t.TempDir(), "store"))
	s.db.NoSync = true // nobody crashes here
	write(t, s, func(t Tx) error {
		err := t.AddRound(testTag, nil)
		for n := range staleBlocks {
			e, raw := staleBlock(n)
			_, e2 := t.AddBlock(testTag, e, raw, nil)
			err = errors.Join(err, e2)
		}
		return err
	})
	return s
}

// tamper does to the records of a round what no Write does: they hold, but do not belong together, as when a page of another time
// is in the place of one that was never written.
func tamper(t *testing.T, s *Store, fn func(*round) error) {
	t.Helper()
	s.settle()
	btx, err := s.begin(true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.openRound(btx, testTag)
	if err == nil {
		err = fn(r)
	}
	if err := errors.Join(err, btx.Commit()); err != nil {
		t.Fatal(err)
	}
}

// askOneByOne is what reads return that lead to a block each, so that no block is judged by those beside it.
func askOneByOne(s *Store) answers {
	all, one := answers{}, Limit{Blocks: 1}
	put := func(what string, v any, err error) {
		all[what] = []any{v, err}
		if errors.Is(err, ErrDamaged) {
			all[what] = ErrDamaged
		}
	}
	for n := range staleBlocks {
		e, _ := staleBlock(n)
		b, ok, err := s.Block(testTag, e.ID)
		put(fmt.Sprint("block ", n), []any{b, ok}, err)
		found, ok, err := s.Entry(testTag, e.ID)
		put(fmt.Sprint("entry ", n), []any{found, ok}, err)
		for what, read := range map[string]func(identity.Tag, Position, Limit) ([]Block, error){"after": s.After, "before": s.Before} {
			few, err := read(testTag, e.Position(), one)
			put(fmt.Sprint(what, " ", n), few, err)
		}
		line, err := s.Line(testTag, e.Author, e.Seq, e.Seq, one)
		put(fmt.Sprint("line ", n), line, err)
	}
	frontier, err := s.Frontier(testTag)
	put("frontier", frontier, err)
	heads, err := s.Heads(testTag)
	put("heads", heads, err)
	return all
}

// TestIndexIsBelievedWhereItsBlockAgrees has each record of each index lead to every other block, and to those that are not there;
// adds records that are a moment late; takes each block away; and does not count the last. What is read then is what was written, or
// damage.
func TestIndexIsBelievedWhereItsBlockAgrees(t *testing.T) {
	s := stale(t)
	want := askOneByOne(s)
	try := func(what string, now, then func(*round) error) {
		tamper(t, s, now)
		noticed := false
		for read, v := range askOneByOne(s) {
			if v == ErrDamaged {
				noticed = true
			} else if !reflect.DeepEqual(v, want[read]) {
				t.Errorf("%s: %s is %.100v, want %.100v", what, read, v, want[read])
			}
		}
		if !noticed {
			t.Errorf("%s: nothing notices", what)
		}
		tamper(t, s, then)
	}
	count := func(r *round, n uint64) error {
		r.blocks = n
		return r.putOwn(stateKey, r.encode())
	}
	try("the last block is not counted",
		func(r *round) error { return count(r, staleBlocks-1) },
		func(r *round) error { return count(r, staleBlocks) })
	for n := range staleBlocks {
		e, raw := staleBlock(n)
		e.Arrival = uint64(n + 1)
		key := number(e.Arrival)
		for name, at := range map[string][]byte{
			idsBucket: e.ID[:], orderBucket: orderKey(e.Position()), linesBucket: lineKey(e.Author, e.Seq, e.ID), headsBucket: e.ID[:],
		} {
			for to := range uint64(staleBlocks + 2) {
				if to != e.Arrival {
					try(fmt.Sprintf("%s record of block %d leads to %d", name, e.Arrival, to),
						func(r *round) error { return r.put(name, at, number(to)) },
						func(r *round) error { return r.put(name, at, key) })
				}
			}
		}
		for name, late := range map[string][]byte{
			orderBucket: orderKey(Position{T: e.T + 1, ID: e.ID}), linesBucket: lineKey(e.Author, e.Seq+1, e.ID),
		} {
			try(fmt.Sprintf("another %s record of block %d", name, e.Arrival),
				func(r *round) error { return r.put(name, late, key) },
				func(r *round) error { return r.remove(name, late) })
		}
		try(fmt.Sprintf("block %d is gone", e.Arrival),
			func(r *round) error { return r.remove(blocksBucket, key) },
			func(r *round) error {
				b, err := r.bucket(blocksBucket)
				return errors.Join(err, b.Put(key, r.at(blocksBucket, key).sealBlock(e, raw)))
			})
	}
}

// TestStaleLeaf puts each leaf of the order and of the lines in the place of every other, as if the disk had written one only: it says
// that it is that page, and its records hold.
func TestStaleLeaf(t *testing.T) {
	const blocks = 260
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, blocks)
	want := ask(s, blocks)
	s.Close()
	good := contents(t, path)
	leaves := map[int][]int{} // offsets, by the length of their keys
	for at := 2 * 4096; at < len(good); at += 4096 {
		p := page{b: good[at : at+4096]}
		if elems, err := p.elems(nil, nil); p.kind() == leafPage && err == nil && len(elems) > 0 {
			leaves[len(elems[0].key)] = append(leaves[len(elems[0].key)], at)
		}
	}
	tally := map[string]int{}
	for _, all := range [][]int{leaves[40], leaves[72]} {
		for _, from := range all {
			for _, to := range all {
				b := bytes.Clone(good)
				copy(b[to+8:to+4096], good[from+8:]) // behind its number
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				verdict, err := tryDamaged(path, blocks, want, want)
				if err != nil {
					t.Errorf("page at %d to %d: %v", from, to, err)
				}
				tally[verdict]++
			}
		}
	}
	t.Log(tally)
	if tally["noticed"] == 0 {
		t.Error("no read notices any")
	}
}

// TestLeftoverOfANewBlock: a block that is not there, by its id, has no place in an order, in a line or among the heads. Where one is,
// an id was lost, and the block is not written a second time.
func TestLeftoverOfANewBlock(t *testing.T) {
	e, raw := staleBlock(staleBlocks)
	for name, at := range map[string][]byte{
		orderBucket: orderKey(e.Position()), linesBucket: lineKey(e.Author, e.Seq, e.ID), headsBucket: e.ID[:],
	} {
		s := stale(t)
		tamper(t, s, func(r *round) error { return r.put(name, at, number(3)) })
		err := s.Write(func(t Tx) error {
			_, err := t.AddBlock(testTag, e, raw, nil)
			return err
		})
		if !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrReadOnly) {
			t.Errorf("with a record of %s there is %v", name, err)
		}
		if count, err := s.Count(testTag); count != staleBlocks || err != nil {
			t.Errorf("with a record of %s there are %d blocks, %v", name, count, err)
		}
	}
}
