package engine

import (
	"slices"
	"time"

	"opentalk/engine/chain"
)

// orphans keeps blocks whose edges have not come yet, within bounds for each peer, so that nobody's can push out another's.
// They are not acknowledged, shown or passed on. CHAIN 4.
type orphans struct {
	waiting map[chain.ID]*orphan              // by their own id
	wanted  map[chain.ID]map[chain.ID]bool    // edge → the blocks that wait for it
	held    map[linkID]*struct{ n, size int } // per peer
}

type orphan struct {
	from    linkID
	block   *chain.Block
	missing int
	since   time.Time
}

func newOrphans() orphans {
	return orphans{
		waiting: map[chain.ID]*orphan{}, wanted: map[chain.ID]map[chain.ID]bool{},
		held: map[linkID]*struct{ n, size int }{},
	}
}

// keep sets a block aside. It reports false, and does not, past the limits of the peer or when the block is here already. What
// is shunned may take half of the room.
func (o *orphans) keep(from linkID, b *chain.Block, missing []chain.ID, now time.Time, shunned bool) bool {
	o.expire(now)
	held := o.held[from]
	if held == nil {
		held = &struct{ n, size int }{}
		o.held[from] = held
	}
	most, mostBytes := maxOrphans, maxOrphanBytes
	if shunned {
		most, mostBytes = most/2, mostBytes/2
	}
	if o.waiting[b.ID()] != nil || held.n >= most || held.size+len(b.Bytes()) > mostBytes {
		return false
	}
	held.n, held.size = held.n+1, held.size+len(b.Bytes())
	o.waiting[b.ID()] = &orphan{from: from, block: b, missing: len(missing), since: now}
	for _, id := range missing {
		if o.wanted[id] == nil {
			o.wanted[id] = map[chain.ID]bool{}
		}
		o.wanted[id][b.ID()] = true
	}
	return true
}

// freed takes out the blocks for which id was the last missing edge.
func (o *orphans) freed(id chain.ID) []orphan {
	var free []orphan
	for child := range ordered(o.wanted[id], chain.ID.Compare) {
		w := o.waiting[child]
		if w == nil {
			continue
		}
		if w.missing--; w.missing == 0 {
			free = append(free, *w)
			o.remove(child)
		}
	}
	delete(o.wanted, id)
	return free
}

// ready takes out the blocks that wait for nothing any more, being shunned, among ids and what they descend from.
func (o *orphans) ready(ids []chain.ID) []orphan {
	var ready []orphan
	seen := map[chain.ID]bool{}
	for queue := slices.Clone(ids); len(queue) > 0; queue = queue[1:] {
		w := o.waiting[queue[0]]
		switch {
		case w == nil || seen[queue[0]]:
		case w.missing == 0:
			ready = append(ready, *w)
			o.remove(queue[0])
		default:
			seen[queue[0]] = true
			queue = append(queue, w.block.Edges()...)
		}
	}
	return ready
}

// forget drops what a peer that has gone had sent. It reports whether there was any.
func (o *orphans) forget(from linkID) (some bool) {
	for id, w := range o.waiting {
		if w.from == from {
			o.remove(id)
			some = true
		}
	}
	delete(o.held, from)
	return some
}

func (o *orphans) expire(now time.Time) {
	for id, w := range o.waiting {
		if now.Sub(w.since) > orphanTime {
			o.remove(id)
		}
	}
}

func (o *orphans) remove(id chain.ID) {
	w := o.waiting[id]
	delete(o.waiting, id)
	for _, edge := range w.block.Edges() {
		if of := o.wanted[edge]; of != nil {
			if delete(of, id); len(of) == 0 {
				delete(o.wanted, edge)
			}
		}
	}
	if held := o.held[w.from]; held != nil {
		held.n, held.size = held.n-1, held.size-len(w.block.Bytes())
	}
}
