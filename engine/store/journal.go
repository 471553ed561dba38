package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"opentalk/engine/identity"
)

// A commit of bbolt is two flushes, one after the other, and rewrites a path of pages in each bucket: too much for a line
// that somebody waits to see. So a small Write returns once what it does is in the journal, which takes one flush of one
// place. Its transaction of bbolt stays open for the Writes that follow, and is committed a moment later, or when a read
// needs it. After a crash Open does what the journal says once more.
//
// The journal is a file beside the store, a row of records:
//
//	u32  length of the operations
//	u32  CRC32C of all that follows
//	 16  the store's number, drawn when it was made: the journal of another is none
//	u64  number of the Write
//	     operations
//
// An operation is its code, the tag of the round, the number of its parts in a byte, and each part behind its length in a
// u32. After a commit the next record goes to the beginning again. What was there before has lower numbers, so the records
// that count are those whose numbers follow that of the last Write in the store. A record that a crash cut short does not
// hold, and its Write has not returned. It is the last: where one does not hold and a later one does, the Write of the first
// had returned, and the journal is damaged. Damage to the last is taken for a crash; it is there for commitAfter only.
type journal struct {
	file journalFile
	end  int64 // of the records that count
}

// journalFile is what a journal needs of a file.
type journalFile interface {
	io.WriterAt
	Sync() error
	Close() error
}

const (
	journalSuffix = ".journal"

	recordSums  = 4 + 4
	recordStart = recordSums + len(storeID{}) + 8
)

// storeID tells a store from any other.
type storeID [16]byte

// record is what one Write did.
type record struct {
	store  storeID
	number uint64
	ops    []byte
}

func (r record) encode() []byte {
	b := make([]byte, recordSums, recordStart+len(r.ops))
	binary.BigEndian.PutUint32(b, uint32(len(r.ops)))
	b = append(b, r.store[:]...)
	b = binary.BigEndian.AppendUint64(b, r.number)
	b = append(b, r.ops...)
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[recordSums:], castagnoli))
	return b
}

// parseRecord reads the record that b begins with, if it holds.
func parseRecord(b []byte) (r record, size int, ok bool) {
	if len(b) < recordStart {
		return r, 0, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > uint64(len(b)-recordStart) {
		return r, 0, false
	}
	size = recordStart + int(n)
	if crc32.Checksum(b[recordSums:size], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return r, 0, false
	}
	copy(r.store[:], b[recordSums:])
	r.number, r.ops = binary.BigEndian.Uint64(b[recordStart-8:]), b[recordStart:size]
	return r, size, true
}

// records returns those at the beginning of a journal that are of one store and one row.
func records(b []byte) (all []record) {
	for {
		r, size, ok := parseRecord(b)
		if n := len(all); !ok || n > 0 && (r.store != all[0].store || r.number != all[n-1].number+1) {
			return all
		}
		all, b = append(all, r), b[size:]
	}
}

// beyond returns the records of a store with higher numbers than last, wherever they are in a journal: after those that records
// returns there are none unless it is damaged.
func beyond(b []byte, store storeID, last uint64) (all []record) {
	for at := 0; ; {
		found := bytes.Index(b[at:], store[:])
		if found < 0 {
			return all
		}
		start := at + found - recordSums
		at += found + 1
		if start < 0 {
			continue
		}
		if r, size, ok := parseRecord(b[start:]); ok && r.number > last {
			all, last, at = append(all, r), r.number, start+size
		}
	}
}

// remaining returns all records of a journal that may be damaged anywhere, and how many are missing before or between them.
func remaining(b []byte) (all []record, lost uint64) {
	all = records(b)
	for at := 0; len(all) == 0 && at < len(b); at++ {
		if r, _, ok := parseRecord(b[at:]); ok {
			all, lost = append(all, r), 1
		}
	}
	if len(all) == 0 {
		return nil, 0
	}
	last := all[len(all)-1].number
	for _, r := range beyond(b, all[0].store, last) {
		all, lost, last = append(all, r), lost+r.number-last-1, r.number
	}
	return all, lost
}

// openJournal opens or makes the journal of the store at path. Once it is there both files are on the disk by their names.
func openJournal(path string) (j journal, err error) {
	_, err = os.Lstat(path + journalSuffix)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := openPlain(path+journalSuffix, os.O_RDWR)
	if err == nil && made {
		if err = syncFolder(filepath.Dir(path)); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return j, err
	}
	return journal{file: f}, nil
}

// readJournal reads the journal of the store at path; there may be none.
func readJournal(path string) ([]byte, error) {
	f, err := os.Open(path + journalSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, journalSize))
}

// append writes a record and flushes it.
func (j *journal) append(b []byte) error {
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	j.end += int64(len(b))
	return j.file.Sync()
}

// The operations. Those on whole rounds are not journaled.
const (
	opAddBlock = 1 + iota
	opBehead
	opPutDraft
	opRemoveDraft
	opPutPeer
	opRemovePeer
	opPutSetting
	opRemoveSetting
	opHead
)

func appendOp(b []byte, op byte, tag identity.Tag, parts ...[]byte) []byte {
	b = append(b, op)
	b = append(b, tag[:]...)
	b = append(b, byte(len(parts)))
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// operation is one that was read.
type operation struct {
	op    byte
	tag   identity.Tag
	parts [][]byte
}

// operations takes apart what a record says. It is an error if that is nothing that was ever written.
func operations(b []byte) (all []operation, err error) {
	for len(b) > 0 {
		const head = 1 + len(identity.Tag{}) + 1
		if len(b) < head {
			return nil, errJournal
		}
		o := operation{op: b[0], tag: identity.Tag(b[1:])}
		n := int(b[head-1])
		b = b[head:]
		for range n {
			if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
				return nil, errJournal
			}
			size := int(binary.BigEndian.Uint32(b))
			o.parts, b = append(o.parts, b[4:4+size]), b[4+size:]
		}
		if !o.fits() {
			return nil, errJournal
		}
		all = append(all, o)
	}
	return all, nil
}

var errJournal = fmt.Errorf("%w: journal says what was never written", ErrDamaged)

// fits reports whether an operation has the parts that it needs.
func (o operation) fits() bool {
	const draft, device = 16, len(identity.Device{})
	const any, ids = -1, -2
	sizes, ok := map[byte][]int{
		opAddBlock: {entrySize, any, ids}, opBehead: {ids}, opHead: {ids}, opPutDraft: {draft, any}, opRemoveDraft: {draft},
		opPutPeer: {device, any}, opRemovePeer: {device}, opPutSetting: {any, any}, opRemoveSetting: {any},
	}[o.op]
	if !ok || len(sizes) != len(o.parts) {
		return false
	}
	for i, size := range sizes {
		n := len(o.parts[i])
		if size >= 0 && n != size || size == ids && n%len(ID{}) != 0 {
			return false
		}
	}
	return true
}

// apply does an operation in a Write.
func (o operation) apply(t Tx) error {
	switch p := o.parts; o.op {
	case opAddBlock:
		_, err := t.AddBlock(o.tag, parseEntry(p[0], 0), p[1], splitIDs(p[2]))
		return err
	case opBehead:
		return t.Behead(o.tag, splitIDs(p[0]))
	case opHead:
		return t.Head(o.tag, splitIDs(p[0]))
	case opPutDraft:
		return t.PutDraft(o.tag, [16]byte(p[0]), p[1])
	case opRemoveDraft:
		return t.RemoveDraft(o.tag, [16]byte(p[0]))
	case opPutPeer:
		return t.PutPeer(o.tag, identity.Device(p[0]), p[1])
	case opRemovePeer:
		return t.RemovePeer(o.tag, identity.Device(p[0]))
	case opPutSetting:
		return t.PutSetting(o.tag, string(p[0]), p[1])
	default:
		return t.RemoveSetting(o.tag, string(p[0]))
	}
}

func joinIDs(ids []ID) []byte {
	b := make([]byte, 0, len(ids)*len(ID{}))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func splitIDs(b []byte) (ids []ID) {
	for ; len(b) >= len(ID{}); b = b[len(ID{}):] {
		ids = append(ids, ID(b))
	}
	return ids
}
