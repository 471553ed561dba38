package engine

import (
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// TestOrphansAreBounded: a peer may have so many blocks kept aside, and half of them when it is shunned; another's room is its
// own.
func TestOrphansAreBounded(t *testing.T) {
	for _, tc := range []struct {
		shunned bool
		body    int
		most    int
	}{
		{false, 10, maxOrphans},
		{true, 10, maxOrphans / 2},
		{false, chain.MaxBody, maxOrphanBytes / (chain.MaxBody + 1)},
	} {
		tag := identity.Tag{1}
		o, now, missing := newOrphans(), time.Unix(1_800_000_000, 0), []chain.ID{{1}}
		block := func(seq int) *chain.Block {
			h := chain.Header{Tag: tag, Kind: chain.KindMessage, Seq: uint64(seq), Prev: chain.ID{1}, T: uint64(seq)}
			b, err := chain.Sign(identitytest.Device(0), h, make([]byte, tc.body))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		kept, size := 0, 0
		for seq := 1; seq <= 2*maxOrphans; seq++ {
			if b := block(seq); o.keep(1, b, missing, now, tc.shunned) {
				kept, size = kept+1, size+len(b.Bytes())
			}
		}
		if kept == 0 || kept > tc.most || tc.body == 10 && kept != tc.most || size > maxOrphanBytes {
			t.Errorf("%d blocks of %d bytes are kept, %d bytes, want at most %d", kept, tc.body, size, tc.most)
		}
		if !o.keep(2, block(2*maxOrphans+1), missing, now, false) {
			t.Error("one peer takes the room of another")
		}
	}
}
