package engine

import (
	"maps"
	"math"
	"slices"

	"opentalk/engine/chain"
	"opentalk/engine/link"
)

// In a small round everybody links to everybody. Past largeRound members each device keeps a few links that it has dialled,
// to members drawn at random, and now and then exchanges one; who dials it comes on top. New blocks are pushed along the
// dialled links and only announced on the others, whose far side fetches what it lacks: so every block takes every link at
// most once, and reaches all.

// large reports whether links in this round are few and drawn.
func (r *round) large() bool { return r.people.members() > largeRound }

// room is for how many more links there is room, and to whom: in a small round for any.
type room struct {
	left   int
	linked map[Fingerprint]bool // who needs no other link
}

// room counts. It is asked once for many targets: there are as many as members.
func (r *round) room() room {
	if !r.large() {
		return room{left: math.MaxInt}
	}
	room := room{left: largeLinks, linked: map[Fingerprint]bool{}}
	for _, t := range r.targets {
		if t.dialing {
			room.left--
		}
	}
	for _, p := range r.peers {
		if p.dialled {
			room.left--
		}
		room.linked[p.fingerprint()] = true
	}
	return room
}

// takes reports whether a link may be dialled to a device.
func (room *room) takes(r *round, d Device) bool {
	if room.left <= 0 {
		return false
	}
	if r.chain == nil || r.chain.Line(d) == nil {
		return true
	}
	return !room.linked[r.chain.Line(d).Credential.Fingerprint()]
}

// draws returns the targets in the order in which they are to be dialled: by address in a small round, so that the same
// events have the same effects, and drawn by lot, from the core's own random bytes, in a large one.
func (r *round) draws() []*target {
	ts := make([]*target, 0, len(r.targets))
	for _, a := range slices.Sorted(maps.Keys(r.targets)) {
		ts = append(ts, r.targets[a])
	}
	if r.large() {
		for i := len(ts) - 1; i > 0; i-- {
			j := r.c.random(i + 1)
			ts[i], ts[j] = ts[j], ts[i]
		}
	}
	return ts
}

// rotate ends links of a large round: those that are too many because the round was small when they were dialled, and
// every now and then one more, so that the next is dialled to somebody else.
func (r *round) rotate() {
	if !r.large() {
		return
	}
	for extra := len(r.dialledLinks()) - largeLinks; extra > 0; extra-- {
		r.exchange()
	}
	if r.rotated.IsZero() {
		r.rotated = r.c.now
	}
	if due := r.rotated.Add(rotateEvery); r.c.now.Before(due) {
		r.c.wakeAt(due)
		return
	}
	r.rotated = r.c.now
	r.c.wakeAt(r.c.now.Add(rotateEvery))
	if len(r.dialledLinks()) == largeLinks {
		r.exchange()
	}
}

func (r *round) dialledLinks() []*peer {
	var dialled []*peer
	for _, p := range r.peers {
		if p.dialled && p.level() {
			dialled = append(dialled, p)
		}
	}
	return dialled
}

// exchange ends one dialled link, drawn by lot. Its far side is not dialled again before the others have had a chance.
func (r *round) exchange() {
	dialled := r.dialledLinks()
	p := dialled[r.c.random(len(dialled))]
	p.hangUp(link.ReasonRotate, nil)
	for _, t := range r.targets {
		if t.device == p.device() {
			t.next = r.c.now.Add(rotateEvery)
		}
	}
}

// spread gives a new block to a peer: whole, or its id alone on a link that the far side of a large round has dialled; both
// are acknowledged. Who gets it from others anyway is told of it later.
func (r *round) spread(p *peer, b *chain.Block) {
	switch {
	case p.pruned.theirs[b.Author]:
		p.tellLater(b.Author)
	case !r.large() || p.dialled:
		r.pushTo(p, b)
	default:
		p.expectAck(b)
		p.send(link.Announce{IDs: [][32]byte{b.ID()}})
	}
}

// random draws a number below n.
func (c *core) random(n int) int {
	var b [4]byte
	c.draw(b[:])
	return int((uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])) * uint64(n) >> 32)
}
