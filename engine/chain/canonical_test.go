package chain

import (
	"testing"

	"pgregory.net/rapid"

	"opentalk/engine/identity"
)

// decoded is what the decoder makes of a header, which says what is right.
func decoded(raw []byte) (h Header, size int, ok bool) {
	var w wireHeader
	rest, err := decMode.UnmarshalFirst(raw, &w)
	if err != nil {
		return h, 0, false
	}
	if h, err = w.header(); err != nil {
		return h, 0, false
	}
	size = len(raw) - len(rest)
	again, err := encodeHeader(h)
	return h, size, err == nil && string(again) == string(raw[:size])
}

// TestCanonicalIsWhatTheDecoderTakes: of a header with any change the reader takes exactly what the decoder takes, and reads
// the same in it.
func TestCanonicalIsWhatTheDecoderTakes(t *testing.T) {
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		num := func(name string) uint64 {
			return rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64Range(60_000, 70_000), rapid.Uint64Range(1<<32-3, 1<<32+3), rapid.Uint64Range(0, MaxTime)).Draw(rt, name)
		}
		id := func(b uint64) ID { return ID{0: byte(b), 31: byte(b >> 8)} }
		h := Header{
			Kind: Kind(num("kind")), Epoch: id(num("epoch")), Author: identity.Device(id(num("author"))), Seq: num("seq"),
			Prev: id(num("prev")), T: num("t"), Wall: num("wall"), Body: int(min(num("body"), MaxBody)), Hash: id(num("hash")),
		}
		copy(h.Tag[:], []byte{byte(num("tag"))})
		for i := range rapid.IntRange(0, 3).Draw(rt, "parents") {
			h.Parents = append(h.Parents, ID{0: byte(i), 1: 1})
		}
		raw, err := encodeHeader(h)
		if err != nil {
			rt.Fatal(err)
		}
		raw = append(raw, "and what follows"...)
		for range rapid.IntRange(0, 2).Draw(rt, "changes") {
			at := rapid.IntRange(0, len(raw)-1).Draw(rt, "at")
			switch rapid.IntRange(0, 2).Draw(rt, "how") {
			case 0:
				raw[at] = rapid.Byte().Draw(rt, "byte")
			case 1:
				raw = raw[:at]
			default:
				raw = append(raw[:at:at], append([]byte{rapid.Byte().Draw(rt, "more")}, raw[at:]...)...)
			}
			if len(raw) == 0 {
				return
			}
		}
		want, wantSize, wantOK := decoded(raw)
		w, size, ok := canonicalHeader(raw)
		got, err := w.header()
		if ok = ok && err == nil; ok != wantOK {
			rt.Fatalf("% x: taken %v, the decoder takes it %v", raw, ok, wantOK)
		}
		if !ok {
			return
		}
		taken++
		a, _ := encodeHeader(got)
		b, _ := encodeHeader(want)
		if size != wantSize || string(a) != string(b) {
			rt.Fatalf("% x: read as %+v, want %+v", raw, got, want)
		}
	})
	if taken == 0 {
		t.Error("nothing was taken")
	}
}
