package engine

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// verifiedSetting is kept with every round, the same in each: whom this person has verified goes for all of them.
const verifiedSetting = "verified"

// Verify notes that this person has compared the fingerprint of a member with them, or takes that back. It goes for every
// round. It returns when it is durable.
func (e *Engine) Verify(tag Tag, who Fingerprint, verified bool) error {
	ch := make(chan answer[struct{}], 1)
	err := e.in(tag, func(r *round) {
		if r.people[who] == nil || who == e.keys.Credential.Fingerprint() {
			ch <- answer[struct{}]{err: ErrNoMember}
			return
		}
		r.c.verify(who, verified, func(err error) { ch <- answer[struct{}]{err: err} })
	})
	if err != nil {
		return err
	}
	_, err = wait(context.Background(), e, ch)
	return err
}

// verification is whom this person has verified. Of several the one with the most changes is the newest.
type verification struct {
	_       struct{} `cbor:",toarray"`
	Changes uint64
	All     []Fingerprint
}

func (c *core) verify(who Fingerprint, verified bool, done func(error)) {
	if delete(c.verified, who); verified {
		c.verified[who] = true
	}
	c.verifiedChanges++
	var writes []func(store.Tx) error
	for _, r := range c.order {
		if r.kept {
			writes = append(writes, r.keepVerified())
		}
	}
	c.write(func(w store.Tx) error {
		for _, write := range writes {
			if err := write(w); err != nil {
				return err
			}
		}
		return nil
	}, done)
}

// keepVerified writes whom this person has verified into one round.
func (r *round) keepVerified() func(store.Tx) error {
	all := slices.SortedFunc(maps.Keys(r.c.verified), func(a, b Fingerprint) int { return bytes.Compare(a[:], b[:]) })
	plain, err := cbor.Marshal(verification{Changes: r.c.verifiedChanges, All: all})
	if err != nil {
		panic(err) // plain values
	}
	value := seal.Private(r.c.keys.Store, r.settingName(verifiedSetting), plain)
	return func(w store.Tx) error { return w.PutSetting(r.tag, verifiedSetting, value) }
}

func (r *round) restoreVerified() error {
	var v verification
	ok, err := r.setting(verifiedSetting, &v)
	if err != nil && !errors.Is(err, store.ErrNoRound) {
		return err
	}
	if ok {
		r.c.adoptVerified(v)
	}
	return nil
}

// openVerified reads what keepVerified has written.
func (r *round) openVerified(value []byte) (v verification, err error) {
	err = r.openSetting(verifiedSetting, value, &v)
	return v, err
}

// adoptVerified takes up what a round has kept, unless another has it newer.
func (c *core) adoptVerified(v verification) {
	if v.Changes < c.verifiedChanges {
		return
	}
	c.verifiedChanges = v.Changes
	clear(c.verified)
	for _, f := range v.All {
		c.verified[f] = true
	}
}
