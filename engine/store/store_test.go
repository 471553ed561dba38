package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/leaktest"
)

var (
	damageStates = flag.Int("store.damage", 200, "damaged files to try")
	cuts         = flag.Int("store.cuts", 200, "power cuts to try")
	kills        = flag.Int("store.kills", 12, "children to kill")
	seedFlag     = flag.Uint64("store.seed", 0, "what damage and power cuts are drawn from; 0 is another seed each time")
)

// children are what the test binary does when it is started again by a test.
var children = map[string]func(path string){}

const childEnv = "OPENTALK_STORE_TEST"

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child(os.Args[1])
		os.Exit(0)
	}
	leaktest.Main(m)
}

var testTag = identity.Tag{1, 2, 3}

// testBlock is the nth block of a history that is the same every time: four devices in turn, each citing the one before.
func testBlock(n int) (Entry, []byte, []ID) {
	e := Entry{
		ID:     sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))),
		Author: identity.Device{byte(n % 4)},
		Seq:    uint64(n / 4),
		T:      uint64(1000 + n),
		Reach:  uint64(n / 5),
		Kind:   uint8(n % 6),
	}
	size := 100 + n*7%800
	if n%17 == 3 {
		size = 6000
	}
	raw := bytes.Repeat(e.ID[:], size/32)
	if n == 0 {
		return e, raw, nil
	}
	before := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n-1)))
	return e, raw, []ID{before}
}

func addBlocks(t Tx, from, to int) error {
	for n := from; n < to; n++ {
		e, raw, cites := testBlock(n)
		if _, err := t.AddBlock(testTag, e, raw, cites); err != nil {
			return err
		}
	}
	return nil
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func write(t testing.TB, s *Store, fn func(Tx) error) {
	t.Helper()
	if err := s.Write(fn); err != nil {
		t.Fatal(err)
	}
}

// fill makes a store of n blocks and a little of everything else.
func fill(t testing.TB, path string, n int) *Store {
	t.Helper()
	s := open(t, path)
	write(t, s, func(t Tx) error {
		return errors.Join(t.AddRound(testTag, []byte("round")), t.AddRound(identity.Tag{9}, nil))
	})
	for from := 0; from < n; from += 50 {
		write(t, s, func(t Tx) error { return addBlocks(t, from, min(n, from+50)) })
	}
	for i := range 40 {
		write(t, s, func(t Tx) error {
			id, device := [16]byte{byte(i)}, identity.Device{byte(i)}
			value := bytes.Repeat([]byte{byte(i)}, 200)
			return errors.Join(t.PutDraft(testTag, id, value), t.PutPeer(testTag, device, value), t.PutSetting(testTag, fmt.Sprint("name", i), value))
		})
	}
	write(t, s, func(t Tx) error { return t.RemoveDraft(testTag, [16]byte{7}) })
	return s
}

func TestReopenAfterEachWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path)
	write(t, s, func(t Tx) error { return t.AddRound(testTag, nil) })
	for n := range 40 {
		write(t, s, func(t Tx) error { return addBlocks(t, n, n+1) })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		if count, err := s.Count(testTag); err != nil || count != uint64(n+1) {
			t.Fatal(count, err)
		}
		for i := range n + 1 {
			e, raw, _ := testBlock(i)
			b, ok, err := s.Block(testTag, e.ID)
			e.Arrival = uint64(i + 1)
			if !ok || err != nil || b.Entry != e || !bytes.Equal(b.Raw, raw) {
				t.Fatal(i, b.Entry, ok, err)
			}
		}
	}
}

// TestReadsAlongAnOrder reads blocks that arrived in their canonical order, the other way round, and in neither: each is
// given with the bytes that are its own, and with memory that is.
func TestReadsAlongAnOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store"))
	var arrivals []int
	for n := range 120 {
		switch {
		case n < 40:
			arrivals = append(arrivals, n)
		case n < 80:
			arrivals = append(arrivals, 119-n)
		default:
			arrivals = append(arrivals, 80+(n-80)*7%40)
		}
	}
	var byArrival, byOrder []Block
	write(t, s, func(t Tx) error {
		err := t.AddRound(testTag, nil)
		for i, n := range arrivals {
			e, raw, _ := testBlock(n)
			_, aerr := t.AddBlock(testTag, e, raw, nil)
			err = errors.Join(err, aerr)
			e.Arrival = uint64(i + 1)
			byArrival = append(byArrival, Block{e, raw})
		}
		return err
	})
	byOrder = slices.SortedFunc(slices.Values(byArrival), func(a, b Block) int { return a.Position().Compare(b.Position()) })
	backward := slices.Clone(byOrder)
	slices.Reverse(backward)
	since, err := s.Since(testTag, 0, Limit{})
	after, aerr := s.After(testTag, Position{}, Limit{})
	before, berr := s.Before(testTag, End, Limit{})
	if err = errors.Join(err, aerr, berr); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string][2][]Block{"Since": {since, byArrival}, "After": {after, byOrder}, "Before": {before, backward}} {
		same := func(a, b Block) bool { return a.Entry == b.Entry && bytes.Equal(a.Raw, b.Raw) }
		if !slices.EqualFunc(read[0], read[1], same) {
			t.Errorf("%s gives other blocks", name)
		}
		for i := range read[0] {
			_ = append(read[0][i].Raw, "what is appended to a block is in no other"...)
		}
		if !slices.EqualFunc(read[0], read[1], same) {
			t.Errorf("blocks of %s share memory", name)
		}
	}
}

// TestAbort looks that an error or a panic in fn undoes everything, and that the store goes on.
func TestAbort(t *testing.T) {
	s := fill(t, filepath.Join(t.TempDir(), "store"), 10)
	boom := errors.New("boom")
	for _, end := range []func() error{func() error { return boom }, func() error { panic(boom) }} {
		func() {
			defer func() {
				if p := recover(); p != nil && p != any(boom) {
					t.Error(p)
				}
			}()
			err := s.Write(func(t Tx) error {
				if err := addBlocks(t, 10, 20); err != nil {
					return err
				}
				return end()
			})
			if err != boom {
				t.Error(err)
			}
		}()
		if n, err := s.Count(testTag); n != 10 || err != nil {
			t.Error(n, err)
		}
	}
	var old Tx
	write(t, s, func(t Tx) error { old = t; return addBlocks(t, 10, 11) })
	if err := old.SetRound(testTag, nil); err == nil {
		t.Error("a transaction outlives its Write")
	}
	if err := s.Write(func(t Tx) error { return addBlocks(t, 3, 4) }); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	if err := s.Write(func(t Tx) error { return t.SetRound(identity.Tag{42}, nil) }); !errors.Is(err, ErrNoRound) {
		t.Error(err)
	}
}

// TestSnapshot reads beside Writes and what it may within one, while the file grows.
func TestSnapshot(t *testing.T) {
	s := fill(t, filepath.Join(t.TempDir(), "store"), 10)
	done, stop := make(chan error), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			blocks, err := s.Before(testTag, End, Limit{})
			count, err2 := s.Count(testTag)
			if err := errors.Join(err, err2); err != nil || uint64(len(blocks)) > count {
				done <- fmt.Errorf("%d blocks, then %d: %w", len(blocks), count, err)
				return
			}
		}
	}()
	for n := 10; n < 2000; n += 100 {
		write(t, s, func(tx Tx) error {
			if err := addBlocks(tx, n, n+100); err != nil {
				return err
			}
			for i, want := range map[int]bool{n - 1: true, n: false} {
				e, _, _ := testBlock(i)
				if _, ok, err := s.Entry(testTag, e.ID); ok != want || err != nil {
					t.Errorf("block %d within the write after %d: %v, %v", i, n, ok, err)
				}
			}
			return nil
		})
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFlushes looks at bbolt's settings, because no test here sees what a power cut would leave.
func TestFlushes(t *testing.T) {
	s := fill(t, filepath.Join(t.TempDir(), "store"), 0)
	if s.db.NoSync || s.db.NoGrowSync || s.db.NoFreelistSync {
		t.Error("not everything is flushed")
	}
}

func TestClosed(t *testing.T) {
	s := fill(t, filepath.Join(t.TempDir(), "store"), 3)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Rounds(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Write(func(Tx) error { t.Error("called"); return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestStuck closes a store in which bbolt was left holding its locks, and opens it again.
func TestStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 3)
	err := s.uninterrupted(func() error { panic("in the middle of it") })
	if !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if _, err := s.Rounds(); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if err := s.Write(func(Tx) error { return nil }); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	open(t, path)
}
