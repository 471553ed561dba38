package store

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"path/filepath"
	"testing"
	"time"

	"opentalk/engine/identity"
)

var benchBlocks = flag.Int("store.blocks", 20000, "blocks in the store that benchmarks read")

// benchBlock is the nth of a line of blocks of 800 bytes by 30 devices.
func benchBlock(n int) (Entry, []byte, []ID) {
	e := Entry{
		ID:     sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))),
		Author: identity.Device{byte(n % 30)},
		Seq:    uint64(n / 30),
		T:      uint64(1_700_000_000_000 + 50*n + n%7*100),
	}
	raw := make([]byte, 800)
	for i := 0; i < len(raw); i += 32 {
		copy(raw[i:], e.ID[:])
	}
	return e, raw, []ID{sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n-1)))}
}

func benchAppend(b testing.TB, s *Store, from, to int) {
	write(b, s, func(t Tx) error {
		for n := from; n < to; n++ {
			e, raw, cites := benchBlock(n)
			if _, err := t.AddBlock(testTag, e, raw, cites); err != nil {
				return err
			}
		}
		return nil
	})
}

func benchStore(b *testing.B, blocks int) (*Store, string) {
	path := filepath.Join(b.TempDir(), "store")
	s := open(b, path)
	write(b, s, func(t Tx) error { return t.AddRound(testTag, nil) })
	for n := 0; n < blocks; n += 1000 {
		benchAppend(b, s, n, min(n+1000, blocks))
	}
	return s, path
}

func BenchmarkAppend(b *testing.B) {
	s, _ := benchStore(b, *benchBlocks)
	n := *benchBlocks
	for b.Loop() {
		benchAppend(b, s, n, n+1)
		n++
	}
}

func BenchmarkBatch1000(b *testing.B) {
	s, _ := benchStore(b, *benchBlocks)
	n := *benchBlocks
	for b.Loop() {
		benchAppend(b, s, n, n+1000)
		n += 1000
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "blocks/s")
}

func BenchmarkReads(b *testing.B) {
	s, path := benchStore(b, *benchBlocks)
	var next int
	id := func() ID {
		next = (next*7919 + 13) % *benchBlocks
		e, _, _ := benchBlock(next)
		return e.ID
	}
	b.Run("Entry", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Entry(testTag, id()); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("Miss", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Entry(testTag, sha256.Sum256(binary.AppendVarint(nil, int64(b.N)))); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("Block", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Block(testTag, id()); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("After", func(b *testing.B) {
		n, at := 0, Position{}
		for b.Loop() {
			blocks, err := s.After(testTag, at, Limit{})
			if err != nil {
				b.Fatal(err)
			}
			if n += len(blocks); len(blocks) == 0 {
				at = Position{}
			} else {
				at = blocks[len(blocks)-1].Position()
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "blocks/s")
	})
	b.Run("Frontier", func(b *testing.B) {
		for b.Loop() {
			if f, err := s.Frontier(testTag); len(f) != 30 || err != nil {
				b.Fatal(len(f), err)
			}
		}
	})
	b.Run("Check", func(b *testing.B) {
		for b.Loop() {
			if err := s.Check(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	s.Close()
	b.Run("Open", func(b *testing.B) {
		slowest := time.Duration(0)
		for b.Loop() {
			start := time.Now()
			s, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			slowest = max(slowest, time.Since(start))
			s.Close()
		}
		b.ReportMetric(slowest.Seconds()*1000, "ms-slowest")
	})
}
