package engine

import (
	"fmt"
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
			Tag: s.tag, Device: l.keys.Device.Device(), Number: uint64(s.Now().UnixMilli()) + uint64(i),
			Expires: uint64(s.Now().Add(recordLife).UnixMilli()), Addresses: []string{victim},
		}
		if i%3 == 2 {
			rec.Addresses = []string{"192.0.2.2:80"}
		}
		raw := l.record(rec)
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

// record signs what it likes about where it is.
func (l *liar) record(rec addressRecord) []byte {
	raw, err := cbor.Marshal(rec)
	if err != nil {
		l.s.t.Fatal(err)
	}
	return append(raw, l.keys.Device.Sign(roleAddresses, raw)...)
}

// TestT28ThousandMembers: a thousand members are told again and again that somebody is at one of eight ports of one machine. In
// a day each of them dials each port at most three times, and no two of them within a second.
func TestT28ThousandMembers(t *testing.T) {
	s, l, _, _ := flooded(t)
	template := s.nodes[0]
	s.nodes = nil
	var ports []string
	for i := range maxRecordAddresses {
		ports = append(ports, fmt.Sprintf("192.0.2.1:%d", 80+i))
	}
	var records [][]byte
	for i := range 6 {
		records = append(records, l.record(addressRecord{
			Tag: s.tag, Device: l.keys.Device.Device(), Number: uint64(s.Now().UnixMilli()) + uint64(i),
			Expires: uint64(s.Now().Add(recordLife).UnixMilli()), Addresses: ports,
		}))
	}
	for range 1000 {
		nd := &node{s: s, Node: s.Stranger(77), keys: template.keys, store: template.store.Copy()}
		s.start(nd)
		clear(nd.core.rounds[s.tag].targets) // it has no friends, who would be dialled all day
		tries := s.dialsInADay(l, nd, records)
		for _, port := range ports {
			if n := tries[port]; n == 0 || n > hearsayTries {
				t.Fatalf("%s is dialled %d times", port, n)
			}
		}
	}
}

// dialsInADay lets the liar come with a record now and then, lets every dial fail, and counts them.
func (s *sim) dialsInADay(l *liar, nd *node, records [][]byte) map[string]int {
	now, last, tries := s.Now(), time.Time{}, map[string]int{}
	step := func(ev event) {
		for queue := []event{ev}; len(queue) > 0; queue = queue[1:] {
			for _, ef := range nd.core.step(now, queue[0]) {
				switch ef := ef.(type) {
				case commit:
					queue = append(queue, committed{nd.store.Write(ef.apply)})
				case dial:
					queue = append(queue, dialFailed{ef.round.Tag(), ef.address, ErrRefused})
					if tries[ef.address]++; now.Sub(last) < hearsayEvery {
						s.t.Errorf("one is dialled %v after another", now.Sub(last))
					}
					last = now
				}
			}
		}
	}
	for _, record := range records {
		s.links++
		step(linkUp{link: s.links, tag: s.tag, self: nd.device(), cred: l.keys.Credential, address: "198.51.100.1:1"})
		step(received{link: s.links, msg: link.Ready{HavePubKey: true, HaveGenesis: true, Clock: nd.core.plain()}})
		step(received{link: s.links, msg: link.Addresses{Records: [][]byte{record}}})
		step(linkDown{link: s.links})
		end := now.Add(24 * time.Hour / time.Duration(len(records)))
		for wake := nd.core.wake; !wake.IsZero() && wake.Before(end); wake = nd.core.wake {
			if wake.After(now) {
				now = wake
			}
			step(tick{})
		}
		now = end
	}
	return tries
}
