package engine

import (
	"fmt"
	"testing"
	"time"

	"opentalk/engine/identity/identitytest"
)

// TestLargeRound: past thirty members links are few and drawn, and every message reaches everybody all the same, also when
// some are gone and links are exchanged.
func TestLargeRound(t *testing.T) {
	s := newSim(t, 17, identitytest.Count)
	s.found()
	for n := 1; n < len(s.nodes); n++ {
		s.join(n, s.Rand.IntN(n))
		s.settle(2 * time.Second)
	}
	s.settle(rotateEvery + time.Minute) // links are exchanged meanwhile
	for _, nd := range s.nodes {
		dialled := 0
		for _, p := range nd.core.rounds[s.tag].peers {
			if p.dialled {
				dialled++
			}
			if !p.online() {
				t.Errorf("node %d has a link that does not come to life", nd.N)
			}
		}
		if dialled > largeLinks {
			t.Errorf("node %d keeps %d dialled links", nd.N, dialled)
		}
	}
	mute := s.nodes[5] // what it says leaves only by being announced and fetched
	s.crash(mute)
	mute.Inbound = true
	s.start(mute)
	s.settle(10 * time.Minute)
	for _, n := range []int{3, 9, 20} {
		s.crash(s.nodes[n])
	}
	s.settle(5 * time.Minute) // who has lost a link has dialled another by now
	before := s.frames()
	clear(s.said)
	for i := range 10 {
		s.say(s.nodes[(7*i+5)%len(s.nodes)], fmt.Sprint("message ", i))
		s.settle(2 * time.Second)
	}
	t.Logf("%d messages on links for each member and message", (s.frames()-before)/len(s.nodes)/10)
	for _, nd := range s.nodes {
		if nd.core == nil {
			continue
		}
		history, err := nd.core.rounds[s.tag].archive().history(Position{}, 10)
		if err != nil || len(history) != len(s.said) {
			t.Errorf("node %d is up and has %d of %d messages, err %v", nd.N, len(history), len(s.said), err)
		}
	}
	s.heal()
	s.agree()
}

// frames is how many messages have come over links.
func (s *sim) frames() (n int) {
	for _, nd := range s.nodes {
		n += nd.Traffic.In
	}
	return n
}
