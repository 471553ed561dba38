package chain

import (
	"bytes"
	"errors"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/identity"
)

// wireHeader is Header as the CBOR array it travels as. CHAIN 2.5.
//
//	8c                      array of 12
//	  01                    version
//	  50 …  or 40           tag, 16 bytes; empty in genesis
//	  uint                  kind
//	  58 20 …               epoch
//	  58 20 …               author
//	  uint                  seq
//	  58 20 …  or 40        prev; empty at seq 0
//	  8n (58 20 …)*         parents
//	  uint                  t
//	  uint                  wall
//	  uint                  length of the body
//	  58 20 …               SHA-256 of the body
type wireHeader struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Tag     []byte
	Kind    uint64
	Epoch   ID
	Author  identity.Device
	Seq     uint64
	Prev    []byte
	Parents []ID
	T       uint64
	Wall    uint64
	Body    uint64
	Hash    [32]byte
}

var (
	encMode = must(encOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
		MaxNestedLevels:  4,    // the least the library takes; messages need 2
		MaxArrayElements: 4096, // a full block holds under 2,800 messages
		MaxMapPairs:      16,   // the least the library takes; there are no maps
	}.DecMode())
)

// encOptions is core deterministic encoding, without null: nothing in the format is optional.
func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	return o
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return v
}

// decode reads the whole of raw into v, which must come out as the very same bytes when it is encoded again: a decoder still
// takes numbers that are not the shortest, byte strings too short for their field, and null. CHAIN 2.7.
func decode(raw []byte, v any) error {
	if err := decMode.Unmarshal(raw, v); err != nil {
		return err
	}
	if again, err := encMode.Marshal(v); err != nil || !bytes.Equal(again, raw) {
		return errNotCanonical
	}
	return nil
}

var errNotCanonical = errors.New("not in the one canonical encoding")

func encodeHeader(h Header) ([]byte, error) {
	w := wireHeader{
		Version: Version, Kind: uint64(h.Kind), Epoch: h.Epoch, Author: h.Author, Seq: h.Seq,
		Parents: h.Parents, T: h.T, Wall: h.Wall, Body: uint64(h.Body), Hash: h.Hash,
	}
	if h.Tag != (identity.Tag{}) {
		w.Tag = h.Tag[:]
	}
	if !h.Prev.IsZero() {
		w.Prev = h.Prev[:]
	}
	return encMode.Marshal(w)
}

// parseHeader reads the header that raw begins with and returns its length too.
func parseHeader(raw []byte) (Header, int, error) {
	if len(raw) < 2 || raw[0]>>5 != 4 {
		return Header{}, 0, fault(1, "block does not begin with a header")
	}
	if raw[0] < 0x98 && raw[1] > Version && raw[1] < 24 { // an array with its length in the first byte, a number in the next
		return Header{}, 0, ErrVersion
	}
	if w, size, ok := canonicalHeader(raw[:min(len(raw), MaxHeader)]); ok {
		h, err := w.header()
		return h, size, err
	}
	var w wireHeader // of another version than 1 it fails the comparison below
	rest, err := decMode.UnmarshalFirst(raw[:min(len(raw), MaxHeader)], &w)
	if err != nil {
		return Header{}, 0, fault(1, "header cannot be read: %w", err)
	}
	size := min(len(raw), MaxHeader) - len(rest)
	h, err := w.header()
	if err != nil {
		return Header{}, 0, err
	}
	if again, err := encodeHeader(h); err != nil || !bytes.Equal(again, raw[:size]) { // as decode does
		return Header{}, 0, fault(1, "header: %w", errNotCanonical)
	}
	return h, size, nil
}

// header checks the limits of V1 and the shape that each place in a line prescribes.
func (w *wireHeader) header() (Header, error) {
	h := Header{
		Kind: Kind(w.Kind), Epoch: w.Epoch, Author: w.Author, Seq: w.Seq, Parents: w.Parents,
		T: w.T, Wall: w.Wall, Body: int(min(w.Body, MaxBody+1)), Hash: w.Hash,
	}
	copy(h.Tag[:], w.Tag)
	copy(h.Prev[:], w.Prev)
	genesis := h.Kind == KindGenesis
	switch {
	case h.Body > MaxBody:
		return h, fault(1, "body of %d bytes exceeds the limit of %d", w.Body, MaxBody)
	case h.T > MaxTime || h.Wall > MaxTime || h.Seq > MaxTime:
		return h, fault(1, "number in the header exceeds the limit of %d", uint64(MaxTime))
	case !genesis && (len(w.Tag) != len(h.Tag) || h.Tag == identity.Tag{}):
		return h, fault(1, "tag of %d bytes", len(w.Tag))
	case len(h.Parents) > MaxParents:
		return h, fault(1, "%d parents exceed the limit of %d", len(h.Parents), MaxParents)
	case genesis && (h.Seq != 0 || !h.Prev.IsZero() || len(h.Parents) > 0 || h.Tag != identity.Tag{} || !h.Epoch.IsZero()):
		return h, fault(1, "genesis with a past")
	case !genesis && h.Seq == 0 && (!h.Prev.IsZero() || len(h.Parents) != 1):
		return h, fault(1, "first block of a device without exactly one parent")
	case h.Seq > 0 && h.Prev.IsZero():
		return h, fault(1, "block at seq %d without a previous one", h.Seq)
	}
	for i, p := range h.Parents {
		if p == h.Prev || p.IsZero() || i > 0 && h.Parents[i-1].Compare(p) >= 0 {
			return h, fault(1, "parents are not distinct and ascending")
		}
	}
	return h, nil
}
