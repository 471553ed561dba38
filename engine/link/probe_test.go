package link

import (
	"context"
	"errors"
	"net"
	"testing"
)

// TestProbe: it tells whether a member of the round listens, and shows nothing of who asks: the far side gets a first message
// and then the end.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		round byte
		want  error
	}{{1, nil}, {2, ErrNoAnswer}} {
		x, y := tcpPair(t)
		done, read := make(chan error), &reads{Conn: y}
		go func() {
			_, err := Accept(context.Background(), read, as(t, "bob"), AcceptConfig{Gate: gateFor(roundNamed(1))})
			done <- err
		}()
		if err := Probe(t.Context(), x, as(t, "alice"), roundNamed(c.round)); !errors.Is(err, c.want) {
			t.Errorf("round %d: %v, want %v", c.round, err, c.want)
		}
		if err := <-done; err == nil {
			t.Errorf("round %d: a link came of it", c.round)
		}
		if read.n > m1Size {
			t.Errorf("round %d: the far side got %d bytes", c.round, read.n)
		}
		if _, err := x.Read(make([]byte, 1)); err == nil {
			t.Errorf("round %d: the socket is open", c.round)
		}
	}
}

// reads counts what is read of it.
type reads struct {
	net.Conn
	n int
}

func (c *reads) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n += n
	return n, err
}
