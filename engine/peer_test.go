package engine

import (
	"testing"
	"time"

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
