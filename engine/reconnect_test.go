package engine

import (
	"testing"
	"time"

	"opentalk/engine/link"
)

// TestReconnectingSaysLittle: members who meet again and hold the same say so in READY, and of the addresses each tells its
// own. Once one lacks something both tell their whole frontier, and it is fetched.
func TestReconnectingSaysLittle(t *testing.T) {
	s := together(t, 5, 3)
	frontiers, records := map[int]int{}, 0
	s.watch = func(nd *node, ef effect) {
		send, ok := ef.(sendTo)
		if !ok {
			return
		}
		for _, m := range send.msgs {
			switch m := m.(type) {
			case link.Frontier:
				frontiers[nd.N]++
			case link.Addresses:
				records = max(records, len(m.Records))
			}
		}
	}
	apart := func(meanwhile func()) {
		s.part([]int{1}, []int{0, 2})
		s.settle(time.Minute)
		meanwhile()
		s.settle(time.Minute)
		clear(frontiers)
		records = 0
		s.Clear()
		s.settle(2 * redialMost)
		if len(s.round(1).peers) != 2 {
			t.Fatalf("%d links", len(s.round(1).peers))
		}
	}
	apart(func() {})
	if len(frontiers) > 0 || records > 1 {
		t.Errorf("nothing is missing: frontiers from %v, %d address records at once", frontiers, records)
	}
	apart(func() { s.say(s.nodes[0], "meanwhile") })
	if frontiers[1] == 0 || frontiers[0]+frontiers[2] == 0 {
		t.Errorf("one lacks something: frontiers from %v", frontiers)
	}
	s.agree()
}

// TestNumberOfAnAddressRecord: who has forgotten how far it had counted, when its clock was ahead, is told.
func TestNumberOfAnAddressRecord(t *testing.T) {
	s := together(t, 6, 2)
	here, there, device := s.round(0), s.round(1), s.nodes[1].device()
	s.part([]int{0}, []int{1})
	s.settle(time.Second)
	there.records[device] = knownRecord{number: there.records[device].number + 1_000_000_000}
	ahead := there.ownRecord()
	s.step(s.nodes[0], call(func(*core) { here.takeRecords(nil, true, ahead) }))
	before := here.records[device].number
	delete(there.records, device)
	s.settle(time.Minute)
	s.Clear()
	s.settle(2 * redialMost)
	if now := here.records[device].number; now <= before {
		t.Errorf("number %d, and it was %d", now, before)
	}
}
