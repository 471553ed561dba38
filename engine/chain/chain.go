package chain

import (
	"maps"
	"slices"

	"opentalk/engine/identity"
)

// Place is what admission asks of a block that has been admitted.
type Place struct {
	ID     ID
	Author identity.Device
	Seq    uint64
	T      uint64
}

// Position is the place in canonical order.
func (p Place) Position() Position { return Position{T: p.T, ID: p.ID} }

func place(b *Block) Place {
	return Place{ID: b.id, Author: b.Author, Seq: b.Seq, T: b.T}
}

func sortPlaces(ps []Place) []Place {
	slices.SortFunc(ps, func(a, b Place) int { return a.Position().Compare(b.Position()) })
	return ps
}

// Lookup finds an admitted block. An error is one of reading, and ends whatever asked.
type Lookup func(ID) (Place, bool, error)

// Line is what a chain knows of one device: its credential and the end of its line.
type Line struct {
	Credential *identity.Credential
	First      *Block // its pubkey block, or genesis; of two the first in canonical order
	Newest     Place  // of the highest seq; of two with one seq, the lower id
	Fork       *Fork  // nil: the device is not flagged
}

// Fork is the proof that a device signed two blocks of one seq. CHAIN 6.4.
type Fork struct {
	Seq  uint64
	A, B ID // A is the lower
}

// Chain is the admitted part of a round: who is in it, where each device's line ends, and the heads. It holds nothing of
// a size with the chain's length, except what is held; the blocks are the caller's to keep. One goroutine owns it.
type Chain struct {
	tag     identity.Tag
	genesis Place
	lookup  Lookup
	creds   *identity.Verifier
	lines   map[identity.Device]*Line
	heads   map[ID]Place
	held    map[ID]held
}

// New begins a chain with its genesis block, which must hash to round. lookup finds the blocks that have been given to Add
// or Hold, genesis included. creds may be shared. The error is a [*Fault].
func New(round identity.RoundID, genesis *Block, lookup Lookup, creds *identity.Verifier) (*Chain, error) {
	if genesis.Kind != KindGenesis || !identity.RoundIDOf(genesis.Bytes()).Equal(round) {
		return nil, fault(1, "genesis block is of another round")
	}
	if err := genesis.Verify(); err != nil {
		return nil, err
	}
	body, err := ParseGenesis(genesis.Body())
	if err != nil {
		return nil, fault(3, "%w", err)
	}
	cred, err := certified(genesis.Author, &body.PubKey, creds)
	if err != nil {
		return nil, err
	}
	c := &Chain{
		tag: round.Tag(), genesis: place(genesis), lookup: lookup, creds: creds,
		lines: make(map[identity.Device]*Line), heads: make(map[ID]Place), held: make(map[ID]held),
	}
	c.lines[genesis.Author] = &Line{Credential: cred, First: genesis, Newest: c.genesis}
	c.heads[genesis.ID()] = c.genesis
	return c, nil
}

// Restore puts back what a chain had admitted: for each device its first block, its newest place and its fork, and the
// heads. What it is given was admitted once and is not judged again, but for the credentials. Blocks that were held are
// given to Hold again.
func (c *Chain) Restore(lines []Line, heads []Place) error {
	for _, l := range lines {
		var err error
		if l.Credential, err = c.credential(l.First); err != nil {
			return err
		}
		c.lines[l.First.Author] = &l
	}
	clear(c.heads)
	for _, h := range heads {
		c.heads[h.ID] = h
	}
	return nil
}

// credential reads the credential in a device's first block.
func (c *Chain) credential(first *Block) (*identity.Credential, error) {
	if first.ID() == c.genesis.ID {
		body, err := ParseGenesis(first.Body())
		if err != nil {
			return nil, fault(3, "%w", err)
		}
		return certified(first.Author, &body.PubKey, c.creds)
	}
	body, err := ParsePubKey(first.Body())
	if err != nil {
		return nil, fault(3, "%w", err)
	}
	return certified(first.Author, body, c.creds)
}

// certified reads the credential in a first block and checks that it is for the block's author.
func certified(author identity.Device, body *PubKey, creds *identity.Verifier) (*identity.Credential, error) {
	cred, err := creds.Parse(body.Credential)
	if err != nil {
		return nil, fault(3, "%w", err)
	}
	if cred.Device() != author {
		return nil, fault(3, "credential is for device %s, block by %s", cred.Device().Short(), author.Short())
	}
	return cred, nil
}

// Tag names the round.
func (c *Chain) Tag() identity.Tag { return c.tag }

// Genesis is the id of the first block.
func (c *Chain) Genesis() ID { return c.genesis.ID }

// Line returns what is known of a device, nil if it has no block here. It is valid until the next change.
func (c *Chain) Line(d identity.Device) *Line { return c.lines[d] }

// Devices returns every device with a block here, ascending.
func (c *Chain) Devices() []identity.Device {
	return slices.SortedFunc(maps.Keys(c.lines), func(a, b identity.Device) int { return slices.Compare(a[:], b[:]) })
}

// Heads returns the places of the blocks that no block but a held one cites, in canonical order.
func (c *Chain) Heads() []Place { return sortPlaces(slices.Collect(maps.Values(c.heads))) }
