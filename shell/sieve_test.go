package shell

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestSieveKeepsOrder puts things into a sieve that take their time, or none, and sees each done in its turn.
func TestSieveKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Shell{sieve: newSieve(), done: make(chan struct{})}
		defer close(s.done)
		const n = 200
		var got, want []int
		r := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			want = append(want, i)
			if r.IntN(3) == 0 {
				took := time.Duration(r.IntN(50)) * time.Millisecond
				s.sift(func() func() {
					time.Sleep(took)
					return func() { got = append(got, i) }
				})
			} else {
				s.inOrder(func() { got = append(got, i) })
			}
			for r.IntN(2) == 0 && !s.sieve.empty() { // the loop has a turn
				(<-s.sieve.sifted)()
			}
		}
		for !s.sieve.empty() {
			(<-s.sieve.sifted)()
		}
		if !slices.Equal(got, want) {
			t.Errorf("done in the order %v", got)
		}
	})
}
