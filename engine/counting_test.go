package engine_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"opentalk/engine/socket"
)

// counting is the system's network with a meter, a limit after which every connection breaks, and a delay.
type counting struct {
	socket.System
	in, out atomic.Int64
	most    atomic.Int64 // bytes in, 0 for any number

	delay   time.Duration // of what is sent over a connection that is dialled: a round trip takes that long
	dialled time.Time     // when the last was, if there is a delay
}

func (c *counting) Dial(ctx context.Context, addr string) (net.Conn, error) {
	nc, err := c.System.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if c.delay > 0 {
		c.dialled = time.Now()
		nc = newDelayed(nc, c.delay)
	}
	return &meter{nc, c}, nil
}

func (c *counting) Listen(addr string) (net.Listener, error) {
	l, err := c.System.Listen(addr)
	if err != nil {
		return nil, err
	}
	return &metered{l, c}, nil
}

type metered struct {
	net.Listener
	c *counting
}

func (l *metered) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &meter{nc, l.c}, nil
}

type meter struct {
	net.Conn
	c *counting
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if total := m.c.in.Add(int64(n)); m.c.most.Load() > 0 && total > m.c.most.Load() {
		m.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	m.c.out.Add(int64(n))
	return n, err
}

// delayed is a connection that sends what is written to it later. Closing it loses what is on its way.
type delayed struct {
	net.Conn
	delay time.Duration
	sent  chan parcel
	done  chan struct{}
	once  sync.Once
}

type parcel struct {
	due  time.Time
	what []byte
}

func newDelayed(nc net.Conn, delay time.Duration) *delayed {
	d := &delayed{Conn: nc, delay: delay, sent: make(chan parcel, 1024), done: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-d.sent:
				time.Sleep(time.Until(p.due))
				d.Conn.Write(p.what)
			case <-d.done:
				return
			}
		}
	}()
	return d
}

func (d *delayed) Write(b []byte) (int, error) {
	select {
	case d.sent <- parcel{time.Now().Add(d.delay), bytes.Clone(b)}:
		return len(b), nil
	case <-d.done:
		return 0, net.ErrClosed
	}
}

func (d *delayed) Close() error {
	d.once.Do(func() { close(d.done) })
	return d.Conn.Close()
}
