package link

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"opentalk/engine/identity"
)

// Conn is a link on a socket. One goroutine may Send and another Receive; the rest is safe from any.
type Conn struct {
	opaque
	nc      net.Conn
	session *Session
	in      *bufio.Reader // Receive's

	// sending has one place, taken while records are sealed and written, so that they are written in order. A channel and
	// no mutex: the wait can be long, and a simulated clock (testing/synctest) goes on during it.
	sending chan struct{}
	broken  error // a write has failed, so that nothing written after it could be read

	closing atomic.Bool
	done    chan struct{} // closed at the end of Close
	ended   atomic.Int32  // 1 + the Reason with which the far side closed; 0 before
}

func newConn(nc net.Conn, s *Session) *Conn {
	return &Conn{
		nc:      nc,
		session: s,
		in:      bufio.NewReaderSize(nc, 2*MaxRecord),
		sending: make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
}

// Tag names the round.
func (c *Conn) Tag() identity.Tag { return c.session.tag }

// Peer is who is at the far end, and its device.
func (c *Conn) Peer() *identity.Credential { return c.session.peer }

// Initiated reports whether this side dialled.
func (c *Conn) Initiated() bool { return c.session.initiated }

// RemoteAddr is the far end of the socket.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Send writes msgs in order, in one write. It blocks while the far side does not read, until Close; that it returned does
// not mean that anything arrived. All of msgs is in memory twice meanwhile.
//
// What cannot be encoded is an error before anything is sent, and the link goes on. After any other error it is of no
// use. After Close the error is net.ErrClosed.
func (c *Conn) Send(msgs ...Message) error {
	c.sending <- struct{}{}
	defer func() { <-c.sending }()
	if c.broken != nil {
		return c.broken
	}
	wire := wires.Get().(*[]byte)
	defer putWire(wire)
	out, err := c.session.Seal((*wire)[:0], msgs...)
	if *wire = out; err != nil || len(out) == 0 {
		return err
	}
	return c.write(out)
}

func (c *Conn) write(out []byte) error {
	if _, err := c.nc.Write(out); err != nil {
		c.broken = fmt.Errorf("sending: %w: %v", ErrCut, err)
		if c.closing.Load() {
			c.broken = net.ErrClosed
		}
	}
	return c.broken
}

// wires are buffers of Send, shared for the same reason as buffers.
var wires = sync.Pool{New: func() any { return new([]byte) }}

func putWire(b *[]byte) {
	if cap(*b) <= maxPooled {
		wires.Put(b)
	}
}

// Receive waits for the next message. It is io.EOF once the far side has closed the link, [ErrCut] when the stream just
// ends, [ErrViolation] when anything in it is wrong, and net.ErrClosed after Close.
func (c *Conn) Receive() (m Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, c.session.fail(violation("handling what was received: panic: %v", p))
		}
		if err != nil && c.closing.Load() {
			m, err = nil, net.ErrClosed
		}
	}()
	for {
		if m, err := c.session.Next(); m != nil || err != nil {
			return m, err
		}
		if reason, ok := c.session.Closed(); ok {
			c.ended.Store(1 + int32(reason))
			return nil, io.EOF
		}
		n := c.session.Need()
		in, err := c.in.Peek(n)
		if err != nil {
			return nil, fmt.Errorf("reading a record: %w: %v", ErrCut, err) // not io.EOF to errors.Is
		}
		if err := c.session.Open(in); err != nil {
			return nil, err
		}
		c.in.Discard(n)
	}
}

// Reason is why the far side closed the link, once Receive has given io.EOF.
func (c *Conn) Reason() (Reason, bool) {
	r := c.ended.Load()
	return Reason(max(0, r-1)), r > 0
}

// Close tells the far side why and ends the link. It takes up to [CloseTimeout], and less when the far side closes, too.
// A Send or Receive under way ends by then. Closing twice does nothing more; both return once it is done.
func (c *Conn) Close(reason Reason) error {
	if c.closing.Swap(true) {
		<-c.done
		return nil
	}
	defer close(c.done)
	c.nc.SetDeadline(time.Now().Add(CloseTimeout))
	c.sending <- struct{}{}
	defer func() { <-c.sending }()
	if c.broken == nil && c.ended.Load() == 0 && c.write(c.session.SealClose(nil, reason)) == nil {
		c.linger()
	}
	return c.nc.Close()
}

// linger reads until the far side closes. Closing a TCP socket with anything unread resets it, and the reset could
// overtake our CLOSE.
func (c *Conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	io.Copy(io.Discard, c.nc)
}
