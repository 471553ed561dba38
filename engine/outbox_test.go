package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"opentalk/engine/store"
)

// failing is a store that cannot be read any more after some reads.
type failing struct {
	Store
	left int
}

func (f *failing) Entry(tag Tag, id store.ID) (store.Entry, bool, error) {
	if f.left--; f.left < 0 {
		return store.Entry{}, false, errors.New("the disk is loose")
	}
	return f.Store.Entry(tag, id)
}

// TestDiskThatFailsOnce: wherever in it the store cannot be read for a moment, what is said waits, and is sent when it can.
func TestDiskThatFailsOnce(t *testing.T) {
	for n := range 6 {
		s, _, _, _ := flooded(t)
		nd, r, text := s.nodes[0], s.round(0), fmt.Sprint("can you hear me after ", n)
		s.liar = nd // it tells of errors
		nd.core.store = &failing{nd.store, n}
		clear(r.recent)
		r.order = nil
		told := false
		s.step(nd, call(func(c *core) {
			r.say(text, Plain, false, func(_ MessageID, err error) {
				if told = true; err != nil {
					t.Error(err)
				}
			})
		}))
		s.settle(time.Second)
		if !told {
			t.Errorf("after %d reads who says something waits for ever", n)
		}
		nd.core.store = nd.store
		s.settle(time.Minute)
		if !s.has(s.nodes[1], text) {
			t.Errorf("after %d reads it is never sent", n)
		}
	}
}

// TestFullDisk: what cannot be stored any more does not wait, and whoever says it is told, whether it was to be signed, to wait
// or had to let another go first. What is stored waits on, though signing it failed.
func TestFullDisk(t *testing.T) {
	for name, online := range map[string]bool{"alone": false, "with somebody": true} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, 31, 2)
			s.found()
			s.join(1, 0)
			s.settle(5 * time.Second)
			if !online {
				s.crash(s.nodes[1])
				s.settle(time.Minute)
				s.say(s.nodes[0], "kept")
				s.settle(time.Second)
			}
			s.nodes[0].full = true
			refused := 0
			for range 3 {
				s.on(0, func(r *round) {
					r.say("lost", Plain, false, func(_ MessageID, err error) {
						if errors.Is(err, ErrReadOnly) {
							refused++
						}
					})
				})
			}
			s.settle(time.Minute)
			if refused != 3 {
				t.Errorf("%d of 3 are refused", refused)
			}
			if r := s.round(0); online && r.outbox.told != 0 || !online && r.outbox.told != 1 {
				t.Errorf("%d wait", r.outbox.told)
			}
		})
	}
}

// TestFullDiskSigning: messages that waited on the disk wait on if the block that says them cannot be stored.
func TestFullDiskSigning(t *testing.T) {
	s := newSim(t, 32, 2)
	s.found()
	s.join(1, 0)
	s.settle(5 * time.Second)
	s.crash(s.nodes[1])
	s.settle(time.Minute)
	s.say(s.nodes[0], "kept")
	s.settle(time.Second)
	s.watch = func(nd *node, ef effect) {
		if _, ok := ef.(commit); ok && nd == s.nodes[0] && s.round(0).signing {
			nd.full = true
		}
	}
	s.start(s.nodes[1])
	s.settle(time.Minute)
	if !s.nodes[0].full {
		t.Fatal("nothing was signed")
	}
	if r := s.round(0); r.outbox.told != 1 || len(r.pending()) != 1 {
		t.Errorf("%d wait: %v", r.outbox.told, r.pending())
	}
}
