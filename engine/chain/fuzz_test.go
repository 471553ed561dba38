package chain

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/seal"
)

// seed gives a fuzz target what the vectors hold.
func seed[T any](f *testing.F, file string, bytesOf func(T) []byte) {
	raw, err := os.ReadFile("testdata/vectors/" + file)
	if err != nil {
		f.Fatal(err)
	}
	var vs []T
	if err := json.Unmarshal(raw, &vs); err != nil {
		f.Fatal(err)
	}
	for _, v := range vs {
		if b := bytesOf(v); len(b) < 4096 {
			f.Add(b)
		}
	}
}

func seedTexts(f *testing.F, as string) {
	seed(f, "texts.json", func(v textVector) []byte {
		if v.As != as {
			return nil
		}
		return v.Bytes
	})
}

// T10, T11: whatever is read has one encoding, and what changes it changes the id.
func FuzzParse(f *testing.F) {
	seed(f, "blocks.json", func(v blockVector) []byte { return v.Block })
	seed(f, "refused.json", func(v refusedVector) []byte { return v.Block })
	f.Add(shared().genesis.Bytes())
	w := newWorld(f, shared())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Parse(raw)
		if err != nil {
			return
		}
		header, err := encodeHeader(b.Header)
		if err != nil || !bytes.Equal(header, raw[:b.header]) || len(header)+SignatureSize+len(b.Body()) != len(raw) {
			t.Fatalf("read %x, encodes as %x", raw[:b.header], header)
		}
		if len(b.Parents) > MaxParents || b.T > MaxTime || b.Seq > MaxTime || len(raw) > MaxBlock {
			t.Fatalf("beyond the limits: %+v", b.Header)
		}
		w.Check(b)
	})
}

func FuzzParseGenesis(f *testing.F) {
	f.Add(shared().genesis.Body())
	seedTexts(f, "genesis")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if g, err := ParseGenesis(raw); err == nil && !bytes.Equal(must(encMode.Marshal(g)), raw) {
			t.Fatal("two encodings of one genesis")
		}
	})
}

func FuzzParsePubKey(f *testing.F) {
	seedTexts(f, "pubkey")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := ParsePubKey(raw); err == nil && !bytes.Equal(must(p.Encode()), raw) {
			t.Fatal("two encodings of one body")
		}
	})
}

// decodeMessages is ParseMessages by the decoder alone, which says what is right.
func decodeMessages(raw []byte) (ms []Message, err error) {
	if err := decode(raw, &ms); err != nil {
		return nil, err
	}
	return ms, checkMessages(ms)
}

func FuzzParseMessages(f *testing.F) {
	seedTexts(f, "messages")
	f.Fuzz(func(t *testing.T, raw []byte) {
		ms, err := ParseMessages(raw)
		if slow, slowErr := decodeMessages(raw); (err == nil) != (slowErr == nil) || err == nil && !slices.Equal(ms, slow) {
			t.Fatalf("%x: %v, and of the decoder's %v", raw, err, slowErr)
		}
		if err != nil {
			return
		}
		again, n, err := EncodeMessages(ms, 1<<30)
		if err != nil || n != len(ms) || !bytes.Equal(again, raw) {
			t.Fatalf("read %x, written as %x, %v", raw, again, err)
		}
	})
}

func FuzzParseHandle(f *testing.F) {
	seedTexts(f, "handle")
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseHandle(raw)
		if err != nil {
			return
		}
		if again, err := EncodeHandle(s); err != nil || !bytes.Equal(again, raw) || checkText(s) != nil {
			t.Fatalf("read %q, written as %x, %v", s, again, err)
		}
	})
}

func FuzzParseTopic(f *testing.F) {
	seedTexts(f, "topic")
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseTopic(raw)
		if again, err2 := EncodeTopic(s); err == nil && (err2 != nil || !bytes.Equal(again, raw)) {
			t.Fatalf("read %q, %v", s, err2)
		}
	})
}

func benchBlock(b *testing.B, size int) []byte {
	h := Header{Tag: shared().id.Tag(), Kind: KindMessage, Seq: 1, Prev: ID{1}, Parents: []ID{{2}, {3}}, T: start, Wall: start}
	return must(Sign(identitytest.Device(0), h, make([]byte, size))).Bytes()
}

func BenchmarkParse(b *testing.B) {
	raw := benchBlock(b, 200)
	for b.Loop() {
		must(Parse(raw))
	}
}

func BenchmarkParseAndVerify(b *testing.B) {
	raw := benchBlock(b, 200)
	for b.Loop() {
		if err := must(Parse(raw)).Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndVerifyLargest(b *testing.B) {
	raw := benchBlock(b, MaxBody)
	for b.Loop() {
		if err := must(Parse(raw)).Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	h := Header{Tag: shared().id.Tag(), Kind: KindMessage, Seq: 1, Prev: ID{1}, T: start, Wall: start}
	for b.Loop() {
		must(Sign(identitytest.Device(0), h, make([]byte, 200)))
	}
}

func BenchmarkCheck(b *testing.B) {
	h := newHistory(b, "a1 -> b1 -> a2")
	w := h.world(b)
	raw := h.blocks["a2"]
	for b.Loop() {
		if missing, err := w.Check(raw); err != nil || len(missing) > 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadMessage(b *testing.B) {
	key, at := shared().id.ContentKey(), seal.Place{Author: identity.Device{1}}
	plain, _, _ := EncodeMessages([]Message{{Text: "a message of usual length, as people write them"}}, MaxBody)
	body := seal.Body(key, at, plain)
	for b.Loop() {
		must(ParseMessages(must(seal.OpenBody(key, at, body))))
	}
}
