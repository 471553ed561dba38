package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"opentalk/engine/link"
	"opentalk/engine/socket"
)

// Checkup is what there is to know of why somebody cannot be reached.
type Checkup struct {
	Online    bool          // this machine has an address besides its own loopback
	Clock     time.Duration // how far the others' clocks are ahead of this device's; within 2 minutes they are the same
	Agree     int           // how many others say so; 0: there is nobody to compare with
	Members   []Member
	Tried     []Tried  // addresses of who is not linked
	Listen    []string // where this device listens
	Announced []string // what it tells others to dial; nothing if it listens nowhere that others can dial
	Asked     []Person // who was asked whether they reach that
	Reached   []Reached
}

// Tried is an address of somebody, and what came of it.
type Tried struct {
	Person  Person
	Address string
	Err     error // nil: it was reached; [ErrUntried]: only hearsay, and not to be tried now
}

// Reached is what a peer says of one of this device's addresses.
type Reached struct {
	By      Person
	Address string
	Err     error // nil: it was reached; [ErrUntried]: the peer may not try it now
}

// Diagnose tries what there is to try in a round: it dials the addresses of who is not linked, and asks peers whether they
// reach this device. It takes up to half a minute, or until ctx ends; what is not known by then is left out.
func (e *Engine) Diagnose(ctx context.Context, tag Tag) (Checkup, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	c := Checkup{Online: socket.Online(), Listen: e.Self().Listen}
	answers := make(chan []Reached, maxAsked)
	tried, trying := make(chan Tried, maxTried), 0
	err := e.in(tag, func(r *round) {
		c.Clock, c.Agree = r.c.others()
		c.Announced = shareable(r.c.listen)
		trying = r.tryAll(tried)
		if len(c.Announced) > 0 {
			c.Asked = r.askAround(c.Announced, answers)
		}
	})
	if err != nil {
		return c, err
	}
	for asked := len(c.Asked); asked > 0 || trying > 0; {
		select {
		case said := <-answers:
			c.Reached, asked = append(c.Reached, said...), asked-1
		case t := <-tried:
			c.Tried, trying = append(c.Tried, t), trying-1
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return c, ctx.Err()
			}
			asked, trying = 0, 0
		case <-e.stopped:
			return c, ErrClosed
		}
	}
	slices.SortFunc(c.Tried, func(a, b Tried) int { return strings.Compare(a.Person.Name+a.Address, b.Person.Name+b.Address) })
	slices.SortFunc(c.Reached, func(a, b Reached) int { return strings.Compare(a.Address+a.By.Name, b.Address+b.By.Name) })
	c.Members, err = e.Members(tag)
	return c, err
}

// tryAll dials the addresses of who is not linked, hearsay no sooner and no more often than ever, and returns of how many
// there will be an outcome.
func (r *round) tryAll(tried chan<- Tried) (n int) {
	room := r.room()
	for _, t := range r.draws() {
		if t.gone || t.link != 0 || r.isGone(t.device) || t.device != (Device{}) && r.peerOf(t.device) != nil || n == maxTried {
			continue
		}
		n++
		one := Tried{Person: r.behind(t), Address: t.address, Err: t.problem}
		if !t.hearsay {
			t.next = r.c.now
		}
		if !t.dialing && (r.notBefore(t).Sub(r.c.now) > dialTime || !room.takes(r, t.device)) {
			if one.Err == nil {
				one.Err = ErrUntried
			}
			tried <- one
			continue
		}
		r.connecting[t.address] = append(r.connecting[t.address], func(_ Person, err error) {
			one.Err = err
			tried <- one
		})
	}
	r.dialDue()
	return n
}

// askAround asks a few peers, each another person, whether they reach this device where it says that it is. Each gives one
// answer.
func (r *round) askAround(announced []string, answers chan<- []Reached) (asked []Person) {
	for _, p := range r.peers {
		who := p.person()
		if !p.online() || slices.ContainsFunc(asked, func(o Person) bool { return o.Fingerprint == who.Fingerprint }) || len(asked) == maxAsked {
			continue
		}
		asked = append(asked, who)
		p.askReach(func(entries []link.ReachedAt) {
			var said []Reached
			for _, e := range entries {
				if slices.Contains(announced, e.Address) {
					said = append(said, Reached{By: who, Address: e.Address, Err: errorOf(e.Outcome)})
				}
			}
			answers <- said
		})
	}
	return asked
}

// Probe finds out whether a member of a round listens at an address, without making a link. The errors are those of Join.
func (e *Engine) Probe(ctx context.Context, tag Tag, address string) error {
	if err := socket.Check(address); err != nil {
		return err
	}
	var known *link.Round
	if err := e.in(tag, func(r *round) { known = r.link }); err != nil {
		return err
	}
	return e.probe(ctx, known, address)
}

// probe is what an effect and a person both ask for.
func (e *Engine) probe(ctx context.Context, r *link.Round, address string) error {
	dialling, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	nc, err := e.network.Dial(dialling, address)
	if err != nil {
		return err
	}
	return link.Probe(ctx, nc, e.accepted.Load().self, r)
}
