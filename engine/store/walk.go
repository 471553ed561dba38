package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"sync"
)

const (
	pageHeader = 16 // id 8, kind 2, count 2, overflow 4
	pageElem   = 16 // of a branch: pos 4, key size 4, page 8; of a leaf: flags 4, pos 4, key size 4, value size 4

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketFlag   = 0x01
	bucketHeader = 16 // root page 8, sequence 8; an inline page follows if the root page is 0

	dataNest = 3 // root, rounds, a round; what is below holds records and no buckets
	maxKey   = 32768
)

// What a page was found to be.
const (
	pageUnknown = iota
	pageFree
	pageBranch
	pageLeaf
	pageMore // continues the one before
	pageList
)

// walk checks that the pages of a file make trees: each is used once or free, none is lost, and the keys ascend. It reads
// everything if it is deep, and otherwise all but most leaves of what grows with every block: see leaves for those.
type walk struct {
	f     *os.File
	root  root
	deep  bool
	pages []uint8
}

func newWalk(f *os.File, r root, deep bool) (*walk, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if have := uint64(info.Size()) / r.pageSize; r.pages > have || r.pages < 4 {
		return nil, damaged("file of %d pages, of which %d are there", r.pages, have)
	}
	return &walk{f: f, root: r, deep: deep, pages: make([]uint8, r.pages)}, nil
}

func (w *walk) run() error {
	if err := w.freelist(); err != nil {
		return err
	}
	if err := w.tree(w.root.bucket, 0, 0, true, nil, nil); err != nil {
		return err
	}
	for id := uint64(2); id < w.root.pages; id++ {
		if w.pages[id] != pageUnknown {
			continue
		}
		if before := w.pages[id-1]; w.deep || id == 2 || before != pageLeaf && before != pageMore {
			return damaged("page %d is lost", id)
		}
		w.pages[id] = pageMore // of a leaf that was not read
	}
	return nil
}

// claim notes that page id is what it is, which nothing else may be.
func (w *walk) claim(id uint64, what uint8) error {
	if id < 2 || id >= w.root.pages {
		return damaged("page %d of %d", id, w.root.pages)
	}
	if w.pages[id] != pageUnknown {
		return damaged("page %d is used twice", id)
	}
	w.pages[id] = what
	return nil
}

// page reads page id with what continues it, and claims both.
func (w *walk) page(id uint64) (page, error) {
	if err := w.claim(id, pageMore); err != nil {
		return page{}, err
	}
	b := make([]byte, w.root.pageSize)
	if _, err := w.f.ReadAt(b, int64(id*w.root.pageSize)); err != nil {
		return page{}, damaged("reading page %d: %w", id, err)
	}
	p := page{id: id, b: b}
	what := map[uint16]uint8{branchPage: pageBranch, leafPage: pageLeaf, freelistPage: pageList}[p.kind()]
	if what == pageUnknown || p.self() != id {
		return page{}, damaged("page %d says that it is page %d of kind %d", id, p.self(), p.kind())
	}
	w.pages[id] = what
	more := uint64(p.overflow())
	if more == 0 {
		return p, nil
	}
	for i := id + 1; i <= id+more; i++ {
		if err := w.claim(i, pageMore); err != nil {
			return page{}, err
		}
	}
	p.b = make([]byte, (1+more)*w.root.pageSize)
	if _, err := w.f.ReadAt(p.b, int64(id*w.root.pageSize)); err != nil {
		return page{}, damaged("reading page %d: %w", id, err)
	}
	return p, nil
}

func (w *walk) freelist() error {
	if w.root.freelist == noFreelist {
		return damaged("no free list")
	}
	p, err := w.page(w.root.freelist)
	if err != nil {
		return err
	}
	ids := p.b[pageHeader:]
	n := uint64(p.count())
	if n == 0xffff {
		n = binary.NativeEndian.Uint64(ids)
		ids = ids[8:]
	}
	if p.kind() != freelistPage || n > uint64(len(ids))/8 {
		return damaged("free list of %d pages in %d bytes", n, len(ids))
	}
	last := uint64(0)
	for i := range n {
		id := binary.NativeEndian.Uint64(ids[8*i:])
		if id <= last {
			return damaged("free list is not in order")
		}
		last = id
		if err := w.claim(id, pageFree); err != nil {
			return err
		}
	}
	return nil
}

// tree walks from page id down, with all leaves or only the last one, which is where blocks are appended. Keys
// are in [low, high), where nil is no bound.
func (w *walk) tree(id uint64, nest, depth int, all bool, low, high []byte) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return damaged("page %d is %d levels down", id, depth)
	}
	elems, err := p.elems(low, high)
	if err != nil {
		return err
	}
	if p.kind() == leafPage {
		return w.leaf(p, elems, nest)
	}
	if p.kind() != branchPage || len(elems) == 0 {
		return damaged("page %d of kind %d with %d keys in a tree", id, p.kind(), len(elems))
	}
	skip := 0
	if !all && w.isLeaf(elems[0].page) { // and so are the others: all leaves are on one level
		skip = len(elems)
		if high == nil {
			skip--
		}
	}
	w.prefetch(elems[skip:])
	for i, e := range elems {
		if i < skip {
			if err := w.claim(e.page, pageLeaf); err != nil {
				return err
			}
			continue
		}
		next := high
		if i+1 < len(elems) {
			next = elems[i+1].key
		}
		if err := w.tree(e.page, nest, depth+1, all, e.key, next); err != nil {
			return err
		}
	}
	return nil
}

// prefetch has the system read pages at once that are about to be read one by one: a disk is many times faster so.
func (w *walk) prefetch(elems []elem) {
	const readers = 16
	if len(elems) < readers {
		return
	}
	var wg sync.WaitGroup
	for first := range readers {
		wg.Go(func() {
			b := make([]byte, pageHeader)
			for i := first; i < len(elems); i += readers {
				if id := elems[i].page; id < w.root.pages {
					w.f.ReadAt(b, int64(id*w.root.pageSize)) // errors are for who reads it
				}
			}
		})
	}
	wg.Wait()
}

// isLeaf reports whether page id is a leaf, without claiming it.
func (w *walk) isLeaf(id uint64) bool {
	if id < 2 || id >= w.root.pages {
		return false
	}
	b := make([]byte, pageHeader)
	if _, err := w.f.ReadAt(b, int64(id*w.root.pageSize)); err != nil {
		return false
	}
	p := page{b: b}
	return p.self() == id && p.kind() == leafPage
}

// leaf walks the buckets in a leaf.
func (w *walk) leaf(p page, elems []elem, nest int) error {
	for _, e := range elems {
		if !e.bucket {
			continue
		}
		if nest >= dataNest || len(e.value) < bucketHeader {
			return damaged("page %d: bucket %x", p.id, e.key)
		}
		if id := binary.NativeEndian.Uint64(e.value); id != 0 {
			name := string(e.key)
			big := nest+1 == dataNest && (name == blocksBucket || indexes[name])
			if err := w.tree(id, nest+1, 0, w.deep || !big, nil, nil); err != nil {
				return err
			}
			continue
		}
		inline := page{id: p.id, b: e.value[bucketHeader:]}
		if len(inline.b) < pageHeader || inline.kind() != leafPage {
			return damaged("page %d: inline bucket %x", p.id, e.key)
		}
		elems, err := inline.elems(nil, nil)
		if err != nil {
			return err
		}
		if err := w.leaf(inline, elems, nest+1); err != nil {
			return err
		}
	}
	return nil
}

// page is a page as it is on disk.
type page struct {
	id uint64
	b  []byte
}

func (p page) self() uint64     { return binary.NativeEndian.Uint64(p.b) }
func (p page) kind() uint16     { return binary.NativeEndian.Uint16(p.b[8:]) }
func (p page) count() uint16    { return binary.NativeEndian.Uint16(p.b[10:]) }
func (p page) overflow() uint32 { return binary.NativeEndian.Uint32(p.b[12:]) }

// elem is a key with the page below it, or with its value.
type elem struct {
	key    []byte
	value  []byte
	page   uint64
	bucket bool
}

// elems returns what is on the page. Keys and values follow the table of elements without a gap, which leaves no bit of
// the table that could be wrong unseen.
func (p page) elems(low, high []byte) ([]elem, error) { return p.appendElems(nil, low, high) }

// appendElems is elems with memory of the caller's.
func (p page) appendElems(all []elem, low, high []byte) ([]elem, error) {
	u32 := binary.NativeEndian.Uint32
	n := uint64(p.count())
	at := pageHeader + n*pageElem
	if at > uint64(len(p.b)) {
		return nil, damaged("page %d with %d elements", p.id, n)
	}
	all = slices.Grow(all, int(n))
	for i := range int(n) {
		start := pageHeader + uint64(i)*pageElem
		t := p.b[start:]
		var e elem
		var pos, keySize, valueSize uint32
		if p.kind() == branchPage {
			pos, keySize, e.page = u32(t), u32(t[4:]), binary.NativeEndian.Uint64(t[8:])
		} else {
			pos, keySize, valueSize, e.bucket = u32(t[4:]), u32(t[8:]), u32(t[12:]), u32(t) == bucketFlag
			if u32(t) > bucketFlag {
				return nil, damaged("page %d: element %d of kind %d", p.id, i, u32(t))
			}
		}
		end := at + uint64(keySize) + uint64(valueSize)
		if start+uint64(pos) != at || keySize == 0 || keySize > maxKey || end > uint64(len(p.b)) {
			return nil, damaged("page %d: element %d is misplaced", p.id, i)
		}
		e.key, e.value = p.b[at:at+uint64(keySize)], p.b[at+uint64(keySize):end]
		if low != nil && (bytes.Compare(e.key, low) < 0 || i > 0 && bytes.Equal(e.key, low)) || high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, damaged("page %d: key %x is out of order", p.id, e.key)
		}
		low, at = e.key, end
		all = append(all, e)
	}
	return all, nil
}
