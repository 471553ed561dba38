package engine

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// How a round comes to be on this device: founded here, taken in from a member, or restored at a start.

// record is what the store keeps of a round.
type record struct {
	_    struct{} `cbor:",toarray"`
	Name string
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
	if genesis.Author == r.c.self.Key.Device() {
		r.followFrom(genesis.Author)
	}
	r.name = r.c.uniqueName(body.Name)
	r.enlist(ch.Line(genesis.Author).Credential, string(body.PubKey.Handle), genesis)
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
	value, marks := r.record(), r.keepMarks(allMarks...)
	_, err := r.c.store.Round(r.tag)
	marked := err == nil // it was left
	r.c.write(func(w store.Tx) error {
		if marked {
			if err := w.RemoveRound(r.tag); err != nil {
				return err
			}
		}
		return errors.Join(w.AddRound(r.tag, value), marks(w))
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

// nameIn is the name in a record, empty if it cannot be read.
func nameIn(value []byte) string {
	var rec record
	if cbor.Unmarshal(value, &rec) != nil {
		return ""
	}
	return rec.Name
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
		if name := nameIn(value); name != "" {
			r.name = name
		}
		if err = r.restoreMarks(); err == nil {
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
	return r.findSince()
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
	if err := r.recall(held); err != nil {
		return err
	}
	for _, l := range lines {
		if l.First != r.genesis {
			r.enlist(r.chain.Line(l.First.Author).Credential, r.handleIn(l.First), l.First)
		}
	}
	if err := r.restoreChanges(ends); err != nil {
		return err
	}
	if err := r.changeDue(r.ripe(entries)); err != nil {
		return err
	}
	n, err := r.c.store.Count(r.tag)
	r.blocks = 1 + int(n)
	return err
}

// introduceSelf admits this device's first block, which needs no history and asks nobody. It is signed once and kept with
// the secrets before anything else, so that not even a home that has lost its store signs another. Where others have one of
// which nothing is left here, as when the store is lost after leaving, this device would write two histories: it retires.
func (r *round) introduceSelf() error {
	first, back, err := r.former()
	if err != nil {
		return err
	}
	return r.introduceAs(first, back)
}

// introduceAs is introduceSelf for who knows already what former gives.
func (r *round) introduceAs(first []byte, back bool) error {
	if r.genesis.Author == r.c.self.Key.Device() {
		r.c.settled(func() { r.introduced() })
		r.saysIsBack()
		return nil
	}
	secret := r.c.keys.Round(r.tag)
	if len(secret.First) == 0 {
		var err error
		if len(first) == 0 && r.recognised {
			return r.c.retire(fmt.Sprintf("the members of %q know this device from a time of which this home has nothing left", r.name))
		}
		if len(first) == 0 {
			first, err = r.signFirst(r.c.self.Key, r.c.self.Credential)
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
	r.enlist(r.c.self.Credential, r.handleIn(b), b)
	r.followFrom(b.Author)
	return r.add(b, nil, func(err error) {
		if err == nil {
			err = r.findSince()
		}
		if err != nil {
			r.c.tell(ErrorEvent{Round: r.tag, Err: err})
			return
		}
		r.introduced()
	})
}

// introduced is called when this device's first block is durable.
func (r *round) introduced() {
	r.member = true
	for _, p := range r.peers {
		p.introduce()
	}
}

// signFirst signs the first block of a device of this person.
func (r *round) signFirst(key *identity.DeviceKey, cred *identity.Credential) ([]byte, error) {
	h := r.chain.First(r.c.millis())
	h.Wall = r.c.plain()
	h.Author = key.Device()
	plain, err := chain.EncodeHandle(r.ownHandle())
	if err != nil {
		return nil, err
	}
	pk := chain.PubKey{
		Credential: cred.Bytes(), HPKE: key.HPKE(),
		Handle: seal.Body(r.content, sealPlace(h), plain),
	}
	body, err := pk.Encode()
	if err != nil {
		return nil, err
	}
	b, err := chain.Sign(key, h, body)
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ownHandle is this person's name in the round, or what it will be.
func (r *round) ownHandle() string {
	if p := r.people[r.c.self.Credential.Fingerprint()]; p != nil && chain.CheckName(p.handle) == nil {
		return p.handle
	}
	return r.c.handle
}
