package store

import (
	"unsafe"

	"go.etcd.io/bbolt"
)

// leaves looks at the leaves of the big indexes as they are used, because Open does not. A wrong number of records hides
// some of them, and a wrong number of pages would have bbolt give away pages of others when it rewrites the leaf. A leaf of
// an index is one page: its records are small.
type leaves struct {
	btx  *bbolt.Tx
	seen map[uint64]bool
	room []elem // kept for its memory
}

// check looks at the leaf that key, as bbolt returned it, lies in. It is called with many keys of one leaf and reads it once.
func (l *leaves) check(key []byte) error {
	info := l.btx.DB().Info()
	p := unsafe.Pointer(unsafe.SliceData(key))
	at := uintptr(p) - info.Data
	if key == nil || uintptr(p) < info.Data || at >= uintptr(l.btx.Size()) {
		return nil // not on disk yet
	}
	size := uintptr(info.PageSize)
	id := uint64(at / size)
	if l.seen[id] {
		return nil
	}
	leaf := page{id: id, b: unsafe.Slice((*byte)(unsafe.Add(p, -int(at%size))), size)} // a page of the mapping
	if leaf.self() != id || leaf.kind() != leafPage || leaf.overflow() != 0 {
		return damaged("page %d says that it is page %d of kind %d, with %d more", id, leaf.self(), leaf.kind(), leaf.overflow())
	}
	var err error
	if l.room, err = leaf.appendElems(l.room[:0], nil, nil); err != nil {
		return err
	}
	if l.seen == nil {
		l.seen = map[uint64]bool{}
	}
	l.seen[id] = true
	return nil
}
