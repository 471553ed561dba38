package engine

import (
	"errors"
	"net"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/identity"
	"opentalk/engine/link"
)

// A device cannot find out by itself whether others reach it, so it asks a peer: REACH, which REACHED answers. Who is asked
// tries the addresses of the asker's own record, and nobody else's, by a probe of which no link comes; and only as often as
// any other address that somebody says is theirs. LINK 6.5.

// probing is an answer that waits for probes.
type probing struct {
	request   uint64
	addresses []string
	open      map[string]bool // not known yet
	found     map[string]link.Outcome
}

// asking is a question that waits for its answer.
type asking struct {
	request uint64
	done    func([]link.ReachedAt)
}

// probed: a probe has come to its end.
type probed struct {
	tag     Tag
	address string
	err     error
}

// onReach begins to answer. A second question waits for nobody: it is left out while the first is under way.
func (p *peer) onReach(m link.Reach) {
	if !p.online() || p.probing != nil {
		return
	}
	r := p.round
	p.probing = &probing{request: m.Request, open: map[string]bool{}, found: map[string]link.Outcome{}}
	for _, address := range r.recorded(p.device()) {
		p.probing.addresses = append(p.probing.addresses, address)
		switch t := r.targets[address]; {
		case p.dialled && p.address == address:
			p.probing.found[address] = link.OutcomeReached
		case t == nil || t.device != p.device() || t.gone:
			p.probing.found[address] = link.OutcomeUntried
		case t.probing:
			p.probing.open[address] = true
		case r.mayProbe(t, p):
			p.probing.open[address] = true
			r.probe(t)
		default:
			p.probing.found[address] = t.outcome()
		}
	}
	p.answerReach()
}

// recorded are the addresses in the newest record of a device.
func (r *round) recorded(d Device) []string {
	raw := r.records[d].raw
	var rec addressRecord
	if n := len(raw) - identity.DeviceSignatureSize; n <= 0 || cbor.Unmarshal(raw[:n], &rec) != nil {
		return nil
	}
	return rec.Addresses
}

// mayProbe reports whether an address may be tried now because the device whose it is said to be asks. Elsewhere than at the
// host that the question comes from it is tried as seldom as whatever is only hearsay, since it may be somebody else's.
func (r *round) mayProbe(t *target, asker *peer) bool {
	if t.dialing || r.c.now.Sub(t.probed) < probeEvery {
		return false
	}
	t.day(r.c.now)
	if sameHost(t.address, asker.address) {
		return t.tries < probesDay
	}
	return t.tries < hearsayTries && r.c.now.Sub(r.c.hearsay) >= hearsayEvery
}

func sameHost(a, b string) bool {
	x, _, err := net.SplitHostPort(a)
	y, _, err2 := net.SplitHostPort(b)
	return err == nil && err2 == nil && x == y
}

func (r *round) probe(t *target) {
	t.probing, t.probed = true, r.c.now
	r.try(t)
	r.c.do(dial{round: r.link, address: t.address, probe: true})
}

// outcome is what is known of an address that is not to be tried again yet.
func (t *target) outcome() link.Outcome {
	if t.found != nil {
		return outcomeOf(*t.found)
	}
	if t.problem != nil {
		return outcomeOf(t.problem)
	}
	return link.OutcomeUntried
}

func outcomeOf(err error) link.Outcome {
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.outcome
		}
	}
	return link.OutcomeFailed
}

// outcomes are the errors that are told, in both directions.
var outcomes = []struct {
	outcome link.Outcome
	err     error
}{
	{link.OutcomeReached, nil},
	{link.OutcomeRefused, ErrRefused},
	{link.OutcomeTimeout, ErrTimeout},
	{link.OutcomeTimeout, ErrHandshake},
	{link.OutcomeNotFound, ErrNotFound},
	{link.OutcomeNoRoute, ErrNoRoute},
	{link.OutcomeWrongPlace, ErrNotOpentalk},
	{link.OutcomeWrongPlace, ErrWrongRound},
	{link.OutcomeUntried, ErrUntried},
}

// errorOf is the error that an outcome tells of, nil if the address was reached.
func errorOf(o link.Outcome) error {
	for _, known := range outcomes {
		if known.outcome == o {
			return known.err
		}
	}
	return errors.New("it failed")
}

func (e probed) apply(c *core) {
	r := c.rounds[e.tag]
	if r == nil {
		return
	}
	if t := r.targets[e.address]; t != nil {
		t.probing, t.found = false, &e.err
		if e.err == nil {
			t.tries = max(0, t.tries-1) // it was not in vain
		}
	}
	for _, p := range r.peers {
		if p.probing != nil && p.probing.open[e.address] {
			delete(p.probing.open, e.address)
			p.probing.found[e.address] = outcomeOf(e.err)
			p.answerReach()
		}
	}
}

// answerReach answers if there is nothing more to wait for.
func (p *peer) answerReach() {
	q := p.probing
	if len(q.open) > 0 {
		return
	}
	p.probing = nil
	m := link.Reached{Request: q.request}
	for _, a := range q.addresses {
		m.Entries = append(m.Entries, link.ReachedAt{Address: a, Outcome: q.found[a]})
	}
	p.send(m)
}

// askReach asks a peer whether it reaches this device. done is called once: with the answer, or with nothing if there is none.
func (p *peer) askReach(done func([]link.ReachedAt)) {
	p.unanswered()
	p.request++
	p.asking = &asking{p.request, done}
	p.send(link.Reach{Request: p.request})
}

// onReached takes the answer to the last question, and nothing else.
func (p *peer) onReached(m link.Reached) {
	if p.asking == nil || p.asking.request != m.Request {
		return
	}
	done := p.asking.done
	p.asking = nil
	done(m.Entries)
}

// unanswered gives up the question under way.
func (p *peer) unanswered() {
	if p.asking != nil {
		p.asking.done(nil)
		p.asking = nil
	}
}
