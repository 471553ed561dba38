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

// marks are who bears each.
type marks map[mark]map[Fingerprint]bool

func newMarks() marks {
	m := marks{}
	for _, k := range allMarks {
		m[k] = map[Fingerprint]bool{}
	}
	return m
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
	if delete(c.marks[k], who); yes {
		c.marks[k][who] = true
	}
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

// keepMarks writes who bears marks into one round.
func (r *round) keepMarks(ks ...mark) func(store.Tx) error {
	values := make([][]byte, len(ks))
	for i, k := range ks {
		all := slices.SortedFunc(maps.Keys(r.c.marks[k]), func(a, b Fingerprint) int { return bytes.Compare(a[:], b[:]) })
		plain, err := cbor.Marshal(all)
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
		var all []Fingerprint
		if _, err := r.setting(string(k), &all); err != nil && !errors.Is(err, store.ErrNoRound) {
			return err
		}
		for _, f := range all {
			r.c.marks[k][f] = true
		}
	}
	return nil
}
