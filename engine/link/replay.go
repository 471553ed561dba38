package link

import "sync"

// Replay remembers the last [MaxReplay] first messages that were answered, so that a recorded one gets no second answer.
// The zero value is ready, and safe from any goroutine.
type Replay struct {
	mu   sync.Mutex
	seen map[[mac1Size]byte]struct{}
	ring [][mac1Size]byte // oldest at next, once full
	next int
}

// accept reports nil for a message that is new and that admit lets in, and then remembers it. What admit turns away was
// not answered and is not remembered: a flood cannot push out the memory faster than admit allows.
func (r *Replay) accept(m [mac1Size]byte, admit func() bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.seen[m]; ok {
		return ErrReplay
	}
	if !admit() {
		return ErrBusy
	}
	if r.seen == nil {
		r.seen = make(map[[mac1Size]byte]struct{})
	}
	r.seen[m] = struct{}{}
	if len(r.ring) < MaxReplay {
		r.ring = append(r.ring, m)
		return nil
	}
	delete(r.seen, r.ring[r.next])
	r.ring[r.next] = m
	r.next = (r.next + 1) % MaxReplay
	return nil
}
