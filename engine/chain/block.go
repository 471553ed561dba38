// Package chain is a round's history: the format of its blocks, which of them are admitted, and their order.
//
// It is pure. Nothing in it reads a clock, a file or a socket or starts a goroutine, so whatever holds here holds in
// every simulation. The engine above feeds it blocks and keeps what it admits in a store; package seal, beside it,
// encrypts the bodies; package identity, below, holds the keys. CHAIN.md is the specification, cited as CHAIN n.
//
//	Parse, Sign       a Block to and from its bytes
//	Chain             what has been admitted: each device's line, the heads, the rules V1–V6
//	Genesis, PubKey   the two kinds of body that are in clear
//	Message …         what the sealed bodies hold
//
// Whether a block is admitted must come out the same in every version of every implementation, or members split. So
// admission asks nothing that can change: no table of Unicode, no leniency of a decoder, no clock.
package chain

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"opentalk/engine/identity"
)

// Version is the only header version this package reads.
const Version = 1

// SignatureSize is the length of a block's signature.
const SignatureSize = identity.DeviceSignatureSize

const (
	blockLabel = "opentalk/1 block"

	// roleBlock is what a device signs a header as.
	roleBlock identity.Role = "opentalk/1 block signature"
)

// ID names a block: SHA-256("opentalk/1 block" ‖ header ‖ signature). It covers every byte, the body through its hash.
// The id of genesis tells nothing of the round id, which hashes other bytes. CHAIN 2.6.
type ID [32]byte

// String returns all 64 hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 6 hex digits.
func (id ID) Short() string { return hex.EncodeToString(id[:3]) }

// IsZero reports whether id names no block.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders ids bytewise.
func (id ID) Compare(o ID) int { return bytes.Compare(id[:], o[:]) }

// Kind says what a body is. Unknown kinds are admitted, kept and passed on. CHAIN 3.7.
type Kind uint64

// The kinds. CHAIN 3.
const (
	KindGenesis Kind = iota
	KindPubKey
	KindMessage
	KindProfile
	KindTopic
	KindLeave
)

func (k Kind) String() string {
	names := []string{"genesis", "pubkey", "message", "profile", "topic", "leave"}
	if k < Kind(len(names)) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint64(k))
}

// Header is what is signed of a block. On the wire it is a CBOR array of these twelve, in this order, in core
// deterministic encoding. CHAIN 2.5.
type Header struct {
	Tag     identity.Tag // zero for genesis, which has none
	Kind    Kind
	Epoch   ID // zero until removal exists
	Author  identity.Device
	Seq     uint64 // 0, 1, … along the author's own line
	Prev    ID     // the author's previous block; zero at seq 0
	Parents []ID   // heads of others that the author had, ascending
	T       uint64 // logical time in milliseconds: after every edge's
	Wall    uint64 // the author's plain clock in milliseconds; nothing depends on it
	Body    int    // length of the body
	Hash    [32]byte
}

// Block is a block as it was received or signed. Its bytes are what is hashed, verified, stored and passed on; they are
// never encoded anew. Only Verify changes it, and it may be shared between goroutines once that has been called. fmt
// shows its kind and short id and in no way its bytes: those of genesis are the round's secret.
type Block struct {
	Header
	id       ID
	raw      func() []byte // header ‖ signature ‖ body; fmt follows pointers, but calls no functions
	header   int           // length of the header
	verified bool
}

// ID names the block.
func (b *Block) ID() ID { return b.id }

// Bytes returns the encoding: header ‖ signature ‖ body. The caller must not change it.
func (b *Block) Bytes() []byte { return b.raw() }

// Body returns the body. The caller must not change it.
func (b *Block) Body() []byte { return b.raw()[b.header+SignatureSize:] }

// String returns the kind and the short id.
func (b *Block) String() string { return fmt.Sprintf("%s block %s", b.Kind, b.id.Short()) }

// Edges returns prev, if there is one, and the parents.
func (b *Block) Edges() []ID {
	if b.Prev.IsZero() {
		return b.Parents
	}
	return append([]ID{b.Prev}, b.Parents...)
}

// Position is the block's place in canonical order.
func (b *Block) Position() Position { return Position{T: b.T, ID: b.id} }

// Place is what others need to know of the block once it is admitted.
func (b *Block) Place() Place { return place(b) }

// Position is a place in canonical order: ascending T, then ID. It is the same for everyone, and no block comes before
// one it descends from. CHAIN 6.1.
type Position struct {
	T  uint64
	ID ID
}

// Compare gives canonical order.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.T, o.T), p.ID.Compare(o.ID))
}

// Parse reads one encoded block, the whole of raw, and keeps raw. It checks everything about the block that needs neither
// its signature nor its round: V1 of CHAIN 4.1, except the tag.
//
// The error is a [*Fault], or [ErrVersion] for a header of a later version, whose sender is not at fault.
func Parse(raw []byte) (*Block, error) {
	b, err := split(raw)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(b.Body()) != b.Hash {
		return nil, fault(1, "body does not hash to what the header says")
	}
	b.id = blockID(raw[:b.header+SignatureSize])
	return b, nil
}

// Stored reads a block that Parse has read before and that was kept since, with its id, where nothing changes it unnoticed:
// it hashes nothing again.
func Stored(raw []byte, id ID) (*Block, error) {
	b, err := split(raw)
	if err == nil {
		b.id = id
	}
	return b, err
}

// split reads the header and keeps raw.
func split(raw []byte) (*Block, error) {
	if len(raw) > MaxBlock {
		return nil, fault(1, "block of %d bytes exceeds the limit of %d", len(raw), MaxBlock)
	}
	h, size, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	if len(raw) < size+SignatureSize {
		return nil, fault(1, "block ends within its signature")
	}
	b := &Block{Header: h, raw: func() []byte { return raw }, header: size}
	if got := len(raw) - size - SignatureSize; got != h.Body {
		return nil, fault(1, "body of %d bytes, header says %d", got, h.Body)
	}
	return b, nil
}

func blockID(headerAndSignature []byte) ID {
	h := sha256.New()
	h.Write([]byte(blockLabel))
	h.Write(headerAndSignature)
	return ID(h.Sum(nil))
}

// Verify checks the signature: V2 of CHAIN 4.1. A good verdict is remembered with these very bytes; another copy of the
// block is verified anew. The error is a [*Fault].
func (b *Block) Verify() error {
	if b.verified {
		return nil
	}
	if !b.Author.Verify(roleBlock, b.raw()[:b.header], b.raw()[b.header:b.header+SignatureSize]) {
		return fault(2, "block %s by device %s: signature does not match", b.id.Short(), b.Author.Short())
	}
	b.verified = true
	return nil
}

// Sign completes h – Author, Body and Hash are filled in here, and the parents put in order – and signs it. It refuses what
// Parse would refuse. The body is copied.
func Sign(key *identity.DeviceKey, h Header, body []byte) (*Block, error) {
	h.Author, h.Body, h.Hash = key.Device(), len(body), sha256.Sum256(body)
	h.Parents = slices.SortedFunc(slices.Values(h.Parents), ID.Compare)
	raw, err := encodeHeader(h)
	if err != nil {
		return nil, err
	}
	raw = append(raw, key.Sign(roleBlock, raw)...)
	b, err := Parse(append(raw, body...))
	if err != nil {
		return nil, fmt.Errorf("signing a block: %w", err)
	}
	b.verified = true
	return b, nil
}

// Fault is something a block's sender is provably guilty of: it is grounds to end the link. Rule is the number of the
// broken rule of CHAIN 4.1.
type Fault struct {
	Rule int
	Err  error
}

func (f *Fault) Error() string { return f.Err.Error() }
func (f *Fault) Unwrap() error { return f.Err }

func fault(rule int, format string, args ...any) error {
	return &Fault{Rule: rule, Err: fmt.Errorf(format, args...)}
}

// ErrVersion is given for a block whose header this version cannot read. CHAIN 2.8.
var ErrVersion = errors.New("block was written by a newer opentalk")
