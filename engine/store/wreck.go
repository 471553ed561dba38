package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"opentalk/engine/identity"
)

// Wreck is a file that [Open] called damaged, or in doubt, to be read for what is left in it. It is locked as an open store
// is, and not changed.
type Wreck struct {
	path string
	f    *os.File
	size int64 // bytes in the file
	page int64 // bytes in a page
	free map[uint64]bool

	journal []byte // beside the file
	lost    uint64 // Writes that it has lost
}

// Finder is told what is left in a wreck. A record is one that was written once, whole: its checksum holds for its place. It
// may be one that was replaced or removed later, if the list of free pages is lost. Values are the Finder's to keep.
type Finder interface {
	// FoundRound gives the value of a round.
	FoundRound(tag identity.Tag, value []byte)
	// FoundCounts gives what a round held at some time; of several the one with the most blocks was last.
	FoundCounts(tag identity.Tag, blocks, drafts uint64)
	// FoundBlock gives a block, to be read with [Wreck.Raw]. One may be found more than once.
	FoundBlock(tag identity.Tag, e Entry, at Spot)
	// FoundDraft gives a draft; n ascends as drafts were put.
	FoundDraft(tag identity.Tag, n uint64, d Draft)
	FoundPeer(tag identity.Tag, p Peer)
	FoundSetting(tag identity.Tag, name string, value []byte)
}

// Spot is where in a wreck the bytes of a block are.
type Spot struct {
	at   int64
	size int
	raw  []byte // the block itself, if it is from the journal
}

// OpenWreck opens a damaged store. *InUseError if it is open elsewhere.
func OpenWreck(path string) (*Wreck, error) {
	s := &Store{path: path}
	f, err := s.openFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, &InUseError{Path: path, PID: s.readPID()}
	}
	w := &Wreck{path: path, f: f, page: int64(os.Getpagesize())}
	info, err := f.Stat()
	if err != nil {
		w.Close()
		return nil, err
	}
	w.size = info.Size()
	w.roots()
	if w.journal, err = readJournal(path); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// roots learns what it can from the roots. Which pages are free is only believed if both can be read: a lost root may be the
// newer, in whose pages the last Write is.
func (w *Wreck) roots() {
	r, doubt, err := readRoots(w.f)
	if err != nil {
		return
	}
	w.page = int64(r.pageSize)
	walk, err := newWalk(w.f, r, false)
	if err != nil || doubt != nil || walk.freelist() != nil {
		return
	}
	w.free = map[uint64]bool{}
	for id, what := range walk.pages {
		if what == pageFree {
			w.free[uint64(id)] = true
		}
	}
}

// Close lets go of the file. Closing twice does nothing.
func (w *Wreck) Close() error {
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

// LostWrites is how many Writes that had returned are missing in the journal, as far as the later ones tell that Search has
// found there.
func (w *Wreck) LostWrites() uint64 { return w.lost }

// Raw reads a block that was found.
func (w *Wreck) Raw(at Spot) ([]byte, error) {
	if at.raw != nil {
		return clone(at.raw), nil
	}
	b := make([]byte, at.size)
	_, err := w.f.ReadAt(b, at.at)
	return b, err
}

// Search reads every page for records, of the rounds in tags and of those that the file names. It follows no page number,
// and so finds what no damage to another page can hide. progress is told how many of the pages have been read.
func (w *Wreck) Search(tags []identity.Tag, to Finder, progress func(done, total int64)) error {
	s := &search{w: w, to: to, tags: map[identity.Tag]bool{}}
	for _, t := range tags {
		s.tags[t] = true
	}
	s.naming = true
	if err := s.run(func(int64, int64) {}); err != nil {
		return err
	}
	s.naming = false
	if err := s.run(progress); err != nil {
		return err
	}
	w.searchJournal(to)
	return nil
}

// searchJournal tells of what the last Writes did. Much of it may be in the file, too.
func (w *Wreck) searchJournal(to Finder) {
	const after = 1 << 62 // any number of a draft in the file
	var drafts []operation
	row, lost := remaining(w.journal)
	w.lost = lost
	for _, r := range row {
		all, err := operations(r.ops)
		if err != nil {
			break
		}
		for _, o := range all {
			switch p := o.parts; o.op {
			case opAddBlock:
				to.FoundBlock(o.tag, parseEntry(p[0], 0), Spot{raw: p[1]})
			case opPutPeer:
				to.FoundPeer(o.tag, Peer{Device: identity.Device(p[0]), Value: p[1]})
			case opPutSetting:
				to.FoundSetting(o.tag, string(p[0]), p[1])
			case opPutDraft:
				drafts = append(drafts, o)
			case opRemoveDraft:
				drafts = slices.DeleteFunc(drafts, func(d operation) bool { return d.tag == o.tag && bytes.Equal(d.parts[0], p[0]) })
			}
		}
	}
	for i, o := range drafts {
		to.FoundDraft(o.tag, after+uint64(i), Draft{ID: [16]byte(o.parts[0]), Value: o.parts[1]})
	}
}

// search is one reading of all pages.
type search struct {
	w      *Wreck
	to     Finder
	tags   map[identity.Tag]bool
	naming bool // look for the tags of rounds only

	last  place // where the record before this one was
	isOff bool  // the page is free: only blocks are believed, which have signatures
	end   int64 // of the furthest record of the page that holds
}

func (s *search) run(progress func(done, total int64)) error {
	b := make([]byte, s.w.page)
	for at := int64(0); at < s.w.size; {
		progress(at, s.w.size)
		n, err := s.w.f.ReadAt(b, at)
		if err != nil && !errors.Is(err, io.EOF) {
			clear(b) // a bad sector: what is beyond it can be read
			n = 0
		}
		p := page{b: b[:n]}
		s.isOff, s.end = s.w.free[uint64(at/s.w.page)], at+1
		if n >= pageHeader && p.kind() != branchPage && p.kind() != freelistPage {
			s.leaf(p.b, at, s.w.size)
		}
		at += (s.end - at + s.w.page - 1) / s.w.page * s.w.page // a page that a record goes on in is no leaf, whatever a member wrote there
	}
	progress(s.w.size, s.w.size)
	return nil
}

// leaf looks at every record that a leaf may have which is at that place in the file and goes on until end at most. b is its
// first page.
func (s *search) leaf(b []byte, at, end int64) {
	if len(b) < pageHeader {
		return
	}
	u32 := binary.NativeEndian.Uint32
	for i := range int64(page{b: b}.count()) {
		start := pageHeader + i*pageElem
		if start+pageElem > int64(len(b)) {
			return
		}
		t := b[start:]
		kind, pos, keySize, valueSize := u32(t), start+int64(u32(t[4:])), int64(u32(t[8:])), int64(u32(t[12:]))
		if kind > bucketFlag || keySize == 0 || keySize > MaxName || valueSize > blockHead+MaxValue {
			continue
		}
		if at+pos+keySize+valueSize > end {
			continue
		}
		rec := s.bytes(b, at, pos, keySize+valueSize)
		if rec == nil {
			continue
		}
		key, value := rec[:keySize], rec[keySize:]
		switch {
		case kind == bucketFlag:
			s.bucket(key, value, at+pos+keySize)
		case !s.naming:
			s.record(key, value, at+pos+keySize)
		}
	}
}

// bytes are some of a leaf, of which b is the first page; nil if they cannot be read.
func (s *search) bytes(b []byte, at, pos, size int64) []byte {
	if pos+size <= int64(len(b)) {
		return b[pos : pos+size]
	}
	rec := make([]byte, size)
	if _, err := s.w.f.ReadAt(rec, at+pos); err != nil {
		return nil
	}
	return rec
}

// bucket notes the tag of a round, and looks into a small bucket, which has no page of its own.
func (s *search) bucket(key, value []byte, at int64) {
	if s.naming && len(key) == len(identity.Tag{}) && !s.isOff && len(s.tags) < maxWreckRounds {
		s.tags[identity.Tag(key)] = true
	}
	if len(value) > bucketHeader && binary.NativeEndian.Uint64(value) == 0 {
		s.leaf(value[bucketHeader:], at+bucketHeader, at+int64(len(value)))
	}
}

// record finds out where a record belongs, which only its checksum says: nearly always beside the one before.
func (s *search) record(key, value []byte, at int64) {
	if s.found(place{s.last.bucket, s.last.tag, key}, value, at) {
		return
	}
	for tag := range s.tags {
		for name := range buckets {
			if s.found(place{name, tag, key}, value, at) {
				return
			}
		}
		if s.found(place{"", tag, key}, value, at) {
			return
		}
	}
}

// found tells what a record is if it belongs at p. Of the indexes nothing is told: they follow from the blocks.
func (s *search) found(p place, rec []byte, at int64) bool {
	if p.bucket == blocksBucket {
		b, err := p.openBlock(rec)
		if err != nil {
			return false
		}
		s.hold(p, at+int64(len(rec)))
		s.to.FoundBlock(p.tag, b.Entry, Spot{at: at + blockHead, size: len(b.Raw)})
		return true
	}
	value, err := p.open(rec)
	if err != nil {
		return false
	}
	if s.hold(p, at+int64(len(rec))); s.isOff {
		return true
	}
	value = clone(value)
	switch key := p.key; {
	case p.bucket == draftsBucket && len(key) == 9 && key[0] == 0 && len(value) >= 16:
		s.to.FoundDraft(p.tag, binary.BigEndian.Uint64(key[1:]), Draft{ID: [16]byte(value[:16]), Value: value[16:]})
	case p.bucket == peersBucket && len(key) == len(identity.Device{}):
		s.to.FoundPeer(p.tag, Peer{Device: identity.Device(key), Value: value})
	case p.bucket == settingsBucket:
		s.to.FoundSetting(p.tag, string(key), value)
	case p.bucket == "" && string(key) == valueKey:
		s.to.FoundRound(p.tag, value)
	case p.bucket == "" && string(key) == stateKey:
		var st state
		if st.decode(value) == nil {
			s.to.FoundCounts(p.tag, st.blocks, st.drafts)
		}
	}
	return true
}

// hold notes that the record at p holds, which ends there in the file.
func (s *search) hold(p place, end int64) { s.last, s.end = p, max(s.end, end) }

// Replace puts the store at path by, which is closed, in the place of the wreck, and lets go of it. A crash leaves the one
// or the other there. The wreck is gone then but for what Keep has kept.
func (w *Wreck) Replace(by string) error {
	folder := filepath.Dir(w.path)
	if runtime.GOOS == "windows" {
		w.Close() // an open file cannot be replaced
	}
	if err := os.Rename(by, w.path); err != nil {
		return err
	}
	os.Remove(w.path + suspectSuffix)
	os.Remove(w.path + journalSuffix) // of the wreck; the new store would not take it
	return errors.Join(syncFolder(folder), w.Close())
}

// Keep gives the wreck a second name that is free, or where a file has only one a copy; that is durable when it returns.
// [ErrWrecks] if there is none.
func (w *Wreck) Keep() (name string, err error) {
	for n := 1; n <= maxWrecks; n++ {
		name = w.path + ".damaged-" + strconv.Itoa(n)
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err = os.Link(w.path, name); err != nil && !errors.Is(err, fs.ErrExist) {
			err = w.copy(name)
		}
		return name, errors.Join(err, syncFolder(filepath.Dir(w.path)))
	}
	return "", fmt.Errorf("%w: %d damaged files are kept beside %q", ErrWrecks, maxWrecks, w.path)
}

func (w *Wreck) copy(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(w.f, 0, w.size))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}
