package store

import (
	"encoding/binary"
	"hash/crc32"

	"opentalk/engine/identity"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumSize = 4

// place is where a record belongs. It is part of the checksum, so that a record that turns up elsewhere, on a page that was
// lost or given out twice, does not hold there.
type place struct {
	bucket string
	tag    identity.Tag
	key    []byte
}

func (p place) sum() uint32 {
	sum := ^uint32(0) // crc32.Update would want memory for what is so short
	for i := range len(p.bucket) {
		sum = castagnoli[byte(sum)^p.bucket[i]] ^ sum>>8
	}
	for _, b := range p.tag {
		sum = castagnoli[byte(sum)^b] ^ sum>>8
	}
	return crc32.Update(^sum, castagnoli, p.key)
}

// seal returns the record of value at p: CRC32C ‖ value.
func (p place) seal(value []byte) []byte {
	rec := make([]byte, sumSize, sumSize+len(value))
	binary.BigEndian.PutUint32(rec, crc32.Update(p.sum(), castagnoli, value))
	return append(rec, value...)
}

// open returns the value in rec, which it does not copy.
func (p place) open(rec []byte) ([]byte, error) {
	if len(rec) < sumSize {
		return nil, damaged("%s record %x of %d bytes", p.bucket, p.key, len(rec))
	}
	if binary.BigEndian.Uint32(rec) != crc32.Update(p.sum(), castagnoli, rec[sumSize:]) {
		return nil, damaged("%s record %x: checksum does not match", p.bucket, p.key)
	}
	return rec[sumSize:], nil
}

// blockHead is what precedes the raw block: CRC32C up to the entry, CRC32C up to the end, entry. With a checksum of its own
// an entry is read without the block.
const blockHead = 2*sumSize + entrySize

func (p place) sealBlock(e Entry, raw []byte) []byte {
	rec := make([]byte, 2*sumSize, blockHead+len(raw))
	rec = appendEntry(rec, e)
	sum := crc32.Update(p.sum(), castagnoli, rec[2*sumSize:])
	binary.BigEndian.PutUint32(rec, sum)
	binary.BigEndian.PutUint32(rec[sumSize:], crc32.Update(sum, castagnoli, raw))
	return append(rec, raw...)
}

func (p place) openEntry(rec []byte) (Entry, error) {
	if len(rec) < blockHead || len(p.key) != 8 {
		return Entry{}, damaged("block record %x of %d bytes", p.key, len(rec))
	}
	if binary.BigEndian.Uint32(rec) != crc32.Update(p.sum(), castagnoli, rec[2*sumSize:blockHead]) {
		return Entry{}, damaged("block record %x: checksum of the entry does not match", p.key)
	}
	return parseEntry(rec[2*sumSize:blockHead], binary.BigEndian.Uint64(p.key)), nil
}

// openBlock returns the entry and the raw block in rec, which it does not copy.
func (p place) openBlock(rec []byte) (Block, error) {
	e, err := p.openEntry(rec)
	if err != nil {
		return Block{}, err
	}
	sum := crc32.Update(p.sum(), castagnoli, rec[2*sumSize:])
	if binary.BigEndian.Uint32(rec[sumSize:]) != sum {
		return Block{}, damaged("block record %x: checksum does not match", p.key)
	}
	return Block{Entry: e, Raw: rec[blockHead:]}, nil
}
