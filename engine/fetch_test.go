package engine

import (
	"slices"
	"testing"

	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/link"
)

// TestLostFetchIsAskedOfAnother: when who was asked for a block does not answer, the others are asked, each once; and when
// nobody has it, it is given up.
func TestLostFetchIsAskedOfAnother(t *testing.T) {
	s := together(t, 5, 4)
	r, id := s.round(0), chain.ID{1, 2, 3}
	asked := map[linkID]int{}
	s.watch = func(nd *node, ef effect) {
		send, ok := ef.(sendTo)
		if !ok || nd.N != 0 {
			return
		}
		for _, m := range send.msgs {
			if f, ok := m.(link.Fetch); ok && slices.Contains(f.IDs, [32]byte(id)) {
				asked[send.link]++
			}
		}
	}
	mute := r.peers[1]
	s.step(s.nodes[0], call(func(*core) { mute.fetch([]chain.ID{id}) }))
	s.nodes[0].Lose(enginetest.LinkID(mute.id))
	if len(asked) != 1 {
		t.Errorf("%d are asked at once", len(asked))
	}
	s.settle(2 * fetchTime)
	for _, p := range r.peers {
		if asked[p.id] != 1 {
			t.Errorf("%s is asked %d times", p.person().Name, asked[p.id])
		}
	}
	if len(r.fetching) > 0 {
		t.Error("it is still expected")
	}
}
