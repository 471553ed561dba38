package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// frameHead is the length before each message in the stream of records, u32. LINK 5.
const frameHead = 4

var (
	encMode = must(encOptions().UserBufferEncMode())
	decMode = must(cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  4,
		MaxArrayElements: MaxIDs,
		MaxMapPairs:      16,
	}.DecMode())
)

// encOptions makes a nil list the same as an empty one, as for Go's own len and range.
func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	return o
}

// Encode returns the kind and the CBOR array of m. It fails for what [Decode] would refuse.
func Encode(m Message) ([]byte, error) {
	var buf bytes.Buffer
	if err := appendMessage(&buf, m); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// appendFramed appends m with its length before it. When it fails buf holds rubbish.
func appendFramed(buf *bytes.Buffer, m Message) error {
	start := buf.Len()
	buf.Write(padding[:frameHead])
	if err := appendMessage(buf, m); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(buf.Bytes()[start:], uint32(buf.Len()-start-frameHead))
	return nil
}

func appendMessage(buf *bytes.Buffer, m Message) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("encoding %s: %w", m.kind(), err)
	}
	start := buf.Len()
	buf.WriteByte(byte(m.kind()))
	if u, ok := m.(Unknown); ok {
		buf.Write(u.Body)
	} else if err := encMode.MarshalToBuffer(m, buf); err != nil {
		return fmt.Errorf("encoding %s: %w", m.kind(), err)
	}
	if n := buf.Len() - start; n > MaxMessage {
		return fmt.Errorf("encoding %s: %d bytes exceed the limit of %d", m.kind(), n, MaxMessage)
	}
	return nil
}

// Decode reads one message. There is one encoding of each; any other is refused. An unknown kind gives [Unknown]. The
// message keeps nothing of b.
func Decode(b []byte) (Message, error) {
	if len(b) == 0 || len(b) > MaxMessage {
		return nil, fmt.Errorf("message of %d bytes, want 1 to %d", len(b), MaxMessage)
	}
	switch Kind(b[0]) {
	case KindReady:
		return decode[Ready](b)
	case KindGenesis:
		return decode[Genesis](b)
	case KindBlocks:
		if m, ok := canonicalBlocks(b[1:]); ok && m.check() == nil {
			return m, nil
		}
		return decode[Blocks](b)
	case KindFrontier:
		return decode[Frontier](b)
	case KindAck:
		return decode[Ack](b)
	case KindWant:
		return decode[Want](b)
	case KindFetch:
		return decode[Fetch](b)
	case KindNewest:
		return decode[Newest](b)
	case KindAnnounce:
		return decode[Announce](b)
	case KindAddresses:
		return decode[Addresses](b)
	case KindProof:
		return decode[Proof](b)
	case KindPing:
		return decode[Ping](b)
	case KindPong:
		return decode[Pong](b)
	case KindReach:
		return decode[Reach](b)
	case KindReached:
		return decode[Reached](b)
	case KindPrune:
		return decode[Prune](b)
	}
	return Unknown{Kind: Kind(b[0]), Body: bytes.Clone(b[1:])}, nil
}

var errForm = errors.New("not in its one form")

// decode reads a known kind. The decoder alone takes other spellings of the same values; encoding again finds them.
func decode[M Message](b []byte) (Message, error) {
	var m M
	if err := decMode.Unmarshal(b[1:], &m); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", Kind(b[0]), err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", Kind(b[0]), err)
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := encMode.MarshalToBuffer(m, buf); err != nil || !bytes.Equal(buf.Bytes(), b[1:]) {
		return nil, fmt.Errorf("decoding %s: %w", Kind(b[0]), errForm)
	}
	return m, nil
}

// buffers lets links share what only large messages need: there are many links, and most are idle.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxPooled = 512 << 10

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		buffers.Put(b)
	}
}

// SplitBlocks returns blocks, in their order, in as few messages as hold them; the last has Last set. Without blocks it is
// one empty message, which ends a request.
func SplitBlocks(request uint64, blocks [][]byte) []Message {
	const around = 32 // kind, array, request, length of the list, last
	var out []Message
	for {
		n, total := 0, around
		for n < len(blocks) && n < MaxBlocks && (n == 0 || total+len(blocks[n])+5 <= MaxMessage) {
			total += len(blocks[n]) + 5
			n++
		}
		last := n == len(blocks)
		out = append(out, Blocks{Request: request, Blocks: blocks[:n:n], Last: last})
		if blocks = blocks[n:]; last {
			return out
		}
	}
}

// SplitFrontier returns entries in as few messages as hold them; the last has Last set.
func SplitFrontier(entries []Entry) []Message {
	var out []Message
	for len(entries) > MaxEntries {
		out = append(out, Frontier{Entries: entries[:MaxEntries:MaxEntries]})
		entries = entries[MaxEntries:]
	}
	return append(out, Frontier{Entries: entries, Last: true})
}
