package link

import (
	"bytes"
	"testing"

	"opentalk/engine/identity"
)

// FuzzMessage: what decodes has one encoding, and is within the limits that a sender has.
func FuzzMessage(f *testing.F) {
	for _, m := range []Message{Ready{Clock: 1}, Genesis{Block: blob(9)}, Blocks{Blocks: blobsOf(2, 9)}, Frontier{Entries: make([]Entry, 2)},
		Ack{}, Want{Request: 1, Ranges: make([]Range, 2)}, Fetch{Request: 1, IDs: make([][32]byte, 2)}, Newest{Request: 1, Count: 1},
		Announce{IDs: make([][32]byte, 1)}, Addresses{Records: blobsOf(2, 9)}, Proof{A: blob(1), B: blob(2)}, Ping{}, Pong{}, Reach{Request: 1},
		Reached{Request: 1, Entries: []ReachedAt{{Address: "a"}}}, Prune{Devices: make([]identity.Device, 2)}, Unknown{Kind: 99}} {
		f.Add(must(Encode(m)))
	}
	for _, r := range refused {
		f.Add(r.Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			return
		}
		if again, err := Encode(m); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("% x decodes as %v and encodes as % x, %v", raw, m, again, err)
		}
	})
}

// FuzzRecord: a member's record with any plaintext.
func FuzzRecord(f *testing.F) {
	f.Add(padded(256, recordData, 0, 6, 0, 0, 0, 2, 1, 0x80))
	f.Add(padded(256, recordClose, 0, 1, 3))
	a, b := linked(f)
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > MaxRecord+RecordUnit {
			return
		}
		from, to := a.send, *b
		if err := feed(&to, from.sealRaw(plain)); err != nil {
			return
		}
		for range plain {
			if m, err := to.Next(); m == nil || err != nil {
				return
			}
		}
		t.Error("more messages than bytes")
	})
}

// FuzzWire: any bytes where records should be. Nothing comes of them.
func FuzzWire(f *testing.F) {
	a, b := linked(f)
	f.Add(must(a.Seal(nil, Ping{}))[:100])
	f.Fuzz(func(t *testing.T, wire []byte) {
		to := *b
		feed(&to, wire)
		if m, _ := to.Next(); m != nil || len(to.buf) > 0 {
			t.Errorf("% x was accepted as %v", wire, m)
		}
	})
}

// FuzzHandshake: any bytes for each message; then, by a member, any contents under a right AEAD and MAC.
func FuzzHandshake(f *testing.F) {
	p := begin(f)
	r1 := *p.r
	p.upTo(f, 1)
	i2 := *p.i
	p.m2 = must(greet(p.r, p.m1))
	r3 := *p.r
	p.m3 = must(p.i.Step(p.m2))
	i4 := *p.i
	p.m4 = must(p.r.Step(p.m3))
	for _, m := range [][]byte{p.m1, p.m2, p.m3, p.m4, p.i.self.Credential.Bytes()} {
		f.Add(bytes.Clone(m)[1:])
	}
	mac1 := func(m1 []byte) []byte {
		sum := mac1Of(roundNamed(1), hash(labelM1, m1[:m1MAC]))
		return concat(m1[:m1MAC], sum[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fit := func(n int) []byte { return append(bytes.Clone(b[:min(n, len(b))]), make([]byte, n-min(n, len(b)))...) }
		r, i := r1, i2
		if out, err := greet(&r, fit(m1Size)); err == nil || len(out) > 0 {
			t.Error("first message accepted")
		}
		r = r1
		greet(&r, mac1(concat([]byte(magic), []byte{version}, fit(m1RestSize)))) // may be right: any share and many keys are
		if out, err := i.Step(fit(m2Size)); err == nil || len(out) > 0 {
			t.Error("second message accepted")
		}
		r = r3
		if out, err := r.Step(fit(m3Size)); err == nil || len(out) > 0 {
			t.Error("third message accepted")
		}
		r = r3
		if err := stepForged(&r, fit(m3Finished)); err == nil {
			t.Error("contents of the third message accepted")
		}
		i = i4
		if out, err := i.Step(fit(m4Size)); err == nil || len(out) > 0 {
			t.Error("fourth message accepted")
		}
		i = i4
		said := fit(m4Finished)
		finished := i.secrets.finished(labelResponderFinished, i.th2, said)
		if out, err := i.Step(i.secrets.seal(labelResponderHello, i.th2, concat(said, finished[:]))); err == nil || len(out) > 0 {
			t.Error("contents of the fourth message accepted")
		}
	})
}
