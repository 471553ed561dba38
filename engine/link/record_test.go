package link

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// sealRaw seals any plaintext as the next record.
func (d *direction) sealRaw(plain []byte) []byte {
	d.advance()
	head := binary.BigEndian.AppendUint16(nil, uint16(len(plain)+tagSize))
	return d.aead.Seal(bytes.Clone(head), d.nonce[:], plain, head)
}

// padded puts plain in a record of the given size.
func padded(size int, plain ...byte) []byte { return append(plain, make([]byte, size-len(plain))...) }

func TestRecordsThatAreRefused(t *testing.T) {
	dirty := padded(256, recordData, 0, 1, 'x')
	dirty[255] = 1
	for name, plain := range map[string][]byte{
		"type 0":              padded(256, 0, 0, 1, 'x'),
		"unknown type":        padded(256, 3, 0, 1, 'x'),
		"data without a body": padded(256, recordData, 0, 0),
		"close without body":  padded(256, recordClose, 0, 0),
		"close of two bytes":  padded(256, recordClose, 0, 2, 0, 0),
		"body past the end":   padded(256, recordData, 0, 254),
		"body far too long":   padded(256, recordData, 0xff, 0xff),
		"padding not zero":    dirty,
		"length 255":          padded(255, recordData, 0, 1, 'x'),
		"length 257":          padded(257, recordData, 0, 1, 'x'),
		"length 16640":        padded(MaxRecord+RecordUnit, recordData, 0, 1, 'x'),
		"nothing":             nil,
	} {
		a, b := linked(t)
		if err := feed(b, a.send.sealRaw(plain)); !errors.Is(err, ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		if len(b.buf) > 0 {
			t.Errorf("%s: %d bytes accepted", name, len(b.buf))
		}
	}
	a, b := linked(t)
	if err := feed(b, a.send.sealRaw(padded(1024, recordData, 0, 5, 0, 0, 0, 1, 99))); err != nil {
		t.Errorf("more padding than needed: %v", err)
	}
}

func TestMessageLengths(t *testing.T) {
	for name, n := range map[string]uint32{"0": 0, "one too many": MaxMessage + 1, "4 GiB": 1<<32 - 1} {
		a, b := linked(t)
		if err := feed(b, a.send.seal(nil, recordData, binary.BigEndian.AppendUint32(nil, n))); err != nil {
			t.Fatal(err)
		}
		if m, err := b.Next(); !errors.Is(err, ErrViolation) {
			t.Errorf("length %s: %v, %v", name, m, err)
		}
	}
}

func TestT10LengthsDoNotAllocate(t *testing.T) {
	a, b := linked(t)
	announced := binary.BigEndian.AppendUint32(nil, MaxMessage) // and then nothing comes
	if got := allocated(func() {
		if err := feed(b, a.send.seal(nil, recordData, announced)); err != nil {
			t.Fatal(err)
		}
		if m, err := b.Next(); m != nil || err != nil {
			t.Fatal(m, err)
		}
	}); got > 4<<10 {
		t.Errorf("%d bytes for a message that did not come", got)
	}
	many := append([]byte{byte(KindBlocks), 0x83, 0, 0x9a, 0, 1, 0, 0}, bytes.Repeat([]byte{0x40}, 1<<16)...)
	for _, bomb := range [][]byte{
		append(many, 0xf4), // 65,536 blocks of nothing
		{byte(KindFetch), 0x82, 0x01, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0},         // 2^32 ids
		{byte(KindFetch), 0x82, 0x01, 0x99, 4, 0},                           // 1024 ids
		{byte(KindGenesis), 0x81, 0x5a, 0xff, 0xff, 0xff, 0xff},             // 4 GiB
		{byte(KindBlocks), 0x83, 0, 0x9a, 0x7f, 0xff, 0xff, 0xff},           // 2^31 blocks
		{byte(KindFrontier), 0x82, 0x9a, 0x7f, 0xff, 0xff, 0xff},            // 2^31 entries
		append([]byte{byte(KindReady)}, bytes.Repeat([]byte{0x81}, 7e4)...), // nested 70,000 deep
	} {
		if got := allocated(func() {
			if _, err := Decode(bomb); err == nil {
				t.Errorf("% .10x accepted", bomb)
			}
		}); got > 4<<10 {
			t.Errorf("% .10x: %d bytes", bomb, got)
		}
	}
}

// TestBufferOfABusyLink: between large messages it is kept, and given back once a small one has come.
func TestBufferOfABusyLink(t *testing.T) {
	a, b := linked(t)
	large := func() []byte { return must(a.Seal(nil, Genesis{Block: blob(MaxBlock)})) }
	if err := feed(b, large()); err != nil || len(drain(t, b)) != 1 {
		t.Fatal(err)
	}
	kept, wire := cap(b.buf), large()
	if err := feed(b, wire[:recordHead]); err != nil || len(drain(t, b)) != 0 {
		t.Fatal(err)
	}
	if cap(b.buf) != kept || kept < MaxBlock {
		t.Errorf("room for %d bytes between two messages, %d before", cap(b.buf), kept)
	}
	if err := feed(b, wire[recordHead:]); err != nil || len(drain(t, b)) != 1 {
		t.Fatal(err)
	}
	if err := feed(b, must(a.Seal(nil, Ping{}))); err != nil || len(drain(t, b)) != 1 {
		t.Fatal(err)
	}
	if cap(b.buf) > 2*MaxRecord {
		t.Errorf("an idle link keeps %d bytes", cap(b.buf))
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	f() // what is made once
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestRekey(t *testing.T) {
	a, b := linked(t)
	first := a.send.secret
	var seen []cipher.AEAD
	for n := range uint64(3) {
		if n > 0 {
			a.send.counter, b.recv.counter = n*RekeyInterval-1, n*RekeyInterval-1
		}
		for range 3 { // over the boundary
			if err := feed(b, must(a.Seal(nil, Ping{Nonce: n}))); err != nil {
				t.Fatal(err)
			}
			if got := drain(t, b); len(got) != 1 || got[0].(Ping).Nonce != n {
				t.Fatalf("got %v", got)
			}
		}
		seen = append(seen, a.send.aead)
	}
	if seen[0] == seen[1] || seen[1] == seen[2] {
		t.Error("key was kept")
	}
	if bytes.Equal(first.b[:], a.send.secret.b[:]) || bytes.Equal(newDirection(first).iv, a.send.iv) {
		t.Error("secret or iv was kept")
	}
	if want := uint64(2*RekeyInterval + 2); a.send.counter != want {
		t.Errorf("counter is %d, want %d", a.send.counter, want)
	}
}

// A whole key's worth of records, so that the boundary is where it should be without a test's help.
func TestRekeyAfterManyRecords(t *testing.T) {
	a, b := linked(t)
	first := a.send.aead
	var wire []byte
	for n := range RekeyInterval + 2 {
		wire = a.send.seal(wire[:0], recordData, []byte("x"))
		if _, err := b.recv.open(nil, wire[recordHead:]); err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
		if changed := a.send.aead != first; changed != (n >= RekeyInterval) {
			t.Fatalf("record %d: key changed: %v", n, changed)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	a, _ := linked(t)
	seen := make(map[[ivSize]byte]bool)
	for range 2000 {
		a.send.advance()
		if seen[a.send.nonce] {
			t.Fatal("nonce used twice")
		}
		seen[a.send.nonce] = true
	}
	if bytes.Equal(a.send.iv, a.recv.iv) {
		t.Error("both directions have one iv")
	}
}

// Any messages, sealed in any groups and read in any pieces, arrive as they were.
func TestAnyMessagesInAnyPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := linked(t)
		sent := rapid.SliceOfN(messages(), 0, 8).Draw(rt, "messages")
		var wire []byte
		for rest := sent; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "group")
			wire = must(a.Seal(wire, rest[:n]...))
			rest = rest[n:]
		}
		wire = a.SealClose(wire, ReasonDone)
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9000), 1, 20).Draw(rt, "pieces")
		at := 0
		conn := newConn(&pieces{wire: wire, next: func() int { at++; return sizes[at%len(sizes)] }}, b)
		for n, want := range sent {
			got, err := conn.Receive()
			if err != nil {
				rt.Fatalf("message %d: %v", n, err)
			}
			if !bytes.Equal(must(Encode(got)), must(Encode(want))) || got.kind() != want.kind() {
				rt.Fatalf("message %d: got %v, want %v", n, got, want)
			}
		}
		if _, err := conn.Receive(); err == nil || err.Error() != "EOF" {
			rt.Fatalf("at the end: %v", err)
		}
	})
}
