package store

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
)

// What follows reads bbolt's file format, before bbolt does and without its trust in it. Its numbers have the byte order of
// the machine.

// root is one of the two meta pages that a file begins with. Commits write them in turn.
type root struct {
	pageSize uint64
	bucket   uint64 // page of the root bucket
	freelist uint64 // page of the free list
	pages    uint64 // pages in use, free ones included
	txid     uint64
}

const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64 // magic, version, page size, flags: 4 bytes each; root page, its sequence, free list, pages, txid, FNV-64a
	noFreelist  = ^uint64(0)
)

// parseRoot returns the root in a meta page, if it is one.
func parseRoot(b []byte) (root, bool) {
	if len(b) < pageHeader+metaSize {
		return root{}, false
	}
	m := b[pageHeader:]
	h := fnv.New64a()
	h.Write(m[:metaSize-8])
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	if u32(m) != metaMagic || u32(m[4:]) != metaVersion || u64(m[56:]) != h.Sum64() {
		return root{}, false
	}
	r := root{pageSize: uint64(u32(m[8:])), bucket: u64(m[16:]), freelist: u64(m[32:]), pages: u64(m[40:]), txid: u64(m[48:])}
	return r, r.pageSize >= 1024 && r.pageSize <= 1<<24 && r.pageSize&(r.pageSize-1) == 0
}

// inspect looks at a file that is there, under a shared lock, and returns ErrDamaged if bbolt should not be let near it.
func (s *Store) inspect() error {
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil // bbolt makes one
	}
	if err != nil {
		return err
	}
	db, err := s.bolt(true)
	if err != nil {
		return s.explain(err)
	}
	defer db.Close()
	r, doubt, err := readRoots(s.file)
	if err != nil {
		return err
	}
	s.doubt = doubt
	w, err := newWalk(s.file, r, false)
	if err != nil {
		return err
	}
	return w.run()
}

// explain turns bbolt's plain error about a file of less than two pages into ErrDamaged.
func (s *Store) explain(err error) error {
	const biggestPages = 2 * 64 << 10
	inUse, refused := (*InUseError)(nil), (*fs.PathError)(nil)
	if errors.As(err, &inUse) || errors.As(err, &refused) || errors.Is(err, ErrDamaged) {
		return err
	}
	if info, serr := os.Lstat(s.path); serr == nil && info.Size() < biggestPages {
		return damaged("%w", err)
	}
	return err
}

// readRoots returns the newer root, and doubt if there is only one.
func readRoots(f *os.File) (r root, doubt, err error) {
	first, ok := readRoot(f, 0)
	if ok {
		second, ok := readRoot(f, int64(first.pageSize))
		switch {
		case !ok || second.pageSize != first.pageSize:
			return first, damaged("second root cannot be read"), nil
		case second.txid > first.txid:
			return second, nil, nil
		}
		return first, nil, nil
	}
	for size := int64(1024); size <= 1<<24; size *= 2 {
		if second, ok := readRoot(f, size); ok && int64(second.pageSize) == size {
			return second, damaged("first root cannot be read"), nil
		}
	}
	return root{}, nil, damaged("neither root can be read")
}

func readRoot(f *os.File, at int64) (root, bool) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := f.ReadAt(b, at); err != nil {
		return root{}, false
	}
	return parseRoot(b)
}
