package engine

import (
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/store"
)

var (
	membersFlag = flag.String("engine.members", "10,60", "of how many members the rounds of TestScale are")
	pictureFlag = flag.String("engine.picture", "", "the file that TestScale draws what it has found in, as SVG")
)

// crowd is a round of n members who have been in it for long: each has the first blocks of all, and knows where some of the
// others are. They have just come online.
func crowd(t *testing.T, seed uint64, n int) *sim {
	s := newSim(t, seed, n)
	for _, nd := range s.nodes {
		nd.store.Shared = true
	}
	s.found()
	genesis := s.round(0).genesis.Bytes()
	var firsts []*chain.Block
	for _, nd := range s.nodes[1:] {
		nd.keys.Rounds = append(nd.keys.Rounds, identity.NewRoundSecret(s.id, genesis))
		s.restart(nd, 0)
		nd.Flush()
		firsts = append(firsts, nd.core.rounds[s.tag].chain.Line(nd.device()).First)
	}
	for _, nd := range s.nodes {
		s.crash(nd)
		if err := nd.store.Write(func(tx store.Tx) error { return s.acquaint(tx, nd, firsts) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, nd := range s.nodes {
		s.start(nd)
	}
	return s
}

// acquaint gives a node's store the first blocks of all, and where some are: as many as it needs to find a few of them up.
func (s *sim) acquaint(tx store.Tx, nd *node, firsts []*chain.Block) error {
	for _, b := range firsts {
		if b.Author == nd.device() {
			continue
		}
		e := store.Entry{ID: b.ID(), Author: b.Author, Seq: b.Seq, T: b.T, Kind: uint8(b.Kind)}
		if _, err := tx.AddBlock(s.tag, e, b.Bytes(), storeIDs(b.Edges())); err != nil {
			return err
		}
	}
	for _, i := range s.Rand.Perm(len(s.nodes))[:min(len(s.nodes), 4*largeLinks)] {
		o := s.nodes[i]
		value, err := cbor.Marshal(contact{Addresses: []string{o.Address}})
		if err == nil && o != nd {
			err = tx.PutPeer(s.tag, o.device(), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spreadFrom has a node say something, and follows it to everybody, for at most two minutes.
func (s *sim) spreadFrom(nd *node, line string) enginetest.Spread {
	sp := enginetest.Spread{Members: len(s.nodes), Line: line, Hops: map[int]int{nd.N: 0}}
	begin, before := s.Now(), s.traffic()
	s.watch = func(to *node, ef effect) {
		if e, ok := ef.(emit); ok {
			if m, ok := e.Event.(MessageEvent); ok && m.Message.Text == line {
				sp.Hops[to.N] = sp.Hops[s.from] + 1
				sp.Took = append(sp.Took, s.Now().Sub(begin))
			}
		}
	}
	s.say(nd, line)
	for end := begin.Add(2 * time.Minute); len(sp.Took) < len(s.nodes)-1 && s.Step(end); {
	}
	s.watch = nil
	s.settle(5 * time.Second) // until it is acknowledged, too
	after := s.traffic()
	sp.Messages, sp.Bytes = after.In-before.In, after.BytesIn-before.BytesIn
	for _, nd := range s.nodes {
		sp.Links = append(sp.Links, len(nd.core.peers))
	}
	return sp
}

func (s *sim) traffic() (all enginetest.Traffic) {
	for _, nd := range s.nodes {
		all.In += nd.Traffic.In
		all.BytesIn += nd.Traffic.BytesIn
	}
	return all
}

// TestScale: a line reaches all members, however many there are, over bounded links, and no member has more to do for it
// than a few frames: the first line of its author, and a later one, which is brought to hardly anybody twice. A link takes 50 ms
// one way, and a fifth of the members can dial but not be dialled.
func TestScale(t *testing.T) {
	var found []enginetest.Spread
	for _, word := range strings.Split(*membersFlag, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(word, func(t *testing.T) {
			s := crowd(t, 17, n)
			s.Weather.Delay = 50 * time.Millisecond
			for i, nd := range s.nodes {
				nd.Hidden = i%5 == 4
			}
			s.settle(2 * time.Minute)
			first := s.spreadFrom(s.nodes[n-1], "first")
			for i := range 5 { // until those who have been brought them twice have said so
				s.say(s.nodes[n-1], strconv.Itoa(i))
				s.settle(5 * time.Second)
			}
			for _, sp := range []enginetest.Spread{first, s.spreadFrom(s.nodes[n-1], "later")} {
				found = append(found, sp)
				judge(t, sp)
			}
		})
	}
	t.Log("\n" + enginetest.Table(found))
	if *pictureFlag != "" {
		if err := os.WriteFile(*pictureFlag, []byte(enginetest.Picture(found)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// judge checks what a spread cost.
func judge(t *testing.T, sp enginetest.Spread) {
	if sp.Reached() != sp.Members {
		t.Errorf("%d of %d members have the %s line", sp.Reached(), sp.Members, sp.Line)
	}
	if sp.Members <= largeRound {
		return
	}
	if most := slices.Max(sp.Links); most > maxCallers+largeLinks {
		t.Errorf("a member has %d links", most)
	}
	if each := sp.Messages / sp.Members; each > 100 {
		t.Errorf("the %s line takes %d frames of each member", sp.Line, each)
	}
}
