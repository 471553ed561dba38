package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

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
	blocks  int          // admitted

	recent   map[chain.ID]store.Entry  // the newest places, and whatever is not durable yet
	order    []chain.ID                // the durable ones of recent, oldest first
	durable  map[Device]chain.Place    // the end of each line as it is on disk
	unlanded map[chain.ID]*chain.Block // admitted, not durable yet
	proofs   map[Device]proof          // of forks, of some before the device is known
	orphans  orphans
	holding  uint64 // the least t of what is held

	people   people
	topic    change  // the newest; zero if there was none
	peers    []*peer // in the order they came
	targets  map[string]*target
	records  map[Device]knownRecord
	doubtful map[Device]doubtful
	rotated  time.Time              // when a link of a large round was last exchanged
	fetching map[chain.ID]*fetching // announced blocks that have not come yet
	source   *peer                  // that is catching this device up
	catch    catching
	join     *join // under way

	connecting connecting
	farewell   *farewell // under way

	outbox
	shown chain.Position // the newest message shown
}

// record is what the store keeps of a round.
type record struct {
	_    struct{} `cbor:",toarray"`
	Name string
}

func (c *core) newRound(id identity.RoundID) *round {
	r := &round{
		c: c, id: id, tag: id.Tag(), link: link.NewRound(id.Tag(), id.LinkKey()), content: id.ContentKey(),
		recent: map[chain.ID]store.Entry{}, durable: map[Device]chain.Place{}, orphans: newOrphans(),
		people: people{}, targets: map[string]*target{}, holding: nothingHeld,
		unlanded: map[chain.ID]*chain.Block{}, proofs: map[Device]proof{},
		records: map[Device]knownRecord{}, fetching: map[chain.ID]*fetching{}, doubtful: map[Device]doubtful{},
		connecting: connecting{},
	}
	r.outbox.holds = map[Device]uint64{}
	c.rounds[r.tag], c.order = r, append(c.order, r)
	return r
}

// forget takes a round out that has not been joined.
func (c *core) forget(r *round) {
	delete(c.rounds, r.tag)
	c.order = slices.DeleteFunc(slices.Clone(c.order), func(o *round) bool { return o == r })
}

// found begins a round: it makes genesis, which is this device's first block too. done is called when it is durable.
func (c *core) found(name string, done func(Round, error)) {
	fail := func(err error) { done(Round{}, err) }
	if err := chain.CheckName(name); err != nil {
		fail(fmt.Errorf("%w: %w", ErrName, err))
		return
	}
	if len(c.rounds) >= MaxRounds {
		fail(fmt.Errorf("%w: the limit is %d", ErrTooMany, MaxRounds))
		return
	}
	g := chain.Genesis{Name: name, PubKey: chain.PubKey{
		Credential: c.self.Credential.Bytes(), HPKE: c.self.Key.HPKE(), Handle: []byte(c.handle),
	}}
	c.draw(g.Random[:])
	body, err := g.Encode()
	if err != nil {
		fail(fmt.Errorf("making a round: %w", err))
		return
	}
	now := c.millis()
	b, err := chain.Sign(c.self.Key, chain.Header{Kind: chain.KindGenesis, T: now, Wall: c.plain()}, body)
	if err != nil {
		fail(fmt.Errorf("making a round: %w", err))
		return
	}
	r := c.newRound(identity.RoundIDOf(b.Bytes()))
	if err = r.begin(b); err == nil {
		err = r.keep()
	}
	if err != nil {
		c.forget(r)
		fail(fmt.Errorf("making a round: %w", err))
		return
	}
	c.accepts()
	r.enrol(func(err error) {
		r.member = err == nil
		done(r.info(), err)
		if err == nil {
			c.tell(RoundEvent{r.info()})
		}
	})
}

// begin takes genesis in, from here or from a member.
func (r *round) begin(genesis *chain.Block) error {
	ch, err := chain.New(r.id, genesis, r.place, r.c.self.Verifier)
	if err != nil {
		return err
	}
	body, err := chain.ParseGenesis(genesis.Body())
	if err != nil {
		return err
	}
	r.chain, r.genesis, r.blocks = ch, genesis, 1
	r.durable[genesis.Author] = chain.Place{ID: genesis.ID(), Author: genesis.Author, T: genesis.T}
	r.name = r.c.uniqueName(body.Name)
	r.people.add(ch.Line(genesis.Author).Credential, string(body.PubKey.Handle), genesis)
	return nil
}

// keep puts the round's secrets into the keyring.
func (r *round) keep() error {
	k := r.c.keys
	k.Rounds = append(k.Rounds, identity.NewRoundSecret(r.id, r.genesis.Bytes()))
	if err := k.Save(); err != nil {
		k.Rounds = k.Rounds[:len(k.Rounds)-1]
		return err
	}
	return nil
}

// enrol makes the store know the round.
func (r *round) enrol(done func(error)) {
	value, verified := r.record(), r.keepVerified()
	_, err := r.c.store.Round(r.tag)
	marked := err == nil // it was left
	r.c.write(func(w store.Tx) error {
		if marked {
			if err := w.RemoveRound(r.tag); err != nil {
				return err
			}
		}
		return errors.Join(w.AddRound(r.tag, value), verified(w))
	}, func(err error) {
		r.kept = err == nil
		if done != nil {
			done(err)
		}
	})
}

func (r *round) record() []byte {
	b, err := cbor.Marshal(record{Name: r.name})
	if err != nil {
		panic(err) // a string always encodes
	}
	return b
}

// uniqueName adds a number to the name of a round when another round here has it.
func (c *core) uniqueName(name string) string {
	taken := func(n string) bool {
		for _, r := range c.order {
			if fold(r.name) == fold(n) {
				return true
			}
		}
		return false
	}
	if !taken(name) {
		return name
	}
	for i := 2; ; i++ {
		if n := fmt.Sprintf("%s-%d", name, i); !taken(n) {
			return n
		}
	}
}

// restore brings back a round as the store has it.
func (c *core) restore(secret *identity.RoundSecret) error {
	genesis, err := chain.Parse(secret.Genesis())
	if err != nil {
		return fmt.Errorf("reading genesis: %w", err)
	}
	r := c.newRound(secret.ID)
	value, err := c.store.Round(r.tag)
	r.kept = err == nil
	if r.kept || errors.Is(err, store.ErrNoRound) {
		err = r.begin(genesis)
	}
	if err == nil && r.kept {
		var rec record
		if cbor.Unmarshal(value, &rec) == nil && rec.Name != "" {
			r.name = rec.Name
		}
		if err = r.restoreVerified(); err == nil {
			err = r.restoreChain()
		}
	}
	if err == nil {
		err = r.restoreOutbox()
	}
	if err == nil {
		err = r.restoreTargets()
	}
	if err != nil {
		c.forget(r)
		return fmt.Errorf("reading round %s: %w", r.tag, err)
	}
	if !r.kept {
		r.enrol(nil)
	}
	if r.chain.Line(c.self.Key.Device()) == nil {
		return r.introduceSelf() // a crash came between learning genesis and this
	}
	r.member = true
	return nil
}

func (r *round) restoreChain() error {
	ends, err := r.c.store.Frontier(r.tag)
	if err != nil {
		return err
	}
	var lines []chain.Line
	for _, end := range ends {
		first := r.genesis
		if end.Author != r.genesis.Author {
			blocks, err := r.c.store.Line(r.tag, end.Author, 0, 0, store.Limit{Blocks: 1})
			if err != nil {
				return err
			}
			if len(blocks) == 0 {
				return fmt.Errorf("%w: line of device %s has no beginning", ErrStoreDamaged, end.Author.Short())
			}
			if first, err = chain.Parse(blocks[0].Raw); err != nil {
				return fmt.Errorf("%w: %w", ErrStoreDamaged, err)
			}
		}
		place := placeOf(end)
		line := chain.Line{First: first, Newest: place}
		if err := r.restoreFork(&line); err != nil {
			return fmt.Errorf("reading the proof about device %s: %w", end.Author.Short(), err)
		}
		lines = append(lines, line)
		r.durable[end.Author] = place
	}
	entries, err := r.c.store.Heads(r.tag)
	if err != nil {
		return err
	}
	heads, held, err := r.sortHeads(entries)
	if err != nil {
		return err
	}
	if err := r.chain.Restore(lines, heads); err != nil {
		return fmt.Errorf("%w: %w", ErrStoreDamaged, err)
	}
	for _, b := range held {
		r.hold(b)
	}
	for _, l := range lines {
		if l.First != r.genesis {
			r.people.add(r.chain.Line(l.First.Author).Credential, r.handleIn(l.First), l.First)
		}
	}
	if err := r.restoreChanges(ends); err != nil {
		return err
	}
	n, err := r.c.store.Count(r.tag)
	r.blocks = 1 + int(n)
	return err
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
	return r.c.store.Entry(r.tag, id)
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
	r.c.counts.Admitted++
	r.holdsUpTo(b.Author, e.Reach) // who builds on an own block holds it
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

// introduceSelf admits this device's first block, which needs no history and asks nobody. It is signed once and kept with
// the secrets before anything else, so that not even a home that has lost its store signs another.
func (r *round) introduceSelf() error {
	if r.genesis.Author == r.c.self.Key.Device() {
		r.c.settled(func() { r.introduced() })
		r.saysIsBack()
		return nil
	}
	secret := r.c.keys.Round(r.tag)
	if len(secret.First) == 0 {
		first, back, err := r.former()
		if err == nil && !back {
			first, err = r.signFirst()
		}
		if err != nil {
			return err
		}
		if back {
			r.saysIsBack()
		}
		secret.First = first
		if err := r.c.keys.Save(); err != nil {
			secret.First = nil
			return err
		}
	}
	b, err := chain.Parse(secret.First)
	if err != nil {
		return fmt.Errorf("own first block: %w", err)
	}
	if missing, err := r.chain.Check(b); err != nil || len(missing) > 0 {
		return fmt.Errorf("own first block does not hold: %w", err)
	}
	r.people.add(r.c.self.Credential, r.handleIn(b), b)
	return r.add(b, nil, func(err error) {
		if err == nil {
			r.introduced()
		}
	})
}

// introduced is called when this device's first block is durable.
func (r *round) introduced() {
	r.member = true
	for _, p := range r.peers {
		p.introduce()
	}
}

func (r *round) signFirst() ([]byte, error) {
	h := r.chain.First(r.c.millis())
	h.Wall = r.c.plain()
	h.Author = r.c.self.Key.Device()
	plain, err := chain.EncodeHandle(r.c.handle)
	if err != nil {
		return nil, err
	}
	pk := chain.PubKey{
		Credential: r.c.self.Credential.Bytes(), HPKE: r.c.self.Key.HPKE(),
		Handle: seal.Body(r.content, sealPlace(h), plain),
	}
	body, err := pk.Encode()
	if err != nil {
		return nil, err
	}
	b, err := chain.Sign(r.c.self.Key, h, body)
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
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
	r.refetch(p)
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
	if r.chain == nil {
		return
	}
	r.catchUp()
	r.post()
	for _, p := range r.peers {
		p.sendAcks()
	}
	if r.holdsNew && len(r.c.writes) > 0 {
		r.saveHolds() // in passing: what is lost of it, the next frontier tells again
	}
}
