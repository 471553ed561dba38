package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"opentalk/engine/enginetest"
	"opentalk/engine/link"
)

// talking is a round of n whose links have some delay, and their disks too. The first has said a few lines.
func talking(t *testing.T, n int) *sim {
	s := together(t, 5, n)
	s.Weather = enginetest.Weather{Delay: time.Millisecond, Jitter: time.Millisecond, Flush: 3 * time.Millisecond}
	for i := range 5 {
		s.say(s.nodes[0], fmt.Sprintf("line %d", i))
		s.settle(2 * time.Second)
	}
	return s
}

// TestPruned: what is said is brought to each once, however many links there are.
func TestPruned(t *testing.T) {
	for _, members := range []int{10, largeRound + 10} {
		s := talking(t, members)
		links := 0
		for _, nd := range s.nodes {
			links += len(s.round(nd.N).peers)
		}
		brought, told := countLine(s)
		// In a large round who is linked to its author hears it from whoever was first the time before.
		if most := members - 1 + members/largeRound*2; brought < members-1 || brought > most {
			t.Errorf("a line to %d others was sent %d times, want at most %d", members-1, brought, most)
		}
		if told > links { // each side of each has told the other that it holds it, which one of them can leave
			t.Errorf("%d other messages about it over %d links", told, links/2)
		}
	}
}

// countLine has the first say one more line, and counts how often it was sent, and the other messages that it took.
func countLine(s *sim) (brought, told int) {
	s.watch = func(nd *node, ef effect) {
		if ef, ok := ef.(sendTo); ok {
			for _, m := range ef.msgs {
				switch m.(type) {
				case link.Blocks:
					brought++
				case link.Ping, link.Pong:
				default:
					told++
				}
			}
		}
	}
	s.say(s.nodes[0], "who brings this to whom?")
	s.settle(2 * time.Second)
	s.agree()
	return brought, told
}

// TestPrunedTreeBreaks: who hears an author from the author alone, and suddenly does not, without knowing, still sees a line while
// it is new, and the next ones at once.
func TestPrunedTreeBreaks(t *testing.T) {
	s := talking(t, 3)
	author, deaf := s.nodes[0], s.nodes[2]
	s.Silence(author.Node, deaf.Node, true)
	var shown []time.Time
	s.watch = func(nd *node, ef effect) {
		if e, ok := ef.(emit); ok && nd == deaf {
			if m, ok := e.Event.(MessageEvent); ok {
				if shown = append(shown, s.Now()); !m.Message.Live {
					t.Errorf("%q is not shown as live", m.Message.Text)
				}
			}
		}
	}
	for i, within := range []time.Duration{2*pruneWait + 50*time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond} {
		said := s.Now()
		s.say(author, fmt.Sprintf("can you hear me? %d", i))
		s.settle(2 * time.Second)
		if len(shown) != i+1 || shown[i].Sub(said) > within {
			t.Fatalf("said at %v, shown at %v, want within %v", said, shown, within)
		}
	}
}

// TestPruneIsNotForOwn: nobody can keep a device from being sent what its peer itself says, and who has not pruned is brought
// everything.
func TestPruneIsNotForOwn(t *testing.T) {
	s := talking(t, 2)
	r := s.round(0)
	p := r.peers[0]
	self, other := s.nodes[0].device(), s.nodes[1].device()
	p.onPrune(link.Prune{Devices: []Device{self, other, {1}}})
	if p.pruned.theirs[self] || p.pruned.theirs[Device{1}] || !p.pruned.theirs[other] {
		t.Errorf("pruned %v", p.pruned.theirs)
	}
}

// TestDuplicatesAreAcknowledged: a block that comes a second time while the first is on its way to the disk is acknowledged to
// both, so that no link ends over it.
func TestDuplicatesAreAcknowledged(t *testing.T) {
	s := together(t, 5, 6)
	s.Weather = enginetest.Weather{Jitter: 10 * time.Millisecond, Flush: 3 * time.Millisecond}
	s.watch = func(nd *node, ef effect) {
		if ef, ok := ef.(hangUp); ok {
			t.Errorf("at %v node %d hangs up: %v", s.Now(), nd.N, ef.reason)
		}
	}
	s.say(s.nodes[0], "and then nobody said a word")
	s.settle(2 * time.Minute)
	if slices.ContainsFunc(s.nodes, func(nd *node) bool { return len(s.round(nd.N).peers) != 5 }) {
		t.Error("not everybody is linked to everybody")
	}
}
