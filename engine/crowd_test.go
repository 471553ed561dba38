package engine

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

var joinsFlag = flag.Int("joins", 250, "how many join in TestT18ManyJoins, at most 1000, and a thousand a minute")

// arrive lets device n, which nobody has heard of, join at a node, and returns its link. It stays.
func (s *sim) arrive(nd *node, n int) linkID {
	s.links++
	id, r := s.links, nd.core.rounds[s.tag]
	s.step(nd, linkUp{link: id, tag: s.tag, self: nd.device(), cred: identitytest.Credential(n), address: "192.0.2.1:1"})
	if nd.core.peers[id] == nil {
		return 0
	}
	s.step(nd, received{link: id, msg: link.Ready{HavePubKey: true, HaveGenesis: true, Clock: nd.core.plain()}})
	b, err := enginetest.FirstBlock(r.chain, n, uint64(s.Now().UnixMilli()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.step(nd, received{link: id, msg: link.Blocks{Blocks: [][]byte{b.Bytes()}, Last: true}, blocks: []*chain.Block{b}})
	return id
}

// TestT18ManyJoins: identities join at one member, a thousand a minute, and then take every place that it has for
// callers. Those who were there go on talking as if nothing were; who was away, and can reach nobody else, comes back and
// finds a place; and listing all members is work for their number, not for its square.
func TestT18ManyJoins(t *testing.T) {
	s := together(t, 41, 3)
	target, away := s.nodes[0], s.nodes[2]
	s.crash(away)
	s.wall(s.nodes[1], away)
	s.settle(time.Second)
	late := time.Duration(0)
	for i := 3; i < *joinsFlag; i++ {
		s.step(target, linkDown{link: s.arrive(target, i)})
		if i%50 == 0 {
			text := fmt.Sprint("in the middle of it ", i)
			s.say(s.nodes[1], text)
			before := s.Now()
			for end := s.Now().Add(10 * time.Second); !s.has(target, text) && s.Now().Before(end); {
				s.settle(10 * time.Millisecond)
			}
			late = max(late, s.Now().Sub(before))
		}
		s.settle(time.Minute / 1000)
	}
	if late > 100*time.Millisecond {
		t.Errorf("what a member says is seen after %v", late)
	}
	callers := 0
	for i := range MaxPeers + 50 {
		if s.arrive(target, i+3) != 0 {
			callers++
		}
	}
	if n := len(target.core.peers); n > MaxPeers || callers < MaxPeers/2 {
		t.Errorf("it has %d links, %d of them of callers", n, callers)
	}
	s.start(away)
	for range 30 { // the callers say nothing, but they answer
		for _, p := range target.core.peers {
			p.heard, p.unacked = s.Now(), time.Time{}
		}
		s.settle(20 * time.Second)
	}
	s.say(away, "I was away")
	s.settle(5 * time.Second)
	if !s.has(target, "I was away") || !s.has(s.nodes[1], "I was away") {
		t.Error("who comes back finds no place")
	}
	var members []Member
	work := testing.AllocsPerRun(1, func() { members = s.round(0).members() }) // a measure that does not depend on the machine
	if work > float64(50**joinsFlag) || len(members) != *joinsFlag {
		t.Errorf("listing %d members takes %v allocations", len(members), work)
	}
}

// has reports whether a text is among the newest that a node would show.
func (s *sim) has(nd *node, text string) bool {
	ms, err := nd.core.rounds[s.tag].archive().history(Position{}, 30)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range ms {
		if m.Text == text {
			return true
		}
	}
	return false
}
