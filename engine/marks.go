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

// mark is something that this person has decided about others, by their keys. It is no part of any round: what is decided
// goes for all of them. It is kept with every round, the same in each, so that leaving one loses nothing.
type mark string

// The marks, by the names of the settings that they are kept as.
const (
	verified mark = "verified" // the fingerprint was compared
	ignored  mark = "ignored"  // this person does not want to see what they say
)

var allMarks = []mark{verified, ignored}

// marks are who bears each, and how often that has changed.
type marks struct {
	on      map[mark]map[Fingerprint]bool
	changes map[mark]uint64
}

func newMarks() marks {
	m := marks{on: map[mark]map[Fingerprint]bool{}, changes: map[mark]uint64{}}
	for _, k := range allMarks {
		m.on[k] = map[Fingerprint]bool{}
	}
	return m
}

// marked is who bears a mark, as it is kept. Of several the one with the most changes is the newest.
type marked struct {
	_       struct{} `cbor:",toarray"`
	Changes uint64
	All     []Fingerprint
}

// adopt takes up what a round has kept, unless another has it newer.
func (m marks) adopt(k mark, kept marked) {
	if kept.Changes < m.changes[k] {
		return
	}
	m.changes[k] = kept.Changes
	clear(m.on[k])
	for _, f := range kept.All {
		m.on[k][f] = true
	}
}

// Verify notes that this person has compared the fingerprint of a member with them, or takes that back. It goes for every
// round. It returns when it is durable.
func (e *Engine) Verify(tag Tag, who Fingerprint, yes bool) error {
	return e.mark(tag, verified, who, yes)
}

// Ignore notes that this person does not want to see what a member says, or takes that back: [Person].Ignored is for the
// front to go by. Nothing else changes: what they say is stored, acknowledged and passed on. It goes for every round. It
// returns when it is durable.
func (e *Engine) Ignore(tag Tag, who Fingerprint, yes bool) error {
	return e.mark(tag, ignored, who, yes)
}

func (e *Engine) mark(tag Tag, k mark, who Fingerprint, yes bool) error {
	ch := make(chan answer[struct{}], 1)
	err := e.in(tag, func(r *round) {
		if r.people[who] == nil || who == e.keys.Credential.Fingerprint() {
			ch <- answer[struct{}]{err: ErrNoMember}
			return
		}
		r.c.mark(k, who, yes, func(err error) { ch <- answer[struct{}]{err: err} })
	})
	if err != nil {
		return err
	}
	_, err = wait(context.Background(), e, ch)
	return err
}

func (c *core) mark(k mark, who Fingerprint, yes bool, done func(error)) {
	if k == verified && c.marks.on[k][who] != yes {
		done = c.tellVerified(who, yes, done)
	}
	if delete(c.marks.on[k], who); yes {
		c.marks.on[k][who] = true
	}
	c.marks.changes[k]++
	var writes []func(store.Tx) error
	for _, r := range c.order {
		if r.kept {
			writes = append(writes, r.keepMarks(k))
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

// tellVerified returns what to do once it is durable that somebody was verified, or is no more.
func (c *core) tellVerified(who Fingerprint, yes bool, done func(error)) func(error) {
	change := Unverified
	if yes {
		change = Verified
	}
	return func(err error) {
		for _, r := range c.order {
			if err == nil && r.people[who] != nil {
				c.tell(MemberEvent{Round: r.tag, Person: r.person(who, Device{}), Change: change, Live: true})
			}
		}
		done(err)
	}
}

// keepMarks writes who bears marks into one round.
func (r *round) keepMarks(ks ...mark) func(store.Tx) error {
	values := make([][]byte, len(ks))
	for i, k := range ks {
		all := slices.SortedFunc(maps.Keys(r.c.marks.on[k]), func(a, b Fingerprint) int { return bytes.Compare(a[:], b[:]) })
		plain, err := cbor.Marshal(marked{Changes: r.c.marks.changes[k], All: all})
		if err != nil {
			panic(err) // plain values
		}
		values[i] = seal.Private(r.c.keys.Store, r.settingName(string(k)), plain)
	}
	return func(w store.Tx) error {
		for i, k := range ks {
			if err := w.PutSetting(r.tag, string(k), values[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *round) restoreMarks() error {
	for _, k := range allMarks {
		var kept marked
		ok, err := r.setting(string(k), &kept)
		if err != nil && !errors.Is(err, store.ErrNoRound) {
			return err
		}
		if ok {
			r.c.marks.adopt(k, kept)
		}
	}
	return nil
}

// openMarks reads what keepMarks has written.
func (r *round) openMarks(k mark, value []byte) (kept marked, err error) {
	err = r.openSetting(string(k), value, &kept)
	return kept, err
}
