package chain

import "opentalk/engine/identity"

// Next returns the header of the device's next block but for its kind: the next seq of its line, every head as an edge
// except those of flagged devices of other identities and those more than MaxAhead after now, and a t after all of them. Past
// MaxParents it cites the first in canonical order. now is the clock in milliseconds. ok is false for a device that has no block here.
// CHAIN 6.2.
func (c *Chain) Next(d identity.Device, now uint64) (h Header, ok bool) {
	line := c.lines[d]
	if line == nil {
		return Header{}, false
	}
	h = Header{Tag: c.tag, Author: d, Seq: line.Newest.Seq + 1, Prev: line.Newest.ID, Wall: now}
	t := line.Newest.T
	for _, head := range c.Heads() {
		if head.ID == h.Prev || len(h.Parents) == MaxParents || !c.citable(head, line, now) {
			continue
		}
		h.Parents = append(h.Parents, head.ID)
		t = max(t, head.T)
	}
	h.T = max(now, t+1)
	return h, true
}

func (c *Chain) citable(head Place, own *Line, now uint64) bool {
	by := c.lines[head.Author]
	return (by.Fork == nil || by.Credential.Fingerprint() == own.Credential.Fingerprint()) && (head.T <= now+MaxAhead || head.ID == c.genesis.ID)
}

// First returns the header of a device's first block, complete but for the author.
func (c *Chain) First(now uint64) Header {
	return Header{
		Tag: c.tag, Kind: KindPubKey, Parents: []ID{c.genesis.ID}, T: max(now, c.genesis.T+1), Wall: now,
	}
}
