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
