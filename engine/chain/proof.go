package chain

import "opentalk/engine/identity"

// Signed returns header ‖ signature: all that an id covers, and so what proves that a device wrote a block, whatever the
// body. The caller must not change it.
func (b *Block) Signed() []byte { return b.raw()[: b.header+SignatureSize : b.header+SignatureSize] }

// ParseHeaderOnly reads header ‖ signature, the whole of raw, and checks the signature: V1 as far as it goes without the
// body, and V2. It returns the id too. The errors are those of [Parse] and [Block.Verify].
func ParseHeaderOnly(raw []byte) (Header, ID, error) {
	h, size, err := parseHeader(raw)
	if err != nil {
		return Header{}, ID{}, err
	}
	if len(raw) != size+SignatureSize {
		return Header{}, ID{}, fault(1, "header of %d bytes with a signature of %d", size, len(raw)-size)
	}
	id := blockID(raw)
	if !h.Author.Verify(roleBlock, raw[:size], raw[size:]) {
		return Header{}, ID{}, fault(2, "block %s by device %s: signature does not match", id.Short(), h.Author.Short())
	}
	return h, id, nil
}

// Proof reads the header and signature of each of two blocks and returns who wrote both, under one seq. The error is a
// [*Fault] when they prove nothing of the kind. CHAIN 6.4.
func (c *Chain) Proof(a, b []byte) (identity.Device, Fork, error) {
	ha, ida, err := ParseHeaderOnly(a)
	if err != nil {
		return identity.Device{}, Fork{}, err
	}
	hb, idb, err := ParseHeaderOnly(b)
	switch {
	case err != nil:
		return identity.Device{}, Fork{}, err
	case ha.Tag != c.tag && ida != c.genesis.ID || hb.Tag != c.tag && idb != c.genesis.ID:
		return identity.Device{}, Fork{}, fault(1, "proof of another round")
	case ha.Author != hb.Author || ha.Seq != hb.Seq || ida == idb:
		return identity.Device{}, Fork{}, fault(1, "blocks %s and %s prove no fork", ida.Short(), idb.Short())
	}
	return ha.Author, Fork{Seq: ha.Seq, A: ida, B: idb}.sorted(), nil
}

func (f Fork) sorted() Fork {
	if f.A.Compare(f.B) > 0 {
		f.A, f.B = f.B, f.A
	}
	return f
}
