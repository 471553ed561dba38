package engine

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// line is the nth of many devices.
func lineOf(n int) Device { return Device(sha256.Sum256(fmt.Append(nil, "line ", n))) }

// asker is a peer of a round whose store has lines of some devices, of blocks that are only bytes.
func asker(t *testing.T, lines, each, size int) *peer {
	s := newSim(t, 1, 1)
	s.found()
	r := s.nodes[0].core.rounds[s.tag]
	err := s.nodes[0].store.Write(func(tx store.Tx) error {
		for seq := range each {
			for n := range lines {
				e := store.Entry{Author: lineOf(n), Seq: uint64(seq), T: uint64(1000*seq + n*7919%997*10)}
				e.ID = sha256.Sum256(fmt.Append(nil, n, " ", seq))
				raw := make([]byte, size)
				copy(raw, e.ID[:])
				if _, err := tx.AddBlock(r.tag, e, raw, nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.c.effects = nil
	return &peer{id: 1, round: r, known: map[Device]uint64{}}
}

// sent takes what has been sent.
func (p *peer) sent() (msgs []link.Message) {
	for _, ef := range p.round.c.effects {
		if to, ok := ef.(sendTo); ok {
			msgs = append(msgs, to.msgs...)
		}
	}
	p.round.c.effects = nil
	return msgs
}

// TestServing: an answer of many lines, big blocks and small, comes with first blocks ahead, otherwise in canonical order,
// in messages that a link takes, and no more of it at a time than is soon on its way.
func TestServing(t *testing.T) {
	for name, at := range map[string]struct{ lines, each, size int }{
		"many lines": {600, 4, 300}, "big blocks": {5, 10, chain.MaxBlock}, "two too many": {5, 10, 45 << 10},
		"one line": {1, 3000, 200},
	} {
		t.Run(name, func(t *testing.T) {
			p := asker(t, at.lines, at.each, at.size)
			var wants []link.Range
			for n := range at.lines {
				wants = append(wants, link.Range{Device: lineOf(n), From: 0, To: uint64(at.each) + 5})
			}
			for len(wants) > link.MaxRanges {
				p.onRequest(link.Want{Request: 7, Ranges: wants[:link.MaxRanges]})
				if got := p.sent(); len(got) > 0 {
					t.Errorf("%d messages before the whole question is known", len(got))
				}
				wants = wants[link.MaxRanges:]
			}
			p.onRequest(link.Want{Request: 7, Ranges: wants})
			took := answered(t, p)
			if len(took) != at.lines*at.each {
				t.Errorf("%d blocks, want %d", len(took), at.lines*at.each)
			}
			checkOrder(t, p, took, at.lines)
		})
	}
}

// answered lets everything leave, and returns it.
func answered(t *testing.T, p *peer) (blocks [][]byte) {
	for last := false; !last; {
		if p.queued > serveBelow+serveChunk+chain.MaxBlock {
			t.Fatalf("%d bytes are on their way", p.queued)
		}
		msgs := p.sent()
		if len(msgs) == 0 {
			t.Fatal("the answer ends without an end")
		}
		for _, m := range msgs {
			if raw, err := link.Encode(m); err != nil || len(raw) > link.MaxMessage {
				t.Fatalf("message of %d bytes: %v", len(raw), err)
			}
			blocks, last = append(blocks, m.(link.Blocks).Blocks...), m.(link.Blocks).Last
			p.queued -= weight(m)
		}
		p.serve()
	}
	return blocks
}

func checkOrder(t *testing.T, p *peer, blocks [][]byte, firsts int) {
	var before store.Position
	for i, raw := range blocks {
		e, ok, err := p.round.c.store.Entry(p.round.tag, store.ID(raw[:32]))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if (i < firsts) != (e.Seq == 0) {
			t.Fatalf("block %d has seq %d, with %d lines", i, e.Seq, firsts)
		}
		if at := e.Position(); i != firsts && at.Compare(before) <= 0 {
			t.Fatalf("block %d is out of order", i)
		}
		before = e.Position()
	}
}

// TestAskingForManyLines: whatever the number of lines, the parts of a question say that they are parts.
func TestAskingForManyLines(t *testing.T) {
	for lines, want := range map[int][]int{
		1: {1}, 511: {511}, 512: {511}, 513: {512, 1}, 1024: {512, 511}, 1500: {512, 512, 476}, 9000: {512, 512, 512, 512, 512, 512, 512, 511},
	} {
		p := asker(t, 0, 0, 0)
		for n := range lines {
			p.known[lineOf(n)] = uint64(n)
		}
		p.ask(p.round.missing(p))
		var got []int
		for _, m := range p.sent() {
			w := m.(link.Want)
			if _, err := link.Encode(w); err != nil || w.Request != p.want {
				t.Error(w.Request, err)
			}
			got = append(got, len(w.Ranges))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d lines are asked for as %v, want %v", lines, got, want)
		}
	}
}

// TestPatience: time in which this device took nothing in is not held against its peers.
func TestPatience(t *testing.T) {
	p := asker(t, 1, 1, 200)
	c := p.round.c
	c.peers[p.id], p.round.peers = p, []*peer{p}
	p.cred, p.heard = c.self.Credential, c.now
	p.known[lineOf(0)] = 9
	p.ask(p.round.missing(p))
	late := c.now.Add(ackTime + ackTime/2)
	c.step(late, deaf{ackTime})
	if c.step(late, tick{}); c.peers[p.id] == nil {
		t.Error("a peer was given up though this device had not listened")
	}
	if c.step(late.Add(ackTime), tick{}); c.peers[p.id] != nil {
		t.Error("a peer that gives nothing was kept")
	}
}
