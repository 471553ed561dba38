package engine

import (
	"slices"
	"strings"
)

// Rounds lists the rounds of this device by name.
func (e *Engine) Rounds() (rounds []Round, err error) {
	err = e.do(func(c *core) {
		for _, r := range c.order {
			if r.member {
				rounds = append(rounds, r.info())
			}
		}
	})
	slices.SortFunc(rounds, func(a, b Round) int { return strings.Compare(a.Name, b.Name) })
	return rounds, err
}

// Members lists the identities of a round, oneself first, then by name.
func (e *Engine) Members(tag Tag) (members []Member, err error) {
	err = e.in(tag, func(r *round) { members = r.members() })
	return members, err
}

func (r *round) members() []Member {
	own := r.c.self.Credential.Fingerprint()
	all := make([]Member, 0, len(r.people))
	for f, p := range r.people {
		m := Member{
			Person: r.person(f, p.devices[0]), Own: f == own, Devices: slices.Clone(p.devices), Left: p.left(), Joined: p.joined, Seen: p.seen,
		}
		m.Forked = r.forked(p)
		for _, link := range r.peers {
			m.Online = m.Online || link.online() && link.fingerprint() == f
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Member) int {
		if a.Own != b.Own {
			if a.Own {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// Peers lists the links of a round and the addresses that are dialled for it.
func (e *Engine) Peers(tag Tag) (peers []Peer, err error) {
	err = e.in(tag, func(r *round) { peers = r.listPeers() })
	slices.SortFunc(peers, func(a, b Peer) int { return strings.Compare(a.Person.Name+a.Address, b.Person.Name+b.Address) })
	return peers, err
}

func (r *round) listPeers() []Peer {
	var all []Peer
	for _, p := range r.peers {
		peer := Peer{Person: p.person(), Address: p.address, State: Connecting, RTT: p.rtt, Since: p.since, Dialled: p.dialled}
		if p.online() {
			peer.State = Online
			for d, at := range r.durable {
				if end, ok := p.known[d]; !ok {
					peer.Behind += int(at.Seq) + 1
				} else if at.Seq > end {
					peer.Behind += int(at.Seq - end)
				}
			}
		}
		all = append(all, peer)
	}
	for _, t := range r.targets {
		if t.gone || r.isGone(t.device) || t.link != 0 || t.device != (Device{}) && r.peerOf(t.device) != nil {
			continue
		}
		peer := Peer{Person: r.behind(t), Address: t.address, State: Offline, Dialled: true}
		if t.dialing && t.problem == nil {
			peer.State = Connecting
		}
		if t.problem != nil {
			peer.Problem = t.problem.Error()
		}
		all = append(all, peer)
	}
	return all
}

// Pending lists own messages of a round that no other member is known to hold, oldest first.
func (e *Engine) Pending(tag Tag) (pending []Pending, err error) {
	err = e.in(tag, func(r *round) { pending = r.pending() })
	return pending, err
}

// Status is what this engine is and does, for a person to read.
type Status struct {
	Self
	Dir    string
	Rounds []Round
	Links  int
	Counts
	Problem error // why nothing is stored any more, nil if all is well
}

// Status tells how this engine is.
func (e *Engine) Status() (s Status, err error) {
	rounds, err := e.Rounds()
	if err != nil {
		return s, err
	}
	err = e.do(func(c *core) {
		s = Status{Links: len(c.peers), Counts: c.tally.read(), Problem: c.broken}
	})
	s.Self, s.Dir, s.Rounds = e.Self(), e.dir, rounds
	return s, err
}
