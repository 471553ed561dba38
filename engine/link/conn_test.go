package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/engine/identity"
)

// result is what Dial or Accept gave.
type result struct {
	conn *Conn
	err  error
}

// meet has alice dial bob over a and b, both in round 1 unless change says otherwise.
func meet(t testing.TB, a, b net.Conn, want identity.Fingerprint, change func(*AcceptConfig, *Self)) (dialled, accepted result) {
	t.Helper()
	cfg, bob := AcceptConfig{Gate: gateFor(roundNamed(1))}, as(t, "bob")
	if change != nil {
		change(&cfg, &bob)
	}
	done := make(chan result)
	go func() {
		c, err := Accept(context.Background(), b, bob, cfg)
		done <- result{c, err}
	}()
	c, err := Dial(context.Background(), a, as(t, "alice"), roundNamed(1), want)
	return result{c, err}, <-done
}

// conns returns both ends of a link over loopback.
func conns(t testing.TB) (a, b *Conn) {
	t.Helper()
	x, y := tcpPair(t)
	d, c := meet(t, x, y, nobody, nil)
	if d.err != nil || c.err != nil {
		t.Fatal(d.err, c.err)
	}
	return d.conn, c.conn
}

func TestDialAndAccept(t *testing.T) {
	a, b := conns(t)
	if !a.Initiated() || b.Initiated() || a.Tag() != b.Tag() || a.RemoteAddr() == nil {
		t.Error("ends disagree")
	}
	if a.Peer().Device() != as(t, "bob").Key.Device() || b.Peer().Device() != as(t, "alice").Key.Device() {
		t.Error("ends do not know each other")
	}
	sent := []Message{Ready{Clock: 5}, Genesis{Block: blob(MaxBlock)}, Ping{Nonce: 1}}
	go a.Send(sent...)
	for _, want := range sent {
		got, err := b.Receive()
		if err != nil || !bytes.Equal(must(Encode(got)), must(Encode(want))) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	done := make(chan error)
	go func() { done <- a.Close(ReasonRotate) }()
	if _, err := b.Receive(); err != io.EOF {
		t.Errorf("after a close: %v", err)
	}
	if r, ok := b.Reason(); !ok || r != ReasonRotate {
		t.Errorf("reason %v, %v", r, ok)
	}
	if err := errors.Join(b.Close(ReasonDone), <-done, a.Close(ReasonDone)); err != nil {
		t.Error(err)
	}
	if _, ok := a.Reason(); ok {
		t.Error("the side that closed first has a reason of the other")
	}
	if _, err := a.Receive(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("receive after own close: %v", err)
	}
	if err := a.Send(Ping{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("send after own close: %v", err)
	}
}

func TestWhatEachSideLearns(t *testing.T) {
	wrong := as(t, "carol").Credential.Fingerprint()
	for name, c := range map[string]struct {
		want              identity.Fingerprint
		change            func(*AcceptConfig, *Self)
		dialled, accepted error
	}{
		"unknown round": {nobody, func(c *AcceptConfig, _ *Self) { c.Gate = gateFor(roundNamed(2)) }, ErrNoAnswer, ErrUnknownRound},
		"no round":      {nobody, func(c *AcceptConfig, _ *Self) { c.Gate = gateFor() }, ErrNoAnswer, ErrUnknownRound},
		"wrong member":  {wrong, nil, ErrRefused, ErrWrongMember},
		"self":          {nobody, func(_ *AcceptConfig, s *Self) { *s = as(t, "alice") }, ErrRefused, ErrSelf},
		"banned": {nobody, func(c *AcceptConfig, _ *Self) {
			c.Banned = func(identity.Tag, *identity.Credential) bool { return true }
		}, ErrRefused, ErrBanned},
		"busy": {nobody, func(c *AcceptConfig, _ *Self) {
			c.Guard = NewGuard(time.Now)
			c.Guard.total.AllowN(time.Now(), TotalBurst)
		}, ErrNoAnswer, ErrBusy},
	} {
		x, y := tcpPair(t)
		d, a := meet(t, x, y, c.want, c.change)
		if !errors.Is(d.err, c.dialled) || !errors.Is(a.err, c.accepted) || d.conn != nil || a.conn != nil {
			t.Errorf("%s: %v; %v", name, d.err, a.err)
		}
	}
}

// fake runs f as the far side of a dial, and returns what the dialler got and everything it sent.
func fake(t *testing.T, f func(net.Conn)) (sent []byte, err error) {
	t.Helper()
	x, y := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m1 := make([]byte, m1Size)
		io.ReadFull(y, m1)
		f(y)
		y.(*net.TCPConn).CloseWrite()
		rest, _ := io.ReadAll(y)
		sent = append(m1, rest...)
	}()
	_, err = Dial(context.Background(), x, as(t, "alice"), roundNamed(1), nobody)
	x.Close()
	<-done
	return sent, err
}

func TestT3FakeListenerGetsFirstMessageOnly(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(net.Conn)
		want error
	}{
		"silent":  {func(net.Conn) {}, ErrNoAnswer},
		"banner":  {func(c net.Conn) { c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n")) }, ErrNotOpentalk},
		"page":    {func(c net.Conn) { c.Write(bytes.Repeat([]byte("<html>"), 500)) }, ErrNotOpentalk},
		"in form": {func(c net.Conn) { c.Write(slices.Repeat([]byte{9}, m2Size)) }, ErrNotOpentalk},
	} {
		sent, err := fake(t, c.f)
		if !errors.Is(err, c.want) || len(sent) != m1Size {
			t.Errorf("%s: it got %d bytes, dialler %v", name, len(sent), err)
		}
	}
}

func TestT3CallerWithoutTheRoundGetsNoByte(t *testing.T) {
	m1 := must(newInitiator(as(t, "alice"), roundNamed(9), nobody, fresh{}).Step(nil))
	wrongVersion := must(newInitiator(as(t, "alice"), roundNamed(1), nobody, fresh{}).Step(nil))
	wrongVersion[len(magic)] = 2
	for name, in := range map[string][]byte{"other round": m1, "other version": wrongVersion, "request": []byte("GET / HTTP/1.1\r\n\r\n")} {
		x, y := tcpPair(t)
		go Accept(context.Background(), y, as(t, "bob"), AcceptConfig{Gate: gateFor(roundNamed(1))})
		x.Write(in)
		if got, _ := io.ReadAll(x); len(got) > 0 {
			t.Errorf("%s: answered with %d bytes", name, len(got))
		}
	}
}

func TestHandshakeTimesOut(t *testing.T) {
	as(t, "alice")
	type far struct {
		speak int // bytes that it sends
		want  error
	}
	silent, half := far{0, ErrTimeout}, far{100, ErrNotOpentalk}
	for i, c := range []far{silent, half, silent, half} {
		probe := i >= 2
		synctest.Test(t, func(t *testing.T) {
			x, y := net.Pipe()
			go func() {
				io.ReadFull(y, make([]byte, m1Size))
				y.Write(make([]byte, c.speak))
			}()
			start, err := time.Now(), error(nil)
			if probe {
				err = Probe(context.Background(), x, as(t, "alice"), roundNamed(1))
			} else {
				_, err = Dial(context.Background(), x, as(t, "alice"), roundNamed(1), nobody)
			}
			if took := time.Since(start); !errors.Is(err, c.want) || took != HandshakeTimeout {
				t.Errorf("%d bytes, probe %v: %v after %v", c.speak, probe, err, took)
			}
		})
	}
}

// One byte a second keeps nobody's attention longer than the one deadline.
func TestT9SlowCaller(t *testing.T) {
	m1 := must(newInitiator(as(t, "alice"), roundNamed(1), nobody, fresh{}).Step(nil))
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		go func() {
			for _, b := range m1 {
				if _, err := x.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		start := time.Now()
		_, err := Accept(context.Background(), y, as(t, "bob"), AcceptConfig{Gate: gateFor(roundNamed(1)), Guard: NewGuard(time.Now)})
		if took := time.Since(start); !errors.Is(err, ErrTimeout) || took != HandshakeTimeout {
			t.Errorf("%v after %v", err, took)
		}
		time.Sleep(2 * time.Second) // until the caller notices
	})
}

func TestHandshakeCancelled(t *testing.T) {
	x, _ := tcpPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Dial(ctx, x, as(t, "alice"), roundNamed(1), nobody); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// capped lets through so many bytes and then ends.
type capped struct {
	net.Conn
	left int
}

func (c *capped) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	if n < len(b) {
		c.Conn.Close()
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestT5HandshakeCutAtEachLength(t *testing.T) {
	initiator, responder := m1Size+m3Size+ackSize, m2Size+m4Size
	for n := 0; n < initiator; n += 1 + n%13 {
		x, y := net.Pipe()
		if _, a := meet(t, &capped{x, n}, y, nobody, nil); a.err == nil {
			t.Errorf("responder links after %d bytes of %d", n, initiator)
		}
		x.Close()
	}
	for n := 0; n < responder; n += 1 + n%13 {
		x, y := net.Pipe()
		if d, _ := meet(t, x, &capped{y, n}, nobody, nil); d.err == nil {
			t.Errorf("initiator links after %d bytes of %d", n, responder)
		}
	}
}

func TestT5StreamCutAtEachLength(t *testing.T) {
	a, b := linked(t)
	wire, msgs := sample(t, a)
	wire = a.SealClose(wire, ReasonDone)
	for n := range wire {
		to := *b
		c := newConn(&pieces{wire: wire[:n], next: func() int { return 1 << 20 }}, &to)
		got := 0
		m, err := c.Receive()
		for ; err == nil; m, err = c.Receive() {
			if KindOf(m) != KindOf(msgs[got]) {
				t.Fatalf("cut at %d: message %d is %v", n, got, m)
			}
			got++
		}
		if !errors.Is(err, ErrCut) || errors.Is(err, io.EOF) {
			t.Fatalf("cut at %d of %d: %v", n, len(wire), err)
		}
	}
}

// flipper changes one byte on its way.
type flipper struct {
	net.Conn
	at int
}

func (f *flipper) Write(b []byte) (int, error) {
	if f.at >= 0 && f.at < len(b) {
		b = bytes.Clone(b)
		b[f.at] ^= 0x10
	}
	f.at -= len(b)
	return f.Conn.Write(b)
}

func TestT5FlippedByteOnTheSocket(t *testing.T) {
	x, y := net.Pipe()
	f := &flipper{Conn: x, at: -1}
	d, a := meet(t, f, y, nobody, nil)
	if d.err != nil || a.err != nil {
		t.Fatal(d.err, a.err)
	}
	f.at = 100
	go d.conn.Send(Ping{Nonce: 1})
	if m, err := a.conn.Receive(); !errors.Is(err, ErrViolation) || m != nil {
		t.Errorf("%v, %v", m, err)
	}
	if m, err := a.conn.Receive(); !errors.Is(err, ErrViolation) || m != nil {
		t.Errorf("again: %v, %v", m, err)
	}
	x.Close()
	y.Close()
}

// A reset that overtakes the CLOSE would turn an end into a cut: the closing side has not read all it was sent.
func TestCloseArrivesThoughDataIsUnread(t *testing.T) {
	a, b := conns(t)
	if err := b.Send(Genesis{Block: blob(1000)}); err != nil {
		t.Fatal(err)
	}
	const many = 16 // too much to be on its way at once
	if err := a.Send(slices.Repeat([]Message{Genesis{Block: blob(MaxBlock)}}, many)...); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- a.Close(ReasonFull) }()
	time.Sleep(50 * time.Millisecond)
	for n := range many + 1 {
		if _, err := b.Receive(); (err == io.EOF) != (n == many) || err != nil && err != io.EOF {
			t.Fatalf("message %d of %d: %v", n, many, err)
		}
	}
	b.Close(ReasonDone)
	<-done
}

func TestBothClose(t *testing.T) {
	a, b := conns(t)
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range []*Conn{a, b, a, b} {
		wg.Go(func() { c.Close(ReasonDone) })
	}
	wg.Go(func() { a.Receive() })
	wg.Go(func() { b.Receive() })
	wg.Wait()
	if took := time.Since(start); took > CloseTimeout/2 {
		t.Errorf("took %v", took)
	}
}

// The far side reads nothing: a Send that hangs, a Receive that waits and the Close itself all end.
func TestCloseWhileSendHangs(t *testing.T) {
	as(t, "alice")
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		d, a := meet(t, x, y, nobody, nil)
		if d.err != nil || a.err != nil {
			t.Fatal(d.err, a.err)
		}
		sent, received := make(chan error), make(chan error)
		go func() { sent <- d.conn.Send(Genesis{Block: blob(MaxBlock)}) }()
		go func() { _, err := d.conn.Receive(); received <- err }()
		time.Sleep(time.Minute)
		start := time.Now()
		go d.conn.Close(ReasonSlow)
		if err := <-sent; !errors.Is(err, net.ErrClosed) {
			t.Errorf("send: %v", err)
		}
		if err := <-received; !errors.Is(err, net.ErrClosed) {
			t.Errorf("receive: %v", err)
		}
		d.conn.Close(ReasonSlow)
		if took := time.Since(start); took > CloseTimeout {
			t.Errorf("close took %v", took)
		}
		y.Close()
	})
}

// counted counts writes.
type counted struct {
	net.Conn
	writes atomic.Int32
}

func (c *counted) Write(b []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(b) }

func TestSendIsOneWrite(t *testing.T) {
	x, y := tcpPair(t)
	w := &counted{Conn: x}
	d, a := meet(t, w, y, nobody, nil)
	if d.err != nil || a.err != nil {
		t.Fatal(d.err, a.err)
	}
	go io.Copy(io.Discard, y)
	before := w.writes.Load()
	if err := d.conn.Send(Ready{}, Ping{}, Blocks{Blocks: blobsOf(1, MaxBlock)}, Pong{}); err != nil {
		t.Fatal(err)
	}
	if err := d.conn.Send(); err != nil {
		t.Fatal(err)
	}
	if n := w.writes.Load() - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

// What cannot be sent harms neither the link nor what is sent with it next.
func TestSendRefusesAndGoesOn(t *testing.T) {
	a, b := conns(t)
	if err := a.Send(Ping{Nonce: 1}, Genesis{}); err == nil {
		t.Error("empty genesis sent")
	}
	if err := a.Send(Ping{Nonce: 2}); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Receive(); err != nil || m.(Ping).Nonce != 2 {
		t.Errorf("%v, %v", m, err)
	}
}

func TestT10PanicDropsTheLinkOnly(t *testing.T) {
	a, b := conns(t)
	b.session.recv.aead = nil // whatever would make it panic
	if err := a.Send(Ping{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.Receive(); !errors.Is(err, ErrViolation) {
			t.Errorf("receive: %v", err)
		}
	}
	x, y := tcpPair(t)
	d, c := meet(t, x, y, nobody, func(c *AcceptConfig, _ *Self) {
		c.Rounds = func() []*Round { panic("out of order") }
	})
	if !errors.Is(d.err, ErrNoAnswer) || !errors.Is(c.err, ErrViolation) {
		t.Errorf("%v; %v", d.err, c.err)
	}
}

func TestSelfThatCannotWork(t *testing.T) {
	x, y := net.Pipe()
	if _, err := Dial(context.Background(), x, Self{}, roundNamed(1), nobody); err == nil {
		t.Error("dialled as nobody")
	}
	if _, err := Accept(context.Background(), y, as(t, "bob"), AcceptConfig{}); err == nil {
		t.Error("accepted without a gate")
	}
	if _, err := x.Write([]byte{1}); err == nil {
		t.Error("socket left open")
	}
}
