package link

import (
	"context"
	"errors"
	"io"
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
		done := make(chan error)
		go func() {
			_, err := Accept(context.Background(), y, as(t, "bob"), AcceptConfig{Gate: gateFor(roundNamed(1))})
			done <- err
		}()
		if err := Probe(t.Context(), x, as(t, "alice"), roundNamed(c.round)); !errors.Is(err, c.want) {
			t.Errorf("round %d: %v, want %v", c.round, err, c.want)
		}
		if err := <-done; err == nil {
			t.Errorf("round %d: a link came of it", c.round)
		}
		if _, err := x.Read(make([]byte, 1)); err == nil {
			t.Errorf("round %d: the socket is open", c.round)
		}
	}
	x, y := tcpPair(t)
	got := make(chan int)
	go func() {
		all, _ := io.ReadAll(y)
		got <- len(all)
	}()
	ctx, cancel := context.WithCancel(t.Context())
	probing := make(chan error)
	go func() { probing <- Probe(ctx, x, as(t, "alice"), roundNamed(1)) }()
	cancel()
	<-probing
	if n := <-got; n > m1Size {
		t.Errorf("a listener that only reads gets %d bytes", n)
	}
}
