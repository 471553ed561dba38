package link

import (
	"bytes"
	"errors"
	"testing"
)

// Machines are values: a copy goes on from the same state, which saves a handshake for each byte.

func TestT5FlippedByteOfTheHandshake(t *testing.T) {
	p := begin(t).upTo(t, 1)
	try := func(name string, good []byte, step func(bad []byte) (out []byte, s *Session, err error)) {
		t.Helper()
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (at % 8)
			if out, s, err := step(bad); err == nil || len(out) > 0 || s != nil {
				t.Fatalf("%s with another byte %d: %d bytes, %v", name, at, len(out), err)
			}
		}
	}
	fresh := *p.r
	try("first message", p.m1, func(m1 []byte) ([]byte, *Session, error) {
		r := fresh
		out, err := greet(&r, m1)
		return out, r.Session(), err
	})
	p.m2 = must(greet(p.r, p.m1))
	try("second message", p.m2, func(m2 []byte) ([]byte, *Session, error) {
		i := *p.i
		out, err := i.Step(m2)
		return out, i.Session(), err
	})
	p.m3 = must(p.i.Step(p.m2))
	try("third message", p.m3, func(m3 []byte) ([]byte, *Session, error) {
		r := *p.r
		out, err := r.Step(m3)
		return out, r.Session(), err
	})
	p.m4 = must(p.r.Step(p.m3))
	try("fourth message", p.m4, func(m4 []byte) ([]byte, *Session, error) {
		i := *p.i
		out, err := i.Step(m4)
		return out, i.Session(), err
	})
	p.ack = must(p.i.Step(p.m4))
	try("acknowledgement", p.ack, func(ack []byte) ([]byte, *Session, error) {
		r := *p.r
		out, err := r.Step(ack)
		return out, r.Session(), err
	})
	if _, err := p.r.Step(p.ack); err != nil || p.r.Session() == nil {
		t.Fatalf("unchanged: %v", err)
	}
}

// Each message of one handshake is of no use in another between the same devices.
func TestT5ReplayedHandshake(t *testing.T) {
	old := begin(t).upTo(t, 6)
	for n, step := range []func(p *pair) error{
		func(p *pair) error { _, err := p.i.Step(old.m2); return err },
		func(p *pair) error { _, err := p.r.Step(old.m3); return err },
		func(p *pair) error { _, err := p.i.Step(old.m4); return err },
		func(p *pair) error { _, err := p.r.Step(old.ack); return err },
	} {
		p := begin(t).upTo(t, n+1)
		if step(p) == nil {
			t.Errorf("message %d of another handshake accepted", n+2)
		}
	}
}

// sample is a stream of three records and the messages in it.
func sample(t *testing.T, s *Session) (wire []byte, msgs []Message) {
	t.Helper()
	msgs = []Message{Ping{Nonce: 7, Clock: 9}, Genesis{Block: bytes.Repeat([]byte{5}, 300)}, Pong{Nonce: 7, Clock: 10}}
	for _, m := range msgs {
		wire = must(s.Seal(wire, m))
	}
	return wire, msgs
}

func TestT5FlippedByteOfRecords(t *testing.T) {
	for _, dir := range []string{"initiator's", "responder's"} {
		a, b := linked(t)
		if dir == "responder's" {
			a, b = b, a
		}
		wire, msgs := sample(t, a)
		for at := range wire {
			bad := bytes.Clone(wire)
			bad[at] ^= 1 << (at % 8)
			to := *b
			err := feed(&to, bad)
			got := 0
			for m, e := to.Next(); e == nil && m != nil; m, e = to.Next() {
				got++
			}
			whole := err == nil && to.sealed == 0
			if whole || got >= len(msgs) {
				t.Fatalf("%s byte %d: %d messages, %v", dir, at, got, err)
			}
			if err != nil && feed(&to, wire) == nil {
				t.Fatalf("%s byte %d: link goes on after %v", dir, at, err)
			}
		}
		if err := feed(b, wire); err != nil || len(drain(t, b)) != len(msgs) {
			t.Fatalf("unchanged: %v", err)
		}
	}
}

// A record that comes again, out of order, or not at all.
func TestT5ReplayedRecords(t *testing.T) {
	a, b := linked(t)
	one := must(a.Seal(nil, Ping{Nonce: 1}))
	two := must(a.Seal(nil, Ping{Nonce: 2}))
	for name, wire := range map[string][]byte{
		"again":        concat(one, one),
		"out of order": concat(two, one),
		"left out":     two,
	} {
		to := *b
		if err := feed(&to, wire); !errors.Is(err, ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, _ := linked(t)
	if err := feed(b, must(other.Seal(nil, Ping{Nonce: 1}))); !errors.Is(err, ErrViolation) {
		t.Errorf("record of another link: %v", err)
	}
}

func TestNothingAfterClose(t *testing.T) {
	a, b := linked(t)
	wire := a.SealClose(nil, ReasonRotate)
	wire = must(a.Seal(wire, Ping{}))
	if err := feed(b, wire); !errors.Is(err, ErrViolation) {
		t.Errorf("message after the close: %v", err)
	}
	if r, ok := b.Closed(); !ok || r != ReasonRotate {
		t.Errorf("closed %v, %v", r, ok)
	}
}

func TestCloseWithinMessage(t *testing.T) {
	a, b := linked(t)
	wire := a.send.seal(nil, recordData, []byte{0, 0, 0, 9, 1})
	if err := feed(b, a.SealClose(wire, ReasonDone)); !errors.Is(err, ErrViolation) {
		t.Errorf("half a message and a close: %v", err)
	}
}
