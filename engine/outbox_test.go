package engine

import (
	"errors"
	"testing"
	"time"
)

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
