package engine

import (
	"fmt"
	"math"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
)

// What a device writes is built on by the others unless the device has written two histories, or dates its blocks far ahead.
// The first is for good, the second may last for years, since a line's t only grows. A device that finds itself like that
// retires: its person goes on as a new device, in every round, with a line that begins today. CHAIN 6.6.
//
// The secrets file decides: with one write of it the old key is gone, and the new one and its first blocks are there. All
// else follows from that, now or after a crash at the next start: a first block in the secrets that the store lacks is
// added, links are made as the new device, and what waits is signed by it.

// spent says why this device must not write in a round any more, "" while it may. That its line is ahead matters only when
// something is to be written; a clock that is behind the others' does not make it so, nor does one that is before genesis: a
// new line could not begin earlier.
func (r *round) spent() string {
	own := r.chain.Line(r.c.self.Key.Device())
	switch {
	case own == nil:
		return ""
	case own.Fork != nil:
		return fmt.Sprintf("this device has signed two blocks with number %d in %q, as a home does that was restored from a backup "+
			"or runs twice", own.Fork.Seq, r.name)
	case len(r.drafts) > 0 && r.informed() && own.Newest.T > max(r.c.latest(), r.genesis.T)+chain.MaxAhead:
		return fmt.Sprintf("what this device wrote last in %q is dated %s, when its clock was wrong",
			r.name, time.UnixMilli(int64(own.Newest.T)).Format(time.DateOnly))
	}
	return ""
}

// retireSpent retires this device if it is spent in any round, and has not done so just now.
func (c *core) retireSpent() {
	if c.broken != nil || c.now.Before(c.retireNext) {
		return
	}
	for _, r := range c.order {
		switch {
		case r.chain == nil || r.join != nil:
			return // a join, which ends soon
		case r.spent() != "":
			if err := c.retire(r.spent()); err != nil {
				c.tell(ErrorEvent{Err: err})
			}
			return
		}
	}
}

// retire makes this person's next device, and this program that one.
func (c *core) retire(why string) error {
	err := c.keys.Retire(c.clock(), func(tag Tag, key *identity.DeviceKey, cred *identity.Credential) ([]byte, error) {
		if r := c.rounds[tag]; r != nil {
			return r.signFirst(key, cred)
		}
		return nil, nil // it is being left
	})
	if err != nil {
		c.retireNext = c.now.Add(retireAgain)
		c.wakeAt(c.retireNext)
		return fmt.Errorf("%w: %s, and a new device in its place cannot be made: %w", ErrHomeNotWritable, why, err)
	}
	c.retireWait = min(max(2*c.retireWait, retireAgain), retireMost)
	c.retireNext = c.now.Add(c.retireWait)
	c.wakeAt(c.retireNext)
	c.self.Key, c.self.Credential = c.keys.Device, c.keys.Credential
	c.tell(NoticeEvent{Text: why + "; it goes on as a new device of yours, and what waits is sent by that"})
	c.accepts()
	for _, r := range c.order {
		if err := r.replace(); err != nil {
			c.tell(ErrorEvent{Round: r.tag, Err: err})
		}
	}
	return nil
}

// replace lets this device, which is new, begin its line and its links. A join that is under way goes on.
func (r *round) replace() error {
	join := r.join
	r.join = nil // the end of a link is none of it
	for len(r.peers) > 0 {
		r.peers[0].hangUp(link.ReasonDone, nil)
	}
	if r.join = join; r.chain == nil {
		r.redial()
		return nil
	}
	for id, e := range r.recent {
		e.Reach = 0
		r.recent[id] = e
	}
	r.since = math.MaxUint64
	r.member = false
	r.rehold() // what the old device wrote ahead of its time is not this one's own
	err := r.introduceSelf()
	r.redial()
	return err
}

// adoptEnds has this device say its name where a device of its person has written two histories: its next block builds on
// what that had written, as nobody else's does.
func (r *round) adoptEnds() {
	own := r.people[r.c.self.Credential.Fingerprint()]
	if own == nil || len(own.devices) == 1 || len(r.drafts) > 0 || !r.member || r.c.broken != nil {
		return
	}
	for _, head := range r.chain.Heads() {
		line := r.chain.Line(head.Author)
		if line.Fork != nil && r.isOwn(line) && head.Author != r.c.self.Key.Device() && !r.ahead(head) {
			r.rename(r.ownHandle(), func(State, error) {})
			return
		}
	}
}

// redial dials all known addresses now.
func (r *round) redial() {
	for _, t := range r.targets {
		t.delay, t.next = 0, r.c.now
	}
	r.dialDue()
}
