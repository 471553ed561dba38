package engine

import (
	"errors"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
)

// How two devices come to hold the same blocks. LINK 6.
//
// Each tells the other its frontier. Whoever lacks something asks for it, from one peer at a time, and takes it in
// canonical order, so that every block's edges come before it. What is new after that is pushed to everyone who is level,
// and an ACK tells how far a peer has it on its disk; an ACK is a piece of a frontier, so a peer that falls behind or comes
// from elsewhere catches up by the same rule.

// onGenesis takes in the block that a newcomer asked for by its READY.
func (p *peer) onGenesis(blocks []*chain.Block) {
	r := p.round
	if r.chain != nil || len(blocks) != 1 {
		return // it came twice, from two members
	}
	if err := r.begin(blocks[0]); err != nil {
		p.drop(link.ReasonBlock, err)
		return
	}
	r.c.correct() // genesis may show that the clock is wrong
	first, back, err := r.former()
	if err != nil {
		r.abandon(err)
		return
	}
	r.enrol(func(err error) {
		if r.c.rounds[r.tag] != r { // the join was given up meanwhile
			return
		}
		if err == nil {
			err = r.keep()
		}
		if err == nil {
			err = r.introduceAs(first, back)
		}
		if err != nil {
			r.abandon(err)
			return
		}
		r.acquainted()
	})
	r.writeContact(p.device()) // before the secrets know of the round: a crash must leave a way back to it, or nothing
}

// acquainted lets those whose first blocks have come have history, as soon as this device's own is durable.
func (r *round) acquainted() {
	r.c.settled(func() {
		for _, p := range r.peers {
			if r.member && r.holdsFirst(p.device()) {
				p.acknowledge(p.device(), 0)
				p.meet()
			}
		}
	})
}

// meet is called when the peer's first block is durable here: from now on it may have history.
func (p *peer) meet() {
	if !p.theirs {
		p.theirs = true
		for line := range ordered(p.round.holds, compareDevices) { // its frontier may have come before
			p.round.holdsUpTo(line, p.device(), p.known[line])
		}
		p.round.sendFrontier(p)
		p.cameOnline()
	}
}

// compare is told what the peer's READY calls its frontier. If this device's READY called its own the same, both have said it
// all; otherwise this device tells the whole.
func (p *peer) compare(theirs link.Digest) {
	offered := p.offered
	p.offered = nil
	switch {
	case p.informed: // it has become known here since the link was made
	case offered != nil && link.FrontierDigest(offered) == theirs:
		p.hasBeenTold(offered)
		p.onFrontier(link.Frontier{Entries: offered, Last: true})
	default:
		p.round.sendFrontier(p)
	}
}

// frontier is the whole of what is durable here.
func (r *round) frontier() []link.Entry {
	entries := make([]link.Entry, 0, len(r.durable))
	for _, at := range ordered(r.durable, compareDevices) {
		entries = append(entries, entryOf(at))
	}
	for _, head := range r.chain.Heads() { // nobody cites a flagged device: where it forked, all its ends are heads
		if r.chain.Line(head.Author).Fork != nil && head != r.durable[head.Author] && r.unlanded[head.ID] == nil {
			entries = append(entries, entryOf(head))
		}
	}
	return entries
}

// sendFrontier tells a peer the whole of what is durable here.
func (r *round) sendFrontier(p *peer) {
	entries := r.frontier()
	p.hasBeenTold(entries)
	for len(entries) > link.MaxEntries {
		p.send(link.Frontier{Entries: entries[:link.MaxEntries]})
		entries = entries[link.MaxEntries:]
	}
	p.send(link.Frontier{Entries: entries, Last: true})
}

// hasBeenTold notes that the peer knows of this device's whole frontier.
func (p *peer) hasBeenTold(entries []link.Entry) {
	p.informed = true
	for _, e := range entries {
		p.told[e.Device] = max(p.told[e.Device], e.Seq)
	}
}

func entryOf(at chain.Place) link.Entry {
	return link.Entry{Device: at.Author, Seq: at.Seq, ID: at.ID}
}

func (p *peer) onFrontier(m link.Frontier) {
	p.learn(m.Entries)
	if m.Last && !p.frontier {
		p.frontier, p.stale = true, true
		if p.theirs {
			p.round.tellNews(p)
		}
	}
}

func (p *peer) onAck(m link.Ack) {
	if !p.unacked.IsZero() {
		p.unacked = p.round.c.now
	}
	p.learn(m.Entries)
	if len(p.owes) == 0 {
		p.unacked = time.Time{}
	}
}

// learn notes what a peer holds.
func (p *peer) learn(entries []link.Entry) {
	r, self := p.round, p.round.c.self.Key.Device()
	for _, e := range entries {
		if !p.mayName(e.Device) {
			continue
		}
		p.known[e.Device] = max(p.known[e.Device], e.Seq)
		if p.online() && r.differs(e) {
			p.fetch(r.unknown([]chain.ID{e.ID}))
		}
		if e.Seq >= p.owes[e.Device] {
			delete(p.owes, e.Device)
		}
		if e.Device == self {
			if !p.stored {
				p.stored = true
				p.cameOnline()
			}
			p.claim = e
		}
		r.heldTo(p.device(), e)
		if p.justSaid(e) {
			p.fetch([]chain.ID{e.ID})
		} else {
			p.stale = p.stale || p.lacks(e.Device, e.Seq) > 0
		}
	}
}

// mayName reports whether it is remembered what the peer has of a device: of those that nobody has heard of only so many.
func (p *peer) mayName(d Device) bool {
	if _, named := p.known[d]; named || len(p.known) < maxUnheard+len(p.round.durable) {
		return true
	}
	return p.round.holdsFirst(d)
}

// question asks the peer for the block of this device's own line that it says it has beyond what is here. It comes at once if it
// is there, which catching up may take long to bring: before that this device does not write. CHAIN 6.2.
func (p *peer) question() {
	own := p.round.chain.Line(p.claim.Device)
	if own == nil || !p.online() {
		return
	}
	if p.claim.Seq > own.Newest.Seq {
		p.fetch(p.round.unknown([]chain.ID{p.claim.ID}))
	}
	p.claim = link.Entry{}
}

// justSaid reports whether all that an entry shows to be missing here is one new block of somebody else's. It is fetched like
// one that was announced.
func (p *peer) justSaid(e link.Entry) bool {
	r := p.round
	if !p.level() || r.source != nil || p.lacks(e.Device, e.Seq) != 1 || e.Device == r.c.self.Key.Device() {
		return false
	}
	line := r.chain.Line(e.Device)
	return line == nil || line.Fork == nil
}

// tellNews lets a peer know of whatever has become durable since it was last told, and so lets it ask.
func (r *round) tellNews(p *peer) {
	var entries []link.Entry
	for d, at := range ordered(r.durable, compareDevices) {
		// Of its person's lines it wants to know how far they are held, not what is on them.
		if beyond(p.told, d, at.Seq) && (p.wrote(d) || beyond(p.known, d, at.Seq)) {
			entries = append(entries, entryOf(at))
			p.told[d] = at.Seq
		}
	}
	p.ack(entries)
}

// beyond reports whether seq is past the end that a map has of a line; a line that it does not have has no end, since lines
// begin at 0.
func beyond(ends map[Device]uint64, d Device, seq uint64) bool {
	end, ok := ends[d]
	return !ok || seq > end
}

// ack sends entries in as many messages as they take.
func (p *peer) ack(entries []link.Entry) {
	for len(entries) > 0 {
		n := min(len(entries), link.MaxEntries)
		p.send(link.Ack{Entries: entries[:n]})
		entries = entries[n:]
	}
}

// acknowledge notes that the peer is to be told how far a line is durable, at the end of the step in which it is up to seq.
func (p *peer) acknowledge(d Device, seq uint64) { p.ackDue[d] = max(p.ackDue[d], seq) }

func (p *peer) sendAcks() {
	if len(p.ackDue) == 0 {
		return
	}
	entries := make([]link.Entry, 0, len(p.ackDue))
	for d, due := range ordered(p.ackDue, compareDevices) {
		if at, ok := p.round.durable[d]; ok && at.Seq >= due {
			entries = append(entries, entryOf(at))
			p.told[d] = max(p.told[d], at.Seq)
			delete(p.ackDue, d)
		}
	}
	p.ack(entries)
}

func (p *peer) onBlocks(m link.Blocks, blocks []*chain.Block) {
	r := p.round
	if r.chain == nil {
		return
	}
	if m.Request != 0 && m.Request == p.preview {
		p.onPreview(blocks)
		return
	}
	before := r.blocks
	for _, b := range blocks {
		if !p.theirs && (b.Seq != 0 || b.Author != p.device()) {
			continue // it may show who it is, and nothing else yet
		}
		if err := r.admit(p, b, m.Request == 0 || m.Request != p.want && m.Request != p.lifting); err != nil {
			p.refuse(err)
			return
		}
	}
	if m.Request != 0 && m.Last {
		p.answered(m.Request)
		if m.Request == p.lifting {
			p.lifting = 0
		}
	}
	switch {
	case r.source == p && m.Request == p.want:
		p.onAnswer(r.blocks-before, m.Last)
	case m.Request != 0 && r.blocks > before:
		r.caughtUp(p)
	}
}

// refuse ends the link over a block: for its fault, or because this device could not judge it.
func (p *peer) refuse(err error) {
	var f *chain.Fault
	if errors.As(err, &f) {
		p.drop(link.ReasonBlock, err)
		return
	}
	p.failed(err)
}

// caughtUp tells the others what came from one of them.
func (r *round) caughtUp(from *peer) {
	r.c.settled(func() {
		for _, p := range r.peers {
			if p != from && p.level() {
				r.tellNews(p)
			}
		}
	})
}

// admit judges a block from a peer and takes it in, with whatever waited for it. The error is a [*chain.Fault] or one of
// this device.
func (r *round) admit(p *peer, b *chain.Block, pushed bool) error {
	for queue := []orphan{{from: p.id, block: b}}; len(queue) > 0; queue = queue[1:] {
		from, b := r.c.peers[queue[0].from], queue[0].block
		if from == nil || from.round != r {
			continue
		}
		from.known[b.Author] = max(from.known[b.Author], b.Seq)
		if ok, err := r.has(b); err != nil {
			return err
		} else if ok {
			from.acknowledge(b.Author, b.Seq)
			if pushed {
				from.inVain(b.Author)
			}
			continue
		}
		missing, err := r.chain.Check(b)
		if err == nil {
			err = r.noteFork(b)
		}
		switch {
		case err != nil && from != p:
			from.drop(link.ReasonBlock, err)
		case err != nil:
			return err
		case !r.needed(b):
			r.waits(b.ID())
			r.shun(from, b, missing)
		case len(missing) > 0:
			r.waits(b.ID())
			r.setAside(from, b, missing)
			queue = append(queue, r.orphans.ready(missing)...)
		default:
			if err := r.take(from, b, pushed); err != nil {
				return err
			}
			queue = append(queue, r.orphans.freed(b.ID())...)
		}
	}
	return nil
}

// setAside keeps a block until its edges come, and asks for them unless catching up will bring them. It does not bring the
// other end of a fork.
func (r *round) setAside(p *peer, b *chain.Block, missing []chain.ID) {
	r.c.tally.add(func(n *Counts) { n.Orphans++ })
	line := r.chain.Line(b.Author)
	switch {
	case !r.orphans.keep(p.id, b, missing, r.c.now, false):
		p.lift(b)
	case r.source == nil || line != nil && b.Seq <= line.Newest.Seq+1:
		p.fetch(r.unknown(missing))
	}
}

// take adds a block that holds, shows it, and answers for it once it is durable.
func (r *round) take(p *peer, b *chain.Block, pushed bool) error {
	r.show(b, pushed)
	announcers := r.arrived(b.ID())
	if b.Kind == chain.KindPubKey {
		defer r.reconsider(b.Author)
	}
	err := r.add(b, both(r.change(b, pushed), r.unsay(b)), func(err error) {
		if err != nil {
			return
		}
		for _, other := range r.peers {
			// By whichever link: that of the block may have gone as a duplicate. The author counts who holds it, whoever
			// brought it.
			if other.device() == p.device() || other.wrote(b.Author) {
				other.acknowledge(b.Author, b.Seq)
			}
		}
		for _, id := range announcers {
			if other := r.c.peers[id]; other != nil {
				other.acknowledge(b.Author, b.Seq)
			}
		}
		for _, other := range r.peers {
			if b.Seq == 0 && b.Author == other.device() {
				other.meet() // whoever brought it
			}
		}
		for _, other := range r.peers {
			switch {
			case other == p:
			case r.proves(b): // they may have been shown the proof before, and have asked for this in vain
				if other.online() {
					other.push(b)
				}
			case !pushed: // told to the others when the whole has come
			case other.level() && beyond(other.known, b.Author, b.Seq):
				r.spread(other, b)
			}
		}
	})
	if err == nil && b.Seq == 0 {
		err = r.flagKnown(b.Author)
	}
	return err
}

// pushTo sends a new block, or leaves it to catching up where too much waits already.
func (r *round) pushTo(p *peer, b *chain.Block) {
	if p.queued > sendQueue {
		p.lagging = true
		return
	}
	p.push(b)
}
