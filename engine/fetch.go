package engine

import (
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
)

// Blocks that are asked for by id: what was announced, the edges of what came too early, the two of a fork. Each is asked of
// one peer at a time. Who does not have it, is silent or goes makes room for the next, those first who said that they have it;
// when none is left it is given up until something else needs it.

// fetching is a block that has been asked for and has not been taken.
type fetching struct {
	asked      linkID // of whom; 0 once it is here and waits for its edges
	request    uint64
	since      time.Time
	tried      map[linkID]bool
	announcers []linkID // all that have said that they have it, and wait for an ACK
}

// fetch asks a peer for blocks, except those that are asked for already.
func (p *peer) fetch(ids []chain.ID) {
	r := p.round
	var news []chain.ID
	for _, id := range ids {
		f := r.fetching[id]
		if f == nil && len(r.fetching) < maxFetching {
			f = &fetching{tried: map[linkID]bool{}}
			r.fetching[id] = f
		}
		if f != nil && f.asked == 0 && r.orphans.waiting[id] == nil { // or it was here, and had to go
			news = append(news, id)
		}
	}
	p.askFor(news)
}

// askFor sends the FETCH for blocks that are in fetching.
func (p *peer) askFor(ids []chain.ID) {
	r := p.round
	for batch := range slices.Chunk(ids, link.MaxIDs) {
		p.request++
		m := link.Fetch{Request: p.request}
		for _, id := range batch {
			f := r.fetching[id]
			f.asked, f.request, f.since, f.tried[p.id] = p.id, m.Request, r.c.now, true
			m.IDs = append(m.IDs, id)
		}
		p.send(m)
		r.c.wakeAt(r.c.now.Add(fetchTime))
	}
}

// onAnnounce fetches what is new of what a peer has.
func (p *peer) onAnnounce(m link.Announce) {
	r := p.round
	var news []chain.ID
	for _, id := range m.IDs {
		e, ok, err := r.entry(id)
		switch {
		case err != nil:
		case ok:
			p.known[e.Author] = max(p.known[e.Author], e.Seq)
			p.acknowledge(e.Author, e.Seq)
			p.inVain(e.Author)
		default:
			news = append(news, id)
		}
	}
	p.fetch(news)
	for _, id := range news {
		if f := r.fetching[id]; f != nil && !slices.Contains(f.announcers, p.id) {
			f.announcers = append(f.announcers, p.id)
		}
	}
}

// arrived takes a block out of what is being fetched, and returns who else has announced it.
func (r *round) arrived(id chain.ID) (announcers []linkID) {
	if f := r.fetching[id]; f != nil {
		announcers = f.announcers
		delete(r.fetching, id)
	}
	return announcers
}

// waits notes that a block is here and waits for its edges.
func (r *round) waits(id chain.ID) {
	if f := r.fetching[id]; f != nil {
		f.asked, f.since = 0, r.c.now
	}
}

// answered asks others for what the answer to a request has left out.
func (p *peer) answered(request uint64) {
	p.round.refetch(func(f *fetching) bool { return f.asked == p.id && f.request == request })
}

// lateFetches asks others for what does not come.
func (r *round) lateFetches() {
	r.refetch(func(f *fetching) bool { return f.asked != 0 && r.c.now.Sub(f.since) >= fetchTime })
	for id, f := range r.fetching {
		switch {
		case f.asked != 0:
			r.c.wakeAt(f.since.Add(fetchTime))
		case r.c.now.Sub(f.since) > orphanTime:
			delete(r.fetching, id)
		}
	}
}

// refetch asks the next peer for some of what is being fetched.
func (r *round) refetch(some func(*fetching) bool) {
	next := map[linkID][]chain.ID{}
	for id, f := range ordered(r.fetching, chain.ID.Compare) {
		if !some(f) {
			continue
		}
		if p := r.nextFor(f); p != nil {
			next[p.id] = append(next[p.id], id)
		} else {
			delete(r.fetching, id)
		}
	}
	for _, p := range r.peers {
		p.askFor(next[p.id])
	}
}

// nextFor is who has not been asked for a block yet, nil if there is nobody.
func (r *round) nextFor(f *fetching) *peer {
	for _, id := range f.announcers {
		if p := r.c.peers[id]; p != nil && !f.tried[id] {
			return p
		}
	}
	for _, p := range r.peers {
		if p.online() && !f.tried[p.id] {
			return p
		}
	}
	return nil
}
