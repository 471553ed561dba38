package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

// Members who take what they can get: none of them may cost this device memory without bound, or time that others need.

// TestWhoDoesNotRead: who asks for answers and reads none is let go before what waits for them takes much memory.
func TestWhoDoesNotRead(t *testing.T) {
	s, l, _, _ := flooded(t)
	nd := s.nodes[0]
	l.hold(0)
	id := s.links
	for n := uint64(0); nd.core.peers[id] != nil; n++ {
		if queued := nd.core.peers[id].queued; queued > 16<<20 {
			t.Fatalf("after %d pings %d bytes wait to be read", n, queued)
		}
		s.step(nd, received{link: id, msg: link.Ping{Nonce: n}})
	}
	s.settle(time.Minute)
	s.agree()
}

// inMemory is how much of the answers to a peer has been read and waits.
func (p *peer) inMemory() (bytes int) {
	for _, s := range p.serving {
		for _, b := range s.ahead {
			bytes += len(b.Raw)
		}
		for _, c := range s.lines {
			for _, b := range c.ahead {
				bytes += len(b.Raw)
			}
		}
	}
	return bytes
}

// TestAskingForMuch: little is in memory of what is asked for, however much that is and in how many pieces.
func TestAskingForMuch(t *testing.T) {
	const lines, each = 5, 10
	for name, ask := range map[string]func(p *peer, request uint64){
		"the newest over and over": func(p *peer, request uint64) {
			p.onRequest(link.Newest{Request: request, Count: link.MaxNewest})
		},
		"all lines over and over": func(p *peer, request uint64) {
			var ranges []link.Range
			for n := range lines {
				ranges = append(ranges, link.Range{Device: lineOf(n), To: each})
			}
			p.onRequest(link.Want{Request: request, Ranges: ranges})
		},
		"one block in many ranges": func(p *peer, request uint64) {
			if request > 1 {
				return
			}
			m := link.Want{Request: request}
			for range link.MaxRanges - 1 {
				m.Ranges = append(m.Ranges, link.Range{Device: lineOf(0), From: 5, To: 5})
			}
			p.onRequest(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := asker(t, lines, each, chain.MaxBlock)
			c := p.round.c
			c.peers[p.id], p.round.peers, p.cred = p, []*peer{p}, c.self.Credential
			p.queued = serveBelow - 1 // it reads nothing
			for request := range uint64(maxServing) {
				ask(p, request+1)
			}
			if got := p.inMemory(); got > serveAhead+lines*chain.MaxBlock {
				t.Errorf("%d bytes are in memory", got)
			}
		})
	}
}

// TestSlowSource: who is asked for history, and gives nothing, or next to nothing, for ever, does not keep a member from what
// others have.
func TestSlowSource(t *testing.T) {
	for _, gives := range []bool{false, true} {
		t.Run(fmt.Sprint("gives ", gives), func(t *testing.T) {
			s, l, at, now := floodedBy(t, 3)
			nd, other := s.nodes[0], s.nodes[1]
			s.part([]int{0}, []int{1, 2})
			s.settle(deadAfter)
			for i := range 20 {
				s.say(other, fmt.Sprint("you were away ", i))
				s.settle(time.Second)
			}
			l.hold(0)
			id := s.links
			s.step(nd, received{link: id, msg: link.Frontier{Entries: []link.Entry{
				{Device: at.Author, Seq: at.Seq + 1<<20, ID: chain.ID{1}},
			}, Last: true}})
			if s.round(0).source == nil {
				t.Fatal("the liar is not asked")
			}
			s.Clear()
			for range 30 {
				s.settle(20 * time.Second)
				p := nd.core.peers[id]
				if p == nil {
					break
				}
				m, blocks := link.Blocks{Request: p.want}, []*chain.Block(nil)
				if gives {
					now += 20_000
					b := l.sign("and another thing", at, now)
					at, m.Blocks, blocks = b.Place(), [][]byte{b.Bytes()}, []*chain.Block{b}
				}
				s.step(nd, received{link: id, msg: m, blocks: blocks})
			}
			if last := "you were away 19"; !s.has(nd, last) {
				t.Errorf("after 10 minutes it lacks %q", last)
			}
		})
	}
}

// TestUnheardDevices: who names devices that there are not is asked for each of them once, and only so many are remembered.
func TestUnheardDevices(t *testing.T) {
	s, l, _, _ := flooded(t)
	nd := s.nodes[0]
	l.hold(0)
	id, asked := s.links, 0
	s.watch = func(_ *node, ef effect) {
		if send, ok := ef.(sendTo); ok && send.link == id {
			for _, m := range send.msgs {
				if want, ok := m.(link.Want); ok {
					asked += len(want.Ranges)
				}
			}
		}
	}
	p, named := nd.core.peers[id], 0
	name := func() {
		var m link.Ack
		for range link.MaxEntries {
			named++
			d := Device(sha256.Sum256(fmt.Append(nil, "nobody ", named)))
			m.Entries = append(m.Entries, link.Entry{Device: d, Seq: 3, ID: chain.ID{1}})
		}
		s.step(nd, received{link: id, msg: m})
	}
	s.step(nd, received{link: id, msg: link.Frontier{Last: true}})
	for range 4 {
		name()
		for s.round(0).source == p {
			s.step(nd, received{link: id, msg: link.Blocks{Request: p.want, Last: true}})
		}
	}
	if asked > named {
		t.Errorf("of %d devices that there are not it is asked for %d ranges", named, asked)
	}
	for named < 2*maxUnheard {
		name()
	}
	if len(p.known) > maxUnheard+len(s.round(0).durable) {
		t.Errorf("%d devices are remembered", len(p.known))
	}
}

// TestAnnouncedOverAndOver: a block that is here and waits for its edges costs nothing more, however often it is announced.
func TestAnnouncedOverAndOver(t *testing.T) {
	s, l, at, now := flooded(t)
	nd := s.nodes[0]
	withheld := l.sign("withheld", at, now)
	b := l.sign("shown", withheld.Place(), now+1)
	l.hold(0)
	id := s.links
	s.step(nd, received{link: id, msg: link.Frontier{Last: true}})
	announce := received{link: id, msg: link.Announce{IDs: [][32]byte{b.ID(), b.ID(), b.ID()}}}
	s.step(nd, announce)
	s.step(nd, received{link: id, msg: link.Blocks{Blocks: [][]byte{b.Bytes()}}, blocks: []*chain.Block{b}})
	for range 10 {
		s.step(nd, announce)
	}
	f := s.round(0).fetching[b.ID()]
	if f == nil || len(f.announcers) != 1 {
		t.Errorf("it is remembered as %+v", f)
	}
}

// TestRecordOfThisMachine: that a device is at an address of this very machine is believed only of one that is there itself.
func TestRecordOfThisMachine(t *testing.T) {
	s, l, _, _ := flooded(t)
	r, number := s.round(0), uint64(s.Now().UnixMilli())
	for i, host := range []string{
		"127.0.0.1", "127.8.9.10", "[::1]", "[::1%lo]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "localhost",
		"LocalHost", "localhost.", "printer.localhost",
	} {
		for _, near := range []bool{false, true} {
			address := fmt.Sprintf("%s:%d", host, 1000+i)
			number++
			r.takeRecords(nil, near, l.record(addressRecord{
				Tag: s.tag, Device: l.keys.Device.Device(), Number: number,
				Expires: uint64(s.Now().Add(recordLife).UnixMilli()), Addresses: []string{address},
			}))
			if got := r.targets[address] != nil; got != near {
				t.Errorf("%s, said from near: %v, is to be dialled: %v", address, near, got)
			}
		}
	}
}

// TestDoubtfulRecord: nobody can put another record in the place of one of a device that is not known yet, nor an older one of its
// own.
func TestDoubtfulRecord(t *testing.T) {
	s, l, _, _ := flooded(t)
	r, them := s.round(0), &liar{s: s, keys: &identity.Keyring{Device: identitytest.Device(50)}}
	sign := func(by *liar, number uint64) []byte {
		return by.record(addressRecord{
			Tag: s.tag, Device: them.keys.Device.Device(), Number: number,
			Expires: uint64(s.Now().Add(recordLife).UnixMilli()), Addresses: []string{"192.0.2.1:1"},
		})
	}
	newest := sign(them, 2)
	r.takeRecords(nil, false, newest, sign(l, 3), sign(them, 1))
	if got := r.doubtful[them.keys.Device.Device()].raw; !bytes.Equal(got, newest) {
		t.Errorf("what is kept is %x", got)
	}
}
