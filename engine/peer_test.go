package engine

import (
	"errors"
	"testing"
	"time"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// TestTwoLinksToOneDevice: when both sides have dialled, the link that the smaller device dialled stays on either side if
// the two dials crossed, and both stay if one came later: who dials past a link has lost it, whatever is still seen of it
// here. Of two dialled from here the first stays; of two dialled from there the other side decides.
func TestTwoLinksToOneDevice(t *testing.T) {
	type made struct {
		dialled bool
		at      time.Duration
	}
	low, high := identitytest.Keyring(t, t.TempDir(), 0), identitytest.Keyring(t, t.TempDir(), 1)
	if compareDevices(low.Device.Device(), high.Device.Device()) > 0 {
		low, high = high, low
	}
	for _, tc := range []struct {
		name          string
		first, second made
		small         string // which stays where this device is the smaller
		large         string // and where it is the larger
	}{
		{"crossed, ours first", made{true, 0}, made{false, crossTime - 1}, "first", "second"},
		{"crossed, theirs first", made{false, 0}, made{true, crossTime - 1}, "second", "first"},
		{"they dial past ours", made{true, 0}, made{false, crossTime}, "both", "both"},
		{"we dial past theirs", made{false, 0}, made{true, time.Hour}, "second", "first"},
		{"twice from here", made{true, 0}, made{true, time.Hour}, "first", "first"},
		{"twice from there", made{false, 0}, made{false, time.Second}, "both", "both"},
	} {
		for i, self := range []bool{true, false} {
			us, them, want := low, high, tc.small
			if !self {
				us, them, want = high, low, tc.large
			}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			c := &core{now: now, keys: us}
			c.self.Key = us.Device
			r := &round{c: c}
			old := &peer{id: 1, round: r, cred: them.Credential, dialled: tc.first.dialled, since: now}
			c.peers, r.peers = map[linkID]*peer{1: old}, []*peer{old}
			c.now = now.Add(tc.second.at)
			keeps := r.mayKeep(&peer{id: 2, round: r, cred: them.Credential, dialled: tc.second.dialled, since: c.now})
			got := map[[2]bool]string{{true, false}: "first", {false, true}: "second", {true, true}: "both", {}: "none"}[[2]bool{c.peers[1] != nil, keeps}]
			if got != want {
				t.Errorf("%s, case %d: %s stays, want %s", tc.name, i, got, want)
			}
		}
	}
}

// calls has a device dial a node in a round, and reports whether the link is kept. It says nothing.
func (s *sim) calls(nd *node, tag Tag, cred *identity.Credential) bool {
	s.links++
	s.step(nd, linkUp{link: s.links, tag: tag, self: nd.device(), cred: cred, address: "192.0.2.1:1"})
	return nd.core.peers[s.links] != nil
}

// TestWhoHasAPlace: when all places for callers are taken, neither one device that calls again and again nor newcomers nor the
// callers of another round keep out who has been in a round for long.
func TestWhoHasAPlace(t *testing.T) {
	s := together(t, 3, 3)
	nd, older, newer := s.nodes[0], s.nodes[1].keys.Credential, s.nodes[2].keys.Credential
	s.crash(s.nodes[1])
	s.crash(s.nodes[2])
	s.settle(time.Minute)
	for range 2 * maxCallers {
		s.calls(nd, s.tag, older)
	}
	if n := len(s.round(0).callers()); n != maxCallers {
		t.Errorf("%d callers", n)
	}
	if !s.calls(nd, s.tag, newer) {
		t.Error("one device has taken every place")
	}
	for i := range maxCallers + 4 {
		s.calls(nd, s.tag, identitytest.Credential(100+i))
	}
	has := func(r *round, cred *identity.Credential) (n int) {
		for _, p := range r.callers() {
			if p.device() == cred.Device() {
				n++
			}
		}
		return n
	}
	if has(s.round(0), older) != 1 || has(s.round(0), newer) != 1 || len(s.round(0).callers()) != maxCallers {
		t.Errorf("of %d callers %d and %d are of those who were here before", len(s.round(0).callers()), has(s.round(0), older), has(s.round(0), newer))
	}
	if s.calls(nd, s.tag, identitytest.Credential(99)) {
		t.Error("one newcomer takes the place of another")
	}
	for range 3 {
		if !s.calls(nd, s.tag, older) || has(s.round(0), older) != 1 {
			t.Fatal("who dials past a link of theirs is refused, or takes another's place")
		}
	}
	var quiet Round
	err := errors.New("not founded")
	s.step(nd, call(func(c *core) { c.found("quiet", func(r Round, e error) { quiet, err = r, e }) }))
	if s.settle(time.Second); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if !s.calls(nd, quiet.Tag, identitytest.Credential(10+i)) {
			t.Error("the callers of one round have taken the places of another")
		}
	}
	if has(s.round(0), older) != 1 || has(s.round(0), newer) != 1 {
		t.Error("the place is taken from who has been here for longest")
	}
}
