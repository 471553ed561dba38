package engine

import (
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/link"
)

// TestT28NobodyIsHammered: however many records a member signs, in turns with and without an address, nobody who reads them
// dials that address more than 3 times in a day.
func TestT28NobodyIsHammered(t *testing.T) {
	s, l, _, _ := flooded(t)
	victim, dials := "192.0.2.1:80", 0
	s.watch = func(nd *node, ef effect) {
		if d, ok := ef.(dial); ok && nd == s.nodes[0] && d.address == victim {
			dials++
		}
	}
	for i := range 48 {
		rec := addressRecord{
			Tag: s.tag, Device: l.keys.Device.Device(), Number: uint64(s.now.UnixMilli()) + uint64(i),
			Expires: uint64(s.now.Add(recordLife).UnixMilli()), Addresses: []string{victim},
		}
		if i%3 == 2 {
			rec.Addresses = []string{"192.0.2.2:80"}
		}
		raw, err := cbor.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, l.keys.Device.Sign(roleAddresses, raw)...)
		for id, p := range s.nodes[0].core.peers {
			if p.online() {
				s.step(s.nodes[0], received{link: id, msg: link.Addresses{Records: [][]byte{raw}}})
				break
			}
		}
		s.settle(29 * time.Minute)
	}
	if dials == 0 || dials > hearsayTries {
		t.Errorf("in a day it is dialled %d times", dials)
	}
}
