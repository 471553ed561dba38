package engine_test

import (
	"context"
	"net"
	"sync/atomic"

	"opentalk/engine/socket"
)

// counting is the system's network with a meter, and a limit after which every connection breaks.
type counting struct {
	socket.System
	in, out atomic.Int64
	most    atomic.Int64 // bytes in, 0 for any number
}

func (c *counting) Dial(ctx context.Context, addr string) (net.Conn, error) {
	nc, err := c.System.Dial(ctx, addr)
	if err != nil {
		return nil, err
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
