package engine

import (
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
)

// What this device asks of others to get level, and what it shows meanwhile.

// catching is how a round stands with that.
type catching struct {
	told        time.Time             // when the front last heard how far it is, zero if not at all
	provisional map[chain.ID]struct{} // blocks that were shown before they could be admitted
}

// catchUp asks one peer for what it has and this device lacks, if it is not asking already. If that is much, it asks for
// the newest lines first.
func (r *round) catchUp() {
	for r.source == nil && r.member {
		p := r.nextSource()
		if p == nil {
			return
		}
		ranges := r.missing(p)
		if len(ranges) == 0 {
			p.spent()
			r.progress(p)
			continue
		}
		if p.preview == 0 && r.lacking(p) > r.c.previewOver {
			p.request++
			p.preview = p.request
			p.send(link.Newest{Request: p.preview, Count: previewBlocks})
		}
		p.ask(ranges)
	}
}

// nextSource is who may have what this device lacks and was not asked for the longest time, nil if there is nobody.
func (r *round) nextSource() (next *peer) {
	for _, p := range r.peers {
		if p.mayGive() && (next == nil || p.began.Before(next.began)) {
			next = p
		}
	}
	return next
}

func (p *peer) mayGive() bool { return p.online() && p.frontier && p.stale }

// giveWay lets another be asked if the source has been slow, or who gives a little now and then for ever could keep this device
// from what the others have. What it was asked for it may still give.
func (p *peer) giveWay() {
	r := p.round
	if r.source != p || r.c.now.Sub(p.began) < ackTime {
		return
	}
	slow := p.gave-p.before < slowSource
	if slow && slices.ContainsFunc(r.peers, func(o *peer) bool { return o != p && o.mayGive() && len(r.missing(o)) > 0 }) {
		r.source = nil
	}
	p.began, p.before = r.c.now, p.gave
	r.c.wakeAt(p.began.Add(ackTime))
}

// ask sends a WANT, in as many messages as it takes: one that is full is gone on with. LINK 6.2.
func (p *peer) ask(ranges []link.Range) {
	r := p.round
	p.request++
	p.want, p.ranges, p.gave, p.before, r.source = p.request, ranges, 0, 0, p
	p.began, p.asked = r.c.now, r.c.now
	r.c.wakeAt(r.c.now.Add(ackTime))
	for ; len(ranges) > link.MaxRanges; ranges = ranges[link.MaxRanges:] {
		p.send(link.Want{Request: p.want, Ranges: ranges[:link.MaxRanges]})
	}
	p.send(link.Want{Request: p.want, Ranges: ranges})
}

// missing lists what p has beyond the ends of the lines here, as much as one WANT asks for; the rest is for another. Its
// last message is never full, or the far side would wait for more.
func (r *round) missing(p *peer) []link.Range {
	var ranges []link.Range
	for d, seq := range ordered(p.known, compareDevices) {
		if n := p.lacks(d, seq); n > 0 && len(ranges) < maxLines-1 {
			ranges = append(ranges, link.Range{Device: d, From: seq + 1 - n, To: seq})
		}
	}
	if n := len(ranges); n > 0 && n%link.MaxRanges == 0 {
		ranges = ranges[:n-1]
	}
	return ranges
}

// lacks is how many blocks of a line up to seq are beyond its end here. What a forked line goes on with is taken only where
// somebody built on it, and a line of which there is nothing may not be at all, so a peer is asked for either once.
func (p *peer) lacks(d Device, seq uint64) uint64 {
	r := p.round
	if r.chain == nil {
		return 0
	}
	from, line := uint64(0), r.chain.Line(d)
	if line != nil {
		from = line.Newest.Seq + 1
	}
	if tried, ok := p.tried[d]; ok && (line == nil || line.Fork != nil) {
		from = max(from, tried+1)
	}
	if seq < from {
		return 0
	}
	return seq - from + 1
}

// spent notes that p gives nothing more, and tells it the first time on a link.
func (p *peer) spent() {
	p.stale = false
	if !p.whole {
		p.whole = true
		p.round.c.tell(CaughtUpEvent{Round: p.round.tag})
	}
}

// lacking is how many blocks a peer has that this device lacks.
func (r *round) lacking(p *peer) (n int) {
	for d, seq := range p.known {
		n += int(p.lacks(d, seq))
	}
	return n
}

// onAnswer is called after each message that answers the WANT, with how many blocks in it were new.
func (p *peer) onAnswer(blocks int, last bool) {
	r := p.round
	p.asked, p.gave = r.c.now, p.gave+blocks
	if !last {
		r.progress(p)
		return
	}
	r.source = nil
	for _, asked := range p.ranges {
		p.tried[asked.Device] = max(p.tried[asked.Device], asked.To)
	}
	p.stale = true // what it has learnt meanwhile, and what one WANT did not hold, is asked for next
	if p.gave == 0 {
		p.spent() // whatever it said
		p.disbelieve()
	}
	r.caughtUp(p)
}

// disbelieve forgets what p said that it has of this device's own line, if it was asked for all of that and gave nothing: or it
// could keep this device from ever writing again. What has come of the line and waits for its edges is as good as given.
func (p *peer) disbelieve() {
	r, self := p.round, p.round.c.self.Key.Device()
	if own := r.chain.Line(self); own != nil && p.tried[self] >= p.known[self] && !r.hasOwnAside() {
		p.known[self] = min(p.known[self], own.Newest.Seq)
	}
}

// progress tells the front how far catching up is: now and then, and once more when all is here.
func (r *round) progress(p *peer) {
	lacking, done := 0, r.source == nil
	if !done {
		if r.c.now.Sub(r.catch.told) < progressEvery {
			return
		}
		lacking = r.lacking(p)
	} else if r.catch.told.IsZero() {
		return
	}
	r.c.tell(ProgressEvent{Round: r.tag, What: "catching up", Done: r.blocks, Total: r.blocks + lacking})
	if r.catch.told = r.c.now; done {
		r.catch.told = time.Time{}
	}
}

// onPreview shows the newest lines of a round whose history is still to come. The first blocks among them need nothing but
// genesis and are admitted; of the others it is known who wrote them, and no more. They are not stored, cited, passed on,
// acknowledged or counted.
func (p *peer) onPreview(blocks []*chain.Block) {
	r := p.round
	for _, b := range blocks {
		if b.Kind == chain.KindPubKey {
			if err := r.admit(p, b, false); err != nil {
				p.refuse(err)
				return
			}
			continue
		}
		if b.Tag == r.tag && b.Seq > 0 && b.Kind == chain.KindMessage && b.T <= r.c.millis()+chain.MaxAhead {
			r.preview(b)
		}
	}
}

func (r *round) preview(b *chain.Block) {
	if _, ok := r.catch.provisional[b.ID()]; ok || r.chain.Line(b.Author) == nil || len(r.catch.provisional) >= maxProvisional {
		return
	}
	if _, ok, err := r.entry(b.ID()); ok || err != nil {
		return
	}
	if r.catch.provisional == nil {
		r.catch.provisional = map[chain.ID]struct{}{}
	}
	r.catch.provisional[b.ID()] = struct{}{}
	for _, m := range r.messages(b) {
		m.Received, m.Provisional = r.c.now, true
		r.c.tell(MessageEvent{m})
	}
}

// confirmed reports whether the lines of a block that has been admitted are on the screen already.
func (r *round) confirmed(id chain.ID) bool {
	_, ok := r.catch.provisional[id]
	delete(r.catch.provisional, id)
	return ok
}

// apply leaves the time in which nothing was read out of what peers are given to answer in: it was not their fault.
func (e deaf) apply(c *core) {
	for _, p := range c.peers {
		for _, since := range []*time.Time{&p.heard, &p.asked, &p.began, &p.unacked} {
			if !since.IsZero() {
				*since = since.Add(e.lasted)
			}
		}
	}
}
