package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"opentalk/engine/identity"
)

// AcceptConfig is what a listener decides about its callers, with the Guard that all listeners share; nil bounds nothing.
type AcceptConfig struct {
	Gate
	Guard *Guard
}

// Dial does the dialling side of a handshake on nc, in round, within [HandshakeTimeout]. A want that is not zero must be
// the fingerprint of the far side. nc belongs to the Conn from then on, and is closed if there is none.
//
// The errors are those of this package, or what ctx gave.
func Dial(ctx context.Context, nc net.Conn, self Self, round *Round, want identity.Fingerprint) (*Conn, error) {
	i, err := NewInitiator(self, round, want)
	if err != nil {
		nc.Close()
		return nil, err
	}
	if err := shake(ctx, nc, i); err != nil {
		return nil, fmt.Errorf("linking to %s: %w", nc.RemoteAddr(), err)
	}
	return newConn(nc, i.Session()), nil
}

// Accept does the listening side of a handshake on nc, as [Dial] does the other.
func Accept(ctx context.Context, nc net.Conn, self Self, cfg AcceptConfig) (*Conn, error) {
	var admit func() bool
	if cfg.Guard != nil {
		slot := cfg.Guard.Enter(nc.RemoteAddr(), func() { nc.Close() })
		if slot == nil {
			nc.Close()
			return nil, fmt.Errorf("link from %s: %w", nc.RemoteAddr(), ErrBusy)
		}
		defer slot.Leave()
		admit = slot.Admit
	}
	r, err := NewResponder(self, cfg.Gate, admit)
	if err != nil {
		nc.Close()
		return nil, err
	}
	err = shake(ctx, nc, r)
	if cfg.Guard != nil && errors.Is(err, net.ErrClosed) {
		err = ErrBusy // it made room for another
	}
	if err != nil {
		return nil, fmt.Errorf("link from %s: %w", nc.RemoteAddr(), err)
	}
	return newConn(nc, r.Session()), nil
}

// machine is a side of the handshake.
type machine interface {
	Need() int
	Step([]byte) ([]byte, error)
	Session() *Session
	ended(got int) error // what it means that the far side ended the stream after got bytes of the next message
}

// shake runs m over nc until it is done, and closes nc if it fails.
func shake(ctx context.Context, nc net.Conn, m machine) error {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err := exchange(nc, m)
	if !stop() && err == nil {
		err = os.ErrDeadlineExceeded // it came too late to be noticed
	}
	if err == nil {
		return nil
	}
	nc.Close()
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.Is(err, ErrNotOpentalk):
		return ErrTimeout
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	}
	return err
}

// exchange carries bytes between nc and m. A panic in m is an error of this link.
func exchange(nc net.Conn, m machine) (err error) {
	defer recovered(&err)
	buf := make([]byte, m1Size) // the largest
	for m.Session() == nil {
		in := buf[:m.Need()]
		if n, err := io.ReadFull(nc, in); err != nil {
			return lost(m, n, err)
		}
		out, err := m.Step(in)
		if err != nil {
			return err
		}
		if len(out) == 0 {
			continue
		}
		if _, err := nc.Write(out); err != nil {
			return lost(m, 0, err)
		}
	}
	return nil
}

// lost says what an error of the socket means for m.
func lost(m machine, got int, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if got > 0 && m.Need() == m2Size { // only who dials waits for so much
			return fmt.Errorf("%w: it sent %d bytes, and then no more: %w", ErrNotOpentalk, got, err)
		}
		return err
	}
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return m.ended(got)
}

func (i *Initiator) ended(got int) error {
	switch {
	case i.need == m4Size && got == 0:
		return ErrRefused
	case i.need == m4Size || i.need == 0:
		return fmt.Errorf("%w: within the handshake", ErrCut)
	case got > 0:
		return fmt.Errorf("%w: it sent %d bytes, want %d", ErrNotOpentalk, got, m2Size)
	}
	return ErrNoAnswer
}

func (r *Responder) ended(got int) error {
	switch {
	case r.need == ackSize && got == 0:
		return ErrRefused
	case r.need == m3Size && got == 0:
		return fmt.Errorf("%w: the caller left after our answer", ErrCut)
	}
	return fmt.Errorf("%w: within the handshake", ErrCut)
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = violation("handling what was received: panic: %v", p)
	}
}
