package chain

import (
	"fmt"

	"opentalk/engine/identity"
)

// Check judges a block by the rules V1–V6 of CHAIN 4.1: it depends on the block and its ancestors and on nothing else.
//
// missing lists edges that have not been admitted; they must come first, and nothing is said of the block yet. err is a
// [*Fault] when the block is provably wrong, and otherwise an error of reading. A block that has been admitted passes again.
func (c *Chain) Check(b *Block) (missing []ID, err error) {
	if b.Kind == KindGenesis {
		if b.ID() == c.genesis.ID {
			return nil, nil
		}
		return nil, fault(1, "genesis block of another round")
	}
	if b.Tag != c.tag {
		return nil, fault(1, "block of another round")
	}
	if err := b.Verify(); err != nil {
		return nil, err
	}
	if err := c.checkFirst(b); err != nil {
		return nil, err
	}
	for _, id := range b.Edges() {
		edge, ok, err := c.lookup(id)
		switch {
		case err != nil:
			return nil, fmt.Errorf("looking up block %s: %w", id.Short(), err)
		case !ok:
			missing = append(missing, id)
		case id == b.Prev && (edge.Author != b.Author || edge.Seq+1 != b.Seq):
			return nil, fault(4, "block %s does not continue its author's line", b.id.Short())
		case edge.T >= b.T:
			return nil, fault(6, "block %s is not later than block %s, which it cites", b.id.Short(), id.Short())
		}
	}
	return missing, nil
}

// checkFirst is V3: seq 0, and only seq 0, says who the device is.
func (c *Chain) checkFirst(b *Block) error {
	if (b.Seq == 0) != (b.Kind == KindPubKey) {
		return fault(3, "%s block at seq %d", b.Kind, b.Seq)
	}
	if b.Seq > 0 {
		return nil
	}
	if b.Parents[0] != c.genesis.ID {
		return fault(3, "first block of a device does not cite genesis")
	}
	_, err := c.credential(b)
	return err
}

// Add admits a block that Check passed with nothing missing and that has not been admitted, and returns the heads that are
// none any more. The caller keeps the block where lookup finds it, before the next Check.
func (c *Chain) Add(b *Block) (spent []ID) {
	c.extend(b)
	return c.spend(place(b), b.Edges())
}

// spend makes a head of a block in the place of those it cites.
func (c *Chain) spend(at Place, edges []ID) (spent []ID) {
	for _, id := range edges {
		if _, ok := c.heads[id]; ok {
			delete(c.heads, id)
			spent = append(spent, id)
		}
	}
	c.heads[at.ID] = at
	return spent
}

// extend enters a block in its author's line.
func (c *Chain) extend(b *Block) {
	at, line := place(b), c.lines[b.Author]
	if line == nil {
		line = &Line{Newest: at}
		c.lines[b.Author] = line
	}
	if b.Seq == 0 && (line.First == nil || b.Position().Compare(line.First.Position()) < 0) {
		line.First = b
		line.Credential, _ = c.credential(b) // Check has read it
	}
	if b.Seq > line.Newest.Seq || b.Seq == line.Newest.Seq && b.id.Compare(line.Newest.ID) < 0 {
		line.Newest = at
	}
}

// held is a block whose time has not come.
type held struct {
	Place
	edges []ID
}

// Hold is Add for a block that is more than MaxAhead after one's clock, and neither genesis nor one's own: it is admitted,
// and its author's line goes on with it, but it takes no place among the heads until Release. CHAIN 6.3.
//
// Whatever descends from a held block is later still, so it is held too. A head that Add made, when the clock was later, may
// be held again.
func (c *Chain) Hold(b *Block) {
	c.extend(b)
	delete(c.heads, b.id)
	c.held[b.id] = held{place(b), b.Edges()}
}

// Head makes heads of admitted blocks again that only held blocks cite: what a head cited that is held now.
func (c *Chain) Head(places []Place) {
	for _, at := range places {
		c.heads[at.ID] = at
	}
}

// Release makes heads of the held blocks whose time has come by now, a clock in milliseconds, and returns their places in
// canonical order and the heads that are none any more, of which some may be among those places.
func (c *Chain) Release(now uint64) (released []Place, spent []ID) {
	for _, h := range c.held {
		if h.T <= now+MaxAhead {
			released = append(released, h.Place)
		}
	}
	for _, at := range sortPlaces(released) {
		spent = append(spent, c.spend(at, c.held[at.ID].edges)...)
		delete(c.held, at.ID)
	}
	return released, spent
}

// Shed forgets what is held but the first keep in canonical order, and returns the places of the rest. The caller gives them
// to Hold again before they or what comes after them is released.
func (c *Chain) Shed(keep int) (shed []Place) {
	if len(c.held) <= keep {
		return nil
	}
	shed = c.Held()[keep:]
	for _, at := range shed {
		delete(c.held, at.ID)
	}
	return shed
}

// Held returns the places of the blocks that are held, in canonical order.
func (c *Chain) Held() []Place {
	places := make([]Place, 0, len(c.held))
	for _, h := range c.held {
		places = append(places, h.Place)
	}
	return sortPlaces(places)
}

// Flag marks a device that signed two blocks of one seq. The first proof stays. CHAIN 6.4.
func (c *Chain) Flag(d identity.Device, f Fork) {
	if line := c.lines[d]; line != nil && line.Fork == nil {
		f = f.sorted()
		line.Fork = &f
	}
}
