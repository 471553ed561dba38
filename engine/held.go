package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/store"
)

// Blocks of a clock that is ahead are held: everything is done with them but citing. CHAIN 6.3. In the store a held block is
// a head beside those it cites, which stay heads until it is released; so after a start they are held again.

func (r *round) ahead(at chain.Place) bool { return r.reader().isAhead(at) }

// enter gives a block to the chain, and returns what the store is to take out of the heads for it.
func (r *round) enter(b *chain.Block) (cites []store.ID) {
	r.release() // or what is released later would become a head over what cites it
	if r.ahead(b.Place()) {
		r.c.tally.add(func(n *Counts) { n.Held++ })
		r.hold(b)
		return nil
	}
	r.chain.Add(b)
	return storeIDs(b.Edges())
}

func storeIDs(ids []chain.ID) []store.ID {
	all := make([]store.ID, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}

// hold keeps only the first that are held in memory; the rest is on disk and comes back in time. That is judged now and then.
func (r *round) hold(b *chain.Block) {
	r.chain.Hold(b)
	r.holding = min(r.holding, b.T)
	if r.heldCount++; r.heldCount > 2*r.c.maxHeld {
		if shed := r.chain.Shed(r.c.maxHeld); len(shed) > 0 {
			r.shed = min(r.shed, shed[0].T)
		}
		r.heldCount = r.c.maxHeld
	}
	r.wakeForHeld()
}

// recall holds what was shed again, the first of entries, which are in canonical order.
func (r *round) recall(entries []store.Entry) error {
	r.shed = nothingHeld
	var blocks []*chain.Block
	for i, e := range entries {
		if i == r.c.maxHeld {
			r.shed = e.T
			break
		}
		b, err := r.block(e.ID)
		if err != nil {
			return err
		}
		blocks = append(blocks, b)
		r.hold(b)
	}
	return r.uncover(blocks)
}

// recallDue holds again what was shed and is due.
func (r *round) recallDue() error {
	entries, err := r.c.store.Heads(r.tag)
	if err != nil {
		return err
	}
	known := map[chain.ID]bool{}
	for _, at := range slices.Concat(r.chain.Heads(), r.chain.Held()) {
		known[at.ID] = true
	}
	return r.recall(slices.DeleteFunc(entries, func(e store.Entry) bool { return e.T < r.shed || known[e.ID] }))
}

// rehold holds the heads that were none ahead while the clock said otherwise, or their author was this device.
func (r *round) rehold() {
	var blocks []*chain.Block
	for _, head := range r.chain.Heads() {
		if !r.ahead(head) {
			continue
		}
		b, err := r.block(head.ID)
		if err != nil {
			r.c.tell(ErrorEvent{Round: r.tag, Err: err})
			return
		}
		blocks = append(blocks, b)
		r.hold(b)
	}
	if err := r.uncover(blocks); err != nil {
		r.c.tell(ErrorEvent{Round: r.tag, Err: err})
	}
}

// uncover undoes what blocks did as heads that are held now: of what they descend from, what is ahead too is held, and the
// first that is not is a head again, unless something cites it that is not held: this device cites its own blocks, which are
// none of them ahead to it, whatever the clock says. It is not done where it is far: then there are fewer heads for a while.
func (r *round) uncover(blocks []*chain.Block) error {
	ahead, again, err := r.descent(blocks)
	if err != nil || len(ahead)+len(again) == 0 {
		return err
	}
	cited, err := r.cited(ahead, again)
	if err != nil {
		return err
	}
	var ids []store.ID
	var heads []chain.Place
	for id := range ordered(ahead, chain.ID.Compare) {
		if cited[id] {
			continue
		}
		b, err := r.block(id)
		if err != nil {
			return err
		}
		r.hold(b)
		ids = append(ids, id)
	}
	for id, at := range ordered(again, chain.ID.Compare) {
		if !cited[id] {
			heads, ids = append(heads, at), append(ids, id)
		}
	}
	if len(ids) > 0 {
		r.chain.Head(heads)
		r.c.write(func(w store.Tx) error { return w.Head(r.tag, ids) }, nil)
	}
	return nil
}

// descent returns what blocks descend from that is neither a head nor held: what is ahead, and the first that is not; nothing
// if more than maxUncovered are ahead, as when a clock has gone back behind all that was said.
func (r *round) descent(blocks []*chain.Block) (ahead, again map[chain.ID]chain.Place, err error) {
	known := map[chain.ID]bool{}
	ahead, again = map[chain.ID]chain.Place{}, map[chain.ID]chain.Place{}
	for _, at := range slices.Concat(r.chain.Heads(), r.chain.Held()) {
		known[at.ID] = true
	}
	var queue []chain.ID
	for _, b := range blocks {
		queue = append(queue, b.Edges()...)
	}
	for ; len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if known[id] {
			continue
		}
		known[id] = true
		at, _, err := r.place(id)
		if err != nil {
			return nil, nil, err
		}
		if !r.ahead(at) {
			again[id] = at
			continue
		}
		if ahead[id] = at; len(ahead) > maxUncovered {
			return nil, nil, nil
		}
		b, err := r.block(id)
		if err != nil {
			return nil, nil, err
		}
		queue = append(queue, b.Edges()...)
	}
	return ahead, again, nil
}

// cited returns what is cited by blocks that are not held, of what is ahead and what was first that is not; the rest of ahead
// will be held. It reads back from the newest that is not held, which is not far: who writes cites what nobody has cited. What
// is farther back than maxUncovered blocks has been cited by somebody, as far as anybody can tell.
func (r *round) cited(ahead, again map[chain.ID]chain.Place) (map[chain.ID]bool, error) {
	cited, held := map[chain.ID]bool{}, map[chain.ID]bool{}
	for _, at := range r.chain.Held() {
		held[at.ID] = true
	}
	look := func(b *chain.Block) {
		id := b.ID()
		if _, is := ahead[id]; held[id] || b.T >= r.shed && r.ahead(b.Place()) || is && !cited[id] {
			return
		}
		for _, edge := range b.Edges() {
			cited[edge] = true
		}
	}
	left := slices.Concat(slices.Collect(maps.Values(ahead)), slices.Collect(maps.Values(again)))
	slices.SortFunc(left, func(a, b chain.Place) int { return positionOf(b).Compare(positionOf(a)) })
	pending := slices.SortedFunc(maps.Values(r.unlanded), func(a, b *chain.Block) int { return b.Position().Compare(a.Position()) })
	at, err := r.eachBefore(r.afterUnheld(), positionOf(left[len(left)-1]), func(b *chain.Block) {
		for len(pending) > 0 && pending[0].Position().Compare(b.Position()) > 0 {
			look(pending[0])
			pending = pending[1:]
		}
		look(b)
	})
	for _, b := range pending {
		look(b)
	}
	for i := len(left) - 1; i >= 0 && positionOf(left[i]).Compare(at) < 0; i-- {
		cited[left[i].ID] = true
	}
	return cited, err
}

func positionOf(p chain.Place) store.Position { return store.Position{T: p.T, ID: p.ID} }

// afterUnheld is a position after all blocks that are not held: those of others by the clock, and this device's own.
func (r *round) afterUnheld() store.Position {
	newest := r.c.millis() + chain.MaxAhead
	if own := r.chain.Line(r.c.self.Key.Device()); own != nil {
		newest = max(newest, own.Newest.T)
	}
	return store.Position{T: newest + 1}
}

// eachBefore calls look with the blocks on disk between two positions, the last first, but with no more than maxUncovered. It
// returns how far it came: to the earlier position if it was not too far.
func (r *round) eachBefore(at, end store.Position, look func(*chain.Block)) (store.Position, error) {
	for left := maxUncovered; r.kept && left > 0; {
		blocks, err := r.c.store.Before(r.tag, at, store.Limit{Blocks: left})
		if err != nil {
			return at, err
		}
		for _, raw := range blocks {
			if raw.Position().Compare(end) <= 0 {
				return end, nil
			}
			b, err := chain.Parse(raw.Raw)
			if err != nil {
				return at, fmt.Errorf("%w: %w", ErrStoreDamaged, err)
			}
			at = raw.Position()
			look(b)
		}
		if left -= len(blocks); len(blocks) == 0 {
			return end, nil
		}
	}
	return at, nil
}

// release makes heads of the held blocks whose time has come.
func (r *round) release() {
	if r.holding == nothingHeld {
		return
	}
	for due := r.c.millis() + chain.MaxAhead; r.holding <= due; {
		released, spent := r.chain.Release(min(due, r.shed-1) - chain.MaxAhead) // in order: what was shed comes back first
		err := r.changeDue(released)
		if err == nil && r.shed <= due {
			err = r.recallDue()
		}
		if err != nil {
			r.c.tell(ErrorEvent{Round: r.tag, Err: err})
			return
		}
		held := r.chain.Held()
		if r.heldCount, r.holding = len(held), r.shed; len(held) > 0 {
			r.holding = min(r.holding, held[0].T)
		}
		if len(spent) > 0 {
			r.c.write(func(w store.Tx) error { return w.Behead(r.tag, storeIDs(spent)) }, nil)
		}
	}
	if r.holding != nothingHeld {
		r.wakeForHeld()
	}
}

// nothingHeld is later than any block.
const nothingHeld = chain.MaxTime + 1

func (r *round) wakeForHeld() {
	wait := time.Duration(min(r.holding-min(r.holding, r.c.millis()+chain.MaxAhead), uint64(heldWait.Milliseconds()))) * time.Millisecond
	r.c.wakeAt(r.c.now.Add(wait))
}

// block finds an admitted block.
func (r *round) block(id chain.ID) (*chain.Block, error) {
	if b := r.unlanded[id]; b != nil {
		return b, nil
	}
	raw, ok, err := r.c.store.Block(r.tag, id)
	if err != nil {
		return nil, err
	}
	if ok {
		if b, err := chain.Parse(raw.Raw); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: block %s cannot be read", ErrStoreDamaged, id.Short())
}

// ripe are the places of what the store calls heads and is not held: some may have been when the store was last written.
func (r *round) ripe(entries []store.Entry) (places []chain.Place) {
	for _, e := range entries {
		if at := placeOf(e); !r.ahead(at) {
			places = append(places, at)
		}
	}
	return places
}

// sortHeads tells apart what the store calls heads: those that are, and the blocks to be held again. What was held when the
// store was last written and is not any more takes its edges out.
func (r *round) sortHeads(entries []store.Entry) (heads []chain.Place, held []store.Entry, err error) {
	spent := map[chain.ID]bool{}
	for _, e := range entries {
		if r.ahead(placeOf(e)) {
			held = append(held, e)
			continue
		}
		b, err := r.block(e.ID)
		if err != nil {
			return nil, nil, err
		}
		heads = append(heads, b.Place())
		for _, id := range b.Edges() {
			spent[id] = true
		}
	}
	kept := heads[:0]
	for _, h := range heads {
		if !spent[h.ID] {
			kept = append(kept, h)
		}
	}
	if len(entries) == 0 { // genesis is not stored as a block
		kept = append(kept, chain.Place{ID: r.chain.Genesis(), Author: r.genesis.Author, T: r.genesis.T})
	}
	return kept, held, nil
}
