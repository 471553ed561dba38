package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/link"
)

// target is an address that is dialled for a round until somebody answers.
type target struct {
	address string
	want    Fingerprint // who must answer; zero for any member
	device  Device      // who answered last, or is said to be there; zero if nobody
	hearsay bool        // it comes from a record, and nobody has answered there
	gone    bool        // the record does not name it any more; kept for a day, so that tries is
	tries   int         // in vain since triesFrom, while it is hearsay
	since   time.Time   // of the first of them
	dialing bool
	link    linkID // of the link that came of it, 0 if none
	next    time.Time
	delay   time.Duration
	problem error // of the last try

	probing bool      // a probe is under way
	probed  time.Time // when the last began
	found   *error    // what it found; nil: there was none
}

// contact is what the store keeps of a device: where it was reached, and when it was last here.
type contact struct {
	_         struct{} `cbor:",toarray"`
	Addresses []string
	Seen      int64  // Unix milliseconds
	Record    []byte // the newest it has signed
}

// target notes an address to dial.
func (r *round) target(address string, want Fingerprint) *target {
	t := r.targets[address]
	if t == nil {
		t = &target{address: address}
		r.targets[address] = t
	}
	t.want, t.gone = want, false
	return t
}

// dialDue dials what is due.
func (r *round) dialDue() {
	maps.DeleteFunc(r.targets, func(_ string, t *target) bool { return t.gone && r.c.now.Sub(t.since) > hearsayDay })
	room := r.room()
	if room.left <= 0 {
		return
	}
	for _, t := range r.draws() {
		if t.gone || r.isGone(t.device) || t.dialing || t.link != 0 || t.device != (Device{}) && r.peerOf(t.device) != nil || !room.takes(r, t.device) {
			continue
		}
		if wait := r.notBefore(t); r.c.now.Before(wait) {
			r.c.wakeAt(wait)
			continue
		}
		t.dialing = true
		room.left--
		if t.hearsay {
			r.try(t)
		}
		if t.problem == nil {
			r.c.tell(PeerEvent{Round: r.tag, Address: t.address, State: Connecting, Person: r.behind(t)})
		}
		r.c.do(dial{round: r.link, address: t.address, want: t.want})
	}
}

// day begins to count tries anew when a day is over.
func (t *target) day(now time.Time) {
	if now.Sub(t.since) > hearsayDay {
		t.since, t.tries = now, 0
	}
}

// try counts a try at what may be somebody else's.
func (r *round) try(t *target) {
	t.tries++
	r.c.hearsay = r.c.now
}

// notBefore is when an address may be dialled. What is only hearsay is dialled a few times a day, and all of that no faster
// than once a second, so that nobody can make members hammer somebody else.
func (r *round) notBefore(t *target) time.Time {
	if !t.hearsay {
		return t.next
	}
	t.day(r.c.now)
	if t.tries >= hearsayTries {
		return t.since.Add(hearsayDay)
	}
	if wait := r.c.hearsay.Add(hearsayEvery); wait.After(t.next) {
		return wait
	}
	return t.next
}

// behind is who is expected at an address, as far as that is known.
func (r *round) behind(t *target) Person {
	if t.device == (Device{}) || r.chain == nil {
		return Person{}
	}
	return r.author(t.device)
}

// putOff puts off the next try: twice as long as the last, ±20 %. Of what is hearsay there are few tries in a day, so they are
// not made while it is the same trouble still.
func (r *round) putOff(t *target) {
	t.delay = min(max(2*t.delay, redialFirst), redialMost)
	if t.hearsay && t.tries > 0 {
		t.delay = hearsayWaits[min(t.tries, len(hearsayWaits))-1]
	}
	var b [2]byte
	r.c.draw(b[:])
	spread := 0.8 + 0.4*float64(binary.BigEndian.Uint16(b[:]))/65535
	t.next = r.c.now.Add(time.Duration(float64(t.delay) * spread))
	r.c.wakeAt(t.next)
}

// dialAgain dials an address again at once.
func (r *round) dialAgain(address string) {
	if t := r.targets[address]; t != nil && t.dialing {
		t.dialing, t.next = false, r.c.now
		r.dialDue()
	}
}

// reached notes that a dial led to a device.
func (r *round) reached(address string, p *peer) {
	if t := r.targets[address]; t != nil {
		t.dialing, t.link, t.problem, t.delay, t.hearsay, t.tries = false, p.id, nil, 0, false, 0
		t.device, t.want = p.device(), p.fingerprint()
	}
}

func (e dialFailed) apply(c *core) {
	r := c.rounds[e.tag]
	if r == nil {
		return
	}
	if t := r.targets[e.address]; t != nil {
		t.dialing, t.problem = false, e.err
		if errors.Is(e.err, link.ErrSelf) {
			delete(r.targets, e.address)
		}
		r.putOff(t)
	}
	r.joinFailed(e.address, e.err)
	r.connected(e.address, Person{}, e.err)
}

// unlinked sees to it that a device that has gone is tried again soon.
func (r *round) unlinked(p *peer, err error) {
	for _, t := range ordered(r.targets, strings.Compare) {
		if t.link == p.id {
			t.link = 0
		}
		if t.device == p.device() && t.link == 0 && !t.dialing {
			t.delay, t.problem = 0, err
			r.putOff(t)
		}
	}
	if err == nil {
		err = ErrHungUp
	}
	r.joinFailed(p.address, err)
	r.connected(p.address, Person{}, err)
}

// remember notes that a device is here, or was until now.
func (r *round) remember(p *peer) {
	r.people.saw(p.fingerprint(), r.c.now)
	r.keepContact(p.device())
}

// provenAddresses are those where a device has answered.
func (r *round) provenAddresses(d Device) []string {
	var addrs []string
	for _, t := range r.targets {
		if t.device == d && !t.hearsay {
			addrs = append(addrs, t.address)
		}
	}
	slices.Sort(addrs)
	return addrs
}

// restoreTargets takes up the address book.
func (r *round) restoreTargets() error {
	if !r.kept {
		return nil
	}
	peers, err := r.c.store.Peers(r.tag)
	if err != nil {
		return err
	}
	for _, p := range peers {
		var c contact
		if cbor.Unmarshal(p.Value, &c) != nil {
			continue
		}
		var who Fingerprint // anybody, if what the device has written was lost
		if line := r.chain.Line(p.Device); line != nil {
			who = line.Credential.Fingerprint()
		}
		if c.Seen > 0 {
			r.people.saw(who, time.UnixMilli(c.Seen))
		}
		for _, a := range c.Addresses {
			r.target(a, who).device = p.Device
		}
		if rec, err := r.readRecord(c.Record); err != nil && rec.Tag == r.tag {
			r.doubtful[p.Device] = doubtful{raw: c.Record, number: rec.Number, near: true}
		} else if err == nil {
			r.records[p.Device] = knownRecord{raw: c.Record, number: rec.Number}
			r.adopt(rec, true) // it was judged when it came
		}
	}
	return nil
}

// join is a Join under way.
type join struct {
	open   map[string]bool // addresses that may still lead somewhere
	failed []Attempt
	done   func(Round, error)
}

// Attempt is one address that led nowhere, and why.
type Attempt struct {
	Address string
	Err     error
}

// UnreachableError says why no member could be reached: it is each of the reasons of its attempts, for errors.Is.
type UnreachableError struct{ Attempts []Attempt }

func (e *UnreachableError) Error() string {
	if len(e.Attempts) == 1 {
		return e.Attempts[0].Err.Error()
	}
	lines := make([]string, 0, len(e.Attempts))
	for _, a := range e.Attempts {
		lines = append(lines, a.Err.Error())
	}
	return fmt.Sprintf("none of %d addresses led to a member: %s", len(e.Attempts), strings.Join(lines, "; "))
}

func (e *UnreachableError) Unwrap() []error {
	errs := make([]error, 0, len(e.Attempts))
	for _, a := range e.Attempts {
		errs = append(errs, a.Err)
	}
	return errs
}

// joinRound begins to join. done is called once: when a member holds this device's first block, or when every address has
// failed.
func (c *core) joinRound(inv Invite, done func(Round, error)) {
	switch {
	case c.going[inv.Tag()]:
		done(Round{}, ErrInRound)
		return
	case c.rounds[inv.Tag()] != nil:
		done(c.rounds[inv.Tag()].info(), ErrInRound)
		return
	case len(c.rounds) >= MaxRounds:
		done(Round{}, fmt.Errorf("%w: the limit is %d", ErrTooMany, MaxRounds))
		return
	case len(inv.Addresses) == 0:
		done(Round{}, fmt.Errorf("%w: the invite names none", ErrAddress))
		return
	}
	r := c.newRound(inv.id)
	r.join = &join{open: map[string]bool{}, done: done}
	for _, a := range inv.Addresses {
		r.target(a, inv.Want)
		r.join.open[a] = true
	}
	c.accepts()
	r.dialDue()
}

// joinFailed notes that an address led nowhere; the last one ends the join.
func (r *round) joinFailed(address string, err error) {
	if r.join == nil || !r.join.open[address] || r.member {
		return
	}
	delete(r.join.open, address)
	r.join.failed = append(r.join.failed, Attempt{Address: address, Err: err})
	if len(r.join.open) == 0 {
		r.abandon(&UnreachableError{r.join.failed})
	}
}

// abandon gives up a round that has not been joined.
func (r *round) abandon(err error) {
	if r.join == nil {
		return
	}
	done := r.join.done
	r.join = nil
	r.c.forget(r)
	for _, p := range r.peers {
		p.hangUp(link.ReasonLeft, nil)
	}
	r.c.accepts()
	done(Round{}, err)
}

// welcomed is called when a member holds this device's first block: a join has come to its end.
func (r *round) welcomed() {
	if r.join == nil {
		return
	}
	done := r.join.done
	r.join = nil
	for a, t := range r.targets {
		if t.device == (Device{}) {
			delete(r.targets, a) // other ways to the same member, which did not work
		}
	}
	r.c.tell(RoundEvent{r.info()})
	done(r.info(), nil)
}

// giveUp ends a join that takes too long. A device that has its first block on disk stays in the round: it is a member as
// soon as anybody hears of it.
func (r *round) giveUp(err error) {
	if r.join == nil {
		return
	}
	if r.member {
		r.welcomed()
		return
	}
	r.abandon(err)
}
