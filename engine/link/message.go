package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"opentalk/engine/identity"
)

// Message is what one peer says to another. The types below are all there are: LINK 6 has their encoding, and when each
// is sent. Messages are values; the bytes in a received one belong to the receiver.
type Message interface {
	kind() Kind
	check() error // reports what no message may be
}

// Kind is the first byte of a message.
type Kind byte

// The kinds.
const (
	KindReady     Kind = 1
	KindGenesis   Kind = 2
	KindBlocks    Kind = 3
	KindFrontier  Kind = 4
	KindAck       Kind = 5
	KindWant      Kind = 6
	KindFetch     Kind = 7
	KindNewest    Kind = 8
	KindAnnounce  Kind = 9
	KindAddresses Kind = 10
	KindProof     Kind = 11
	KindPing      Kind = 12
	KindPong      Kind = 13
	KindReach     Kind = 14
	KindReached   Kind = 15
	KindPrune     Kind = 16
)

// Ready is the first message of each side, sent once.
type Ready struct {
	_           struct{} `cbor:",toarray"`
	HavePubKey  bool     // the receiver's PubKey block is stored here
	HaveGenesis bool     // genesis is stored here
	Clock       uint64   // the sender's plain clock in milliseconds
	Frontier    Digest   // of the sender's frontier, zeros if it may not tell that yet
	Records     Digest   // of the address records that it holds, but for those of the two devices of the link; or zeros
}

// Digest stands for what both sides may have, and need not say again. LINK 6.1.
type Digest [hashSize]byte

// FrontierDigest is that of a frontier, in whatever order its entries are.
func FrontierDigest(entries []Entry) Digest {
	parts := make([][]byte, len(entries))
	for i, e := range entries {
		parts[i] = slices.Concat(e.Device[:], binary.BigEndian.AppendUint64(nil, e.Seq), e.ID[:])
	}
	slices.SortFunc(parts, bytes.Compare)
	return hash(labelFrontier, parts...)
}

// RecordsDigest is that of address records, in the order of their devices.
func RecordsDigest(records [][]byte) Digest { return hash(labelRecords, records...) }

// Genesis carries the round's first block to a peer whose Ready said that it lacks it. It is a secret of the round.
type Genesis struct {
	_     struct{} `cbor:",toarray"`
	Block []byte
}

// Blocks carries blocks, ancestors first. An answer is split over as many messages as it needs; see [SplitBlocks].
type Blocks struct {
	_       struct{} `cbor:",toarray"`
	Request uint64   // of the message that this answers; 0: pushed unasked
	Blocks  [][]byte
	Last    bool // the request is answered in full; means nothing when pushed
}

// Entry is a place on a device's own line.
type Entry struct {
	_      struct{} `cbor:",toarray"`
	Device identity.Device
	Seq    uint64
	ID     [32]byte // of the device's block there
}

// Frontier says what the sender has: for each device its newest block. The whole comes in one or more messages.
type Frontier struct {
	_       struct{} `cbor:",toarray"`
	Entries []Entry
	Last    bool
}

// Ack says that of each device its own line up to Seq, whose block there has this ID, is durable at the sender.
type Ack struct {
	_       struct{} `cbor:",toarray"`
	Entries []Entry
}

// Range is a part of a device's own line, both ends included.
type Range struct {
	_      struct{} `cbor:",toarray"`
	Device identity.Device
	From   uint64
	To     uint64
}

// Want asks for parts of lines. The answer is in canonical order; what the far side lacks is left out.
type Want struct {
	_       struct{} `cbor:",toarray"`
	Request uint64
	Ranges  []Range
}

// Fetch asks for blocks by id.
type Fetch struct {
	_       struct{} `cbor:",toarray"`
	Request uint64
	IDs     [][32]byte
}

// Newest asks for the last Count blocks in canonical order, as a preview while the rest is on its way.
type Newest struct {
	_       struct{} `cbor:",toarray"`
	Request uint64
	Count   uint64
}

// Announce names new blocks that the receiver may Fetch.
type Announce struct {
	_   struct{} `cbor:",toarray"`
	IDs [][32]byte
}

// Addresses passes on signed address records of members.
type Addresses struct {
	_       struct{} `cbor:",toarray"`
	Records [][]byte
}

// Proof shows that a device wrote two blocks with one sequence number: of each its header and signature, which is what
// its id covers, without the body.
type Proof struct {
	_ struct{} `cbor:",toarray"`
	A []byte
	B []byte
}

// Ping asks for a Pong with the same Nonce, at once.
type Ping struct {
	_     struct{} `cbor:",toarray"`
	Nonce uint64
	Clock uint64 // the sender's plain clock in milliseconds
}

// Pong answers a Ping.
type Pong struct {
	_     struct{} `cbor:",toarray"`
	Nonce uint64
	Clock uint64
}

// Reach asks whether the receiver can reach the sender at the addresses in the sender's own newest record.
type Reach struct {
	_       struct{} `cbor:",toarray"`
	Request uint64
}

// Reached answers a Reach, with an entry for each address of the record that its sender holds.
type Reached struct {
	_       struct{} `cbor:",toarray"`
	Request uint64
	Entries []ReachedAt
}

// ReachedAt is what came of one address.
type ReachedAt struct {
	_       struct{} `cbor:",toarray"`
	Address string
	Outcome Outcome
}

// Prune asks the receiver not to push or announce blocks of some devices: the sender gets them sooner from others.
type Prune struct {
	_       struct{} `cbor:",toarray"`
	Devices []identity.Device
}

// Outcome is what came of trying an address. One that is not known is a failure.
type Outcome uint64

// The outcomes. LINK 6.5.
const (
	OutcomeReached    Outcome = 0
	OutcomeUntried    Outcome = 1 // not now, or it is not for others to try
	OutcomeRefused    Outcome = 2
	OutcomeTimeout    Outcome = 3
	OutcomeNotFound   Outcome = 4
	OutcomeNoRoute    Outcome = 5
	OutcomeWrongPlace Outcome = 6 // what answers is not of this round
	OutcomeFailed     Outcome = 7 // something else
)

// Unknown is a message of a kind that a later version added. It is to be ignored.
type Unknown struct {
	Kind Kind
	Body []byte // what follows the kind: at most MaxMessage-1 bytes of anything
}

func (Ready) kind() Kind     { return KindReady }
func (Genesis) kind() Kind   { return KindGenesis }
func (Blocks) kind() Kind    { return KindBlocks }
func (Frontier) kind() Kind  { return KindFrontier }
func (Ack) kind() Kind       { return KindAck }
func (Want) kind() Kind      { return KindWant }
func (Fetch) kind() Kind     { return KindFetch }
func (Newest) kind() Kind    { return KindNewest }
func (Announce) kind() Kind  { return KindAnnounce }
func (Addresses) kind() Kind { return KindAddresses }
func (Proof) kind() Kind     { return KindProof }
func (Ping) kind() Kind      { return KindPing }
func (Pong) kind() Kind      { return KindPong }
func (Reach) kind() Kind     { return KindReach }
func (Reached) kind() Kind   { return KindReached }
func (Prune) kind() Kind     { return KindPrune }
func (m Unknown) kind() Kind { return m.Kind }

// String names the kind, for logs.
func (k Kind) String() string {
	names := []string{"", "ready", "genesis", "blocks", "frontier", "ack", "want", "fetch", "newest", "announce", "addresses", "proof", "ping", "pong", "reach", "reached", "prune"}
	if k > 0 && int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// KindOf returns the kind of m, for logs and counts.
func KindOf(m Message) Kind { return m.kind() }
