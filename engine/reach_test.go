package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

// reached is what node n is told by node by, asked now.
func (s *sim) reached(n, by int) (all []string) {
	s.t.Helper()
	answered := 0
	s.on(n, func(r *round) {
		p := r.peerOf(s.nodes[by].keys.Device.Device())
		if p == nil {
			s.t.Fatalf("node %d has no link to node %d", n, by)
		}
		p.askReach(func(entries []link.ReachedAt) {
			answered++
			for _, e := range entries {
				all = append(all, fmt.Sprint(e.Address, " ", errorOf(e.Outcome)))
			}
		})
	})
	s.settle(time.Second)
	if answered != 1 {
		s.t.Errorf("node %d answered %d times", by, answered)
	}
	return all
}

// TestReach: who asks is told what the other finds at the addresses that the asker has signed, by a probe that leaves the
// links as they are; and again after a while, when it has been mended.
func TestReach(t *testing.T) {
	s := three(t, 5)
	links := func() (all []linkID) {
		for _, p := range s.round(1).peers {
			all = append(all, p.id)
		}
		return all
	}
	before := links()
	probes := 0
	s.watch = func(nd *node, ef effect) {
		if d, ok := ef.(dial); ok && d.probe {
			probes++
		}
	}
	at0, at1 := s.nodes[0].Address, s.nodes[1].Address
	if got := s.reached(0, 1); !slices.Equal(got, []string{at0 + " <nil>"}) || probes != 0 {
		t.Errorf("node 1, which has dialled node 0, says %q after %d probes", got, probes)
	}
	if got := s.reached(1, 0); !slices.Equal(got, []string{at1 + " <nil>"}) || probes != 1 {
		t.Errorf("node 0, which was dialled, says %q after %d probes", got, probes)
	}
	s.wall(s.nodes[0], s.nodes[1])
	if got := s.reached(1, 0); !slices.Equal(got, []string{at1 + " <nil>"}) || probes != 1 {
		t.Errorf("so soon again node 0 says %q after %d probes", got, probes)
	}
	s.Leap(probeEvery)
	if got := s.reached(1, 0); !slices.Equal(got, []string{at1 + " connection refused"}) || probes != 2 {
		t.Errorf("behind a wall node 0 says %q after %d probes", got, probes)
	}
	for range 2 * probesDay {
		s.Leap(probeEvery)
		s.reached(1, 0)
	}
	if probes > probesDay+2 {
		t.Errorf("%d probes in vain within the day", probes)
	}
	if got := links(); !slices.Equal(got, before) {
		t.Errorf("links were %v and are %v", before, got)
	}
}

// TestProbeWhileRetiring: what this device becomes meanwhile is nothing to a probe, which nobody sees it in.
func TestProbeWhileRetiring(t *testing.T) {
	dir := t.TempDir()
	identitytest.Keyring(t, dir, 0)
	e, err := Open(Config{Dir: dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	go func() {
		for range e.Events() {
		}
	}()
	friends, err := e.New("friends")
	if err != nil {
		t.Fatal(err)
	}
	retired := make(chan error)
	go func() {
		err := error(nil)
		for range 10 {
			err = errors.Join(err, e.do(func(c *core) { err = c.retire("this is a test") }))
		}
		retired <- err
	}()
	for range 10 {
		if err := e.Probe(t.Context(), friends.Tag, e.Self().Listen[0]); err != nil {
			t.Error(err)
		}
	}
	if err := <-retired; err != nil {
		t.Error(err)
	}
}

// TestReachIsGivenUp: who is asked and goes gives no answer, and the asker does not wait.
func TestReachIsGivenUp(t *testing.T) {
	s := three(t, 6)
	answered := false
	s.on(0, func(r *round) {
		p := r.peerOf(s.nodes[1].keys.Device.Device())
		p.askReach(func(entries []link.ReachedAt) { answered = len(entries) == 0 })
		p.hangUp(link.ReasonDone, nil)
	})
	if !answered {
		t.Error("the asker waits for who has gone")
	}
}

// TestOutcomesComeBack: what is told of an error is the error again.
func TestOutcomesComeBack(t *testing.T) {
	for _, err := range []error{nil, ErrRefused, ErrTimeout, ErrNotFound, ErrNoRoute, ErrNotOpentalk, ErrUntried} {
		wrapped := err
		if err != nil {
			wrapped = fmt.Errorf("dialling: %w", err)
		}
		if got := errorOf(outcomeOf(wrapped)); got != err {
			t.Errorf("%v comes back as %v", err, got)
		}
	}
	if errorOf(outcomeOf(errors.New("x"))) == nil || errorOf(99) == nil {
		t.Error("an unknown failure comes back as none")
	}
}

// TestT28ReachHammersNobody: a member who signs that it is at somebody else's address, and asks over and over whether it is
// reached there, has it dialled 3 times in a day.
func TestT28ReachHammersNobody(t *testing.T) {
	s := three(t, 7)
	victim, dials := "192.0.2.1:80", 0
	s.watch = func(nd *node, ef effect) {
		if d, ok := ef.(dial); ok && d.address == victim {
			dials++
		}
	}
	bad := s.nodes[1].keys.Device
	for i := range 100 {
		raw, err := cbor.Marshal(addressRecord{ // beyond what the device itself has said meanwhile
			Tag: s.tag, Device: bad.Device(), Number: uint64(s.Now().UnixMilli() + 1000*int64(i+1)),
			Expires: uint64(s.Now().Add(recordLife).UnixMilli()), Addresses: []string{victim},
		})
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, bad.Sign(roleAddresses, raw)...)
		p := s.round(0).peerOf(bad.Device())
		s.step(s.nodes[0], received{link: p.id, msg: link.Addresses{Records: [][]byte{raw}}})
		s.step(s.nodes[0], received{link: p.id, msg: link.Reach{Request: uint64(i + 1)}})
		s.settle(time.Second)
		s.Leap(time.Minute)
	}
	if dials == 0 || dials > hearsayTries {
		t.Errorf("in a day it is dialled %d times", dials)
	}
}
