package engine

import (
	"errors"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// round is this device's side of one round.
type round struct {
	c       *core
	id      identity.RoundID
	tag     Tag
	link    *link.Round
	content identity.ContentKey
	name    string // unique on this device; empty until genesis is here

	genesis *chain.Block
	chain   *chain.Chain // nil until genesis is here
	kept    bool         // the store knows the round
	member  bool         // this device's first block is durable
	// recognised: a READY has said that its sender holds a first block of this device. They may have gone since.
	recognised bool
	blocks     int // admitted

	since    uint64                    // arrival of this device's first block: nothing before descends from its line
	recent   map[chain.ID]store.Entry  // the newest places, and whatever is not durable yet
	order    []chain.ID                // the durable ones of recent, oldest first
	durable  map[Device]chain.Place    // the end of each line as it is on disk
	unlanded map[chain.ID]*chain.Block // admitted, not durable yet
	proofs   map[Device]proof          // of forks, of some before the device is known
	orphans  orphans
	lifted   map[Device]uint64 // how far a flagged line is taken whole
	holding  uint64            // the least t of what is held
	shed     uint64            // the least t of what of it is on disk alone
	// heldCount is at least how much of it is in memory.
	heldCount int

	people   people
	topic    change  // the newest; zero if there was none
	peers    []*peer // in the order they came
	targets  map[string]*target
	records  map[Device]knownRecord
	doubtful map[Device]doubtful
	rotated  time.Time              // when a link of a large round was last exchanged
	fetching map[chain.ID]*fetching // asked for by id
	source   *peer                  // that is catching this device up
	catch    catching
	join     *join // under way

	connecting connecting
	farewell   *farewell // under way

	outbox
	shown chain.Position // the newest message shown
}

func (c *core) newRound(id identity.RoundID) *round {
	r := &round{
		c: c, id: id, tag: id.Tag(), link: link.NewRound(id.Tag(), id.LinkKey()), content: id.ContentKey(),
		recent: map[chain.ID]store.Entry{}, durable: map[Device]chain.Place{}, orphans: newOrphans(),
		people: people{}, targets: map[string]*target{}, holding: nothingHeld, shed: nothingHeld,
		unlanded: map[chain.ID]*chain.Block{}, proofs: map[Device]proof{},
		records: map[Device]knownRecord{}, fetching: map[chain.ID]*fetching{}, doubtful: map[Device]doubtful{},
		connecting: connecting{},
	}
	r.lifted = map[Device]uint64{}
	r.outbox.holds = map[Device]map[Device]uint64{}
	c.rounds[r.tag], c.order = r, append(c.order, r)
	return r
}

// forget takes a round out that has not been joined.
func (c *core) forget(r *round) {
	delete(c.rounds, r.tag)
	c.order = slices.DeleteFunc(slices.Clone(c.order), func(o *round) bool { return o == r })
}

func placeOf(e store.Entry) chain.Place {
	return chain.Place{ID: e.ID, Author: e.Author, Seq: e.Seq, T: e.T}
}

// entry finds an admitted block, durable or not.
func (r *round) entry(id chain.ID) (store.Entry, bool, error) {
	if e, ok := r.recent[id]; ok {
		return e, true, nil
	}
	if r.genesis != nil && id == r.chain.Genesis() {
		return store.Entry{ID: id, Author: r.genesis.Author, T: r.genesis.T}, true, nil
	}
	if !r.kept {
		return store.Entry{}, false, nil
	}
	e, ok, err := r.c.store.Entry(r.tag, id)
	if e.Arrival < r.since {
		e.Reach = 0 // of the device before
	}
	return e, ok, err
}

// has reports whether a block has been admitted. If it is beyond the end of its author's line, it has not, and the store need
// not look for it: so it is with nearly all that is new.
func (r *round) has(b *chain.Block) (bool, error) {
	if line := r.chain.Line(b.Author); line == nil || b.Seq > line.Newest.Seq {
		return false, nil
	}
	_, ok, err := r.entry(b.ID())
	return ok, err
}

// findSince finds when this device's line began here.
func (r *round) findSince() error {
	first := r.chain.Line(r.c.self.Key.Device()).First
	if r.since = 0; first == r.genesis {
		return nil
	}
	e, _, err := r.c.store.Entry(r.tag, first.ID())
	r.since = e.Arrival
	return err
}

func (r *round) place(id chain.ID) (chain.Place, bool, error) {
	e, ok, err := r.entry(id)
	return placeOf(e), ok, err
}

// add makes a block that has been checked part of the round. done, if any, is called when it is durable.
func (r *round) add(b *chain.Block, alongside func(store.Tx) error, done func(error)) error {
	e := store.Entry{
		ID: b.ID(), Author: b.Author, Seq: b.Seq, T: b.T, Kind: uint8(min(b.Kind, 255)),
	}
	for _, id := range b.Edges() {
		edge, _, err := r.entry(id)
		if err != nil {
			return err
		}
		if edge.Author == r.c.self.Key.Device() {
			e.Reach = max(e.Reach, edge.Seq)
		} else {
			e.Reach = max(e.Reach, edge.Reach)
		}
	}
	cites := r.enter(b)
	r.recent[b.ID()], r.unlanded[b.ID()] = e, b
	r.blocks++
	r.c.tally.add(func(n *Counts) { n.Admitted++ })
	r.holdsUpTo(r.c.self.Key.Device(), b.Author, e.Reach) // who builds on an own block holds it
	r.c.gathered += len(b.Bytes())
	r.c.write(func(w store.Tx) error {
		if alongside != nil {
			if err := alongside(w); err != nil {
				return err
			}
		}
		_, err := w.AddBlock(r.tag, e, b.Bytes(), cites)
		return err
	}, func(err error) {
		if err == nil {
			r.landed(b)
		}
		if done != nil {
			done(err)
		}
	})
	return nil
}

// landed notes that a block is durable.
func (r *round) landed(b *chain.Block) {
	if d, ok := r.durable[b.Author]; !ok || b.Seq > d.Seq {
		r.durable[b.Author] = chain.Place{ID: b.ID(), Author: b.Author, Seq: b.Seq, T: b.T}
	}
	delete(r.unlanded, b.ID())
	r.order = append(r.order, b.ID())
	for len(r.order) > recentPlaces {
		delete(r.recent, r.order[0])
		r.order = r.order[1:]
	}
}

func sealPlace(h chain.Header) seal.Place {
	return seal.Place{Tag: h.Tag, Kind: uint64(h.Kind), Epoch: h.Epoch, Author: h.Author, Seq: h.Seq}
}

// open decrypts a body.
func (r *round) open(b *chain.Block) ([]byte, error) {
	return seal.OpenBody(r.content, sealPlace(b.Header), b.Body())
}

// handleIn reads the handle in a first block; what cannot be read shows as the device.
func (r *round) handleIn(b *chain.Block) string {
	if pk, err := chain.ParsePubKey(b.Body()); err == nil {
		if plain, err := seal.OpenBody(r.content, sealPlace(b.Header), pk.Handle); err == nil {
			if handle, err := chain.ParseHandle(plain); err == nil {
				return handle
			}
		}
	}
	return "?" + b.Author.Short()
}

// holdsFirst reports whether the first block of a device is durable here.
func (r *round) holdsFirst(d Device) bool {
	_, ok := r.durable[d]
	return ok
}

// peerOf returns the link to a device, nil if there is none.
func (r *round) peerOf(d Device) *peer {
	for _, p := range r.peers {
		if p.device() == d {
			return p
		}
	}
	return nil
}

// lost takes a link out.
func (r *round) lost(p *peer, err error) {
	delete(r.c.peers, p.id)
	r.peers = slices.DeleteFunc(slices.Clone(r.peers), func(o *peer) bool { return o == p }) // somebody may be ranging
	if r.source == p {
		r.source = nil
	}
	if r.orphans.forget(p.id) { // another may have sent the same, and been taken for done with it
		for _, o := range r.peers {
			o.stale = true
			clear(o.tried)
		}
	}
	r.refetch(func(f *fetching) bool { return f.asked == p.id })
	p.unanswered()
	if p.shown && r.peerOf(p.device()) == nil {
		p.tellState(Offline)
		r.remember(p)
	}
	r.unlinked(p, err)
}

func (r *round) info() Round {
	online := map[Fingerprint]bool{}
	for _, p := range r.peers {
		if p.online() && p.fingerprint() != r.c.self.Credential.Fingerprint() {
			online[p.fingerprint()] = true
		}
	}
	return Round{
		Tag: r.tag, Name: r.name, Topic: r.topic.Text, Members: r.people.members(), Blocks: r.blocks, Online: len(online),
		Waiting: r.outbox.waiting(),
	}
}

// settle does whatever the events of one step have made possible.
func (r *round) settle() {
	for _, p := range r.peers {
		if p.queued > queueMost {
			p.hangUp(link.ReasonSlow, errors.New("reads nothing"))
		}
	}
	if r.chain == nil {
		return
	}
	for _, p := range r.peers {
		p.question()
	}
	r.catchUp()
	r.adoptEnds()
	r.post()
	for _, p := range r.peers {
		p.sendAcks()
	}
	if r.holdsNew && len(r.c.writes) > 0 {
		r.saveHolds() // in passing: what is lost of it, the next frontier tells again
	}
}
