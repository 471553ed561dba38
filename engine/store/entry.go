package store

import (
	"bytes"
	"encoding/binary"
	"math"

	"opentalk/engine/identity"
)

// ID names a block.
type ID = [32]byte

// Entry is what the store knows of a block. All of it but Arrival is given by the engine and never interpreted beyond
// sorting.
type Entry struct {
	ID      ID
	Author  identity.Device
	Seq     uint64
	T       uint64
	Reach   uint64 // newest seq of one's own line that the block descends from
	Kind    uint8
	Arrival uint64 // 1, 2, …: the order of admission on this device; set by AddBlock
}

// Position returns the block's place in canonical order.
func (e Entry) Position() Position { return Position{T: e.T, ID: e.ID} }

// Block is a block as it was stored.
type Block struct {
	Entry
	Raw []byte
}

// Position is a place in canonical order, which ascends by T and then by ID bytewise. The zero Position is before every
// block; [End] is after every one.
type Position struct {
	T  uint64
	ID ID
}

// End is the last Position.
var End = Position{T: math.MaxUint64, ID: ID(bytes.Repeat([]byte{0xff}, 32))}

// Compare returns −1, 0 or 1 as p is before, at or after q.
func (p Position) Compare(q Position) int {
	switch {
	case p.T < q.T:
		return -1
	case p.T > q.T:
		return 1
	}
	return bytes.Compare(p.ID[:], q.ID[:])
}

// Limit bounds one read. Zero, and anything above, means [MaxBlocks] and [MaxBytes].
type Limit struct {
	Blocks int // most blocks
	Bytes  int // most bytes of raw blocks; one block is returned even if it alone is bigger
}

// Clamp returns l with both fields in 1 to their maximum.
func (l Limit) Clamp() Limit {
	if l.Blocks <= 0 || l.Blocks > MaxBlocks {
		l.Blocks = MaxBlocks
	}
	if l.Bytes <= 0 || l.Bytes > MaxBytes {
		l.Bytes = MaxBytes
	}
	return l
}

// Full reports whether blocks, which hold size raw bytes, leave no room for one of next bytes.
func (l Limit) Full(blocks []Block, size, next int) bool {
	return len(blocks) >= l.Blocks || len(blocks) > 0 && size+next > l.Bytes
}

// Round is a round and what the engine says of it.
type Round struct {
	Tag   identity.Tag
	Value []byte
}

// Draft is something in the outbox.
type Draft struct {
	ID    [16]byte
	Value []byte
}

// Peer is a device in the address book.
type Peer struct {
	Device identity.Device
	Value  []byte
}

// entrySize is id ‖ author ‖ seq ‖ t ‖ reach ‖ kind.
const entrySize = 32 + 32 + 8 + 8 + 8 + 1

func appendEntry(b []byte, e Entry) []byte {
	b = append(b, e.ID[:]...)
	b = append(b, e.Author[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, e.T)
	b = binary.BigEndian.AppendUint64(b, e.Reach)
	return append(b, e.Kind)
}

func parseEntry(b []byte, arrival uint64) Entry {
	return Entry{
		ID:      ID(b[:32]),
		Author:  identity.Device(b[32:64]),
		Seq:     binary.BigEndian.Uint64(b[64:]),
		T:       binary.BigEndian.Uint64(b[72:]),
		Reach:   binary.BigEndian.Uint64(b[80:]),
		Kind:    b[88],
		Arrival: arrival,
	}
}

// number is a number as a key.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// orderKey is t ‖ id.
func orderKey(p Position) []byte { return append(number(p.T), p.ID[:]...) }

// isOrderKey reports whether key is p's.
func isOrderKey(key []byte, p Position) bool {
	return len(key) == 8+len(p.ID) && binary.BigEndian.Uint64(key) == p.T && ID(key[8:]) == p.ID
}

// lineKey is device ‖ seq ‖ id.
func lineKey(device identity.Device, seq uint64, id ID) []byte {
	key := make([]byte, 0, 32+8+32)
	key = append(key, device[:]...)
	key = binary.BigEndian.AppendUint64(key, seq)
	return append(key, id[:]...)
}
