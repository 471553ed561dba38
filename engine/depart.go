package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// leaveTime is how long Leave tries to have a member hold the goodbye.
const leaveTime = 3 * time.Second

// formerSetting marks a round that this device has left. Its value is the device's first block there, empty where that is
// genesis: whoever comes back must not sign another, or they would have written two histories. It is no secret.
const formerSetting = "former"

// farewell is a goodbye on its way.
type farewell struct {
	seq  uint64 // of its block, 0 until that is durable
	done func(told bool)
}

// Leave says goodbye in a round and forgets it: its secret, its history, its outbox. It returns when that is durable; told
// tells whether a member holds the goodbye. If nobody does within a few seconds nobody will, and the others go on counting
// this device.
func (e *Engine) Leave(ctx context.Context, tag Tag) (told bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	said := make(chan answer[bool], 1)
	if err := e.in(tag, func(r *round) { r.sayGoodbye(func(told bool) { said <- answer[bool]{value: told} }) }); err != nil {
		return false, err
	}
	told, err = wait(ctx, e, said)
	if errors.Is(err, ErrClosed) {
		return false, err
	}
	gone := make(chan answer[bool], 1)
	if err := e.in(tag, func(r *round) { r.depart(func(err error) { gone <- answer[bool]{told, err} }) }); err != nil {
		return false, err
	}
	return wait(context.Background(), e, gone)
}

// sayGoodbye signs a leave block behind all that waits, if somebody is online. It is never kept as a draft: a round that
// is forgotten has no outbox.
func (r *round) sayGoodbye(done func(told bool)) {
	online := slices.ContainsFunc(r.peers, (*peer).online)
	if !online || r.farewell != nil || r.c.broken != nil {
		done(false)
		return
	}
	r.farewell = &farewell{done: done}
	plain, err := chain.EncodeLeave(r.otherEnds())
	if err != nil {
		panic(err) // plain values
	}
	d := &draft{kind: chain.KindLeave, plain: plain, stored: true}
	r.c.draw(d.ID[:])
	d.done = []func(error){func(err error) {
		if err == nil {
			r.farewell.seq = r.chain.Line(r.c.self.Key.Device()).Newest.Seq
		}
	}}
	r.drafts = append(r.drafts, d)
}

// otherEnds are the ends of the lines of this person's other devices, which are those that this one was before it retired: a
// goodbye speaks for them, too.
func (r *round) otherEnds() (ends []chain.LineEnd) {
	for _, d := range r.people[r.c.self.Credential.Fingerprint()].devices {
		if d != r.c.self.Key.Device() {
			ends = append(ends, chain.LineEnd{Device: d, Seq: r.chain.Line(d).Newest.Seq})
		}
	}
	return ends[max(0, len(ends)-chain.MaxLeave):]
}

// goodbyeHeld is called when a member holds this device's line up to seq.
func (r *round) goodbyeHeld(seq uint64) {
	if f := r.farewell; f != nil && f.done != nil && f.seq != 0 && seq >= f.seq {
		f.done(true)
		f.done = nil
	}
}

// depart forgets a round. What the store keeps of it is a mark; the secret goes once that is durable, so that a crash
// between the two is found at the next start.
func (r *round) depart(done func(error)) {
	c := r.c
	for len(r.peers) > 0 {
		r.peers[0].hangUp(link.ReasonLeft, nil)
	}
	first := c.keys.Round(r.tag).First
	c.forget(r)
	c.going[r.tag], r.kept = true, false
	c.accepts()
	c.write(func(w store.Tx) error {
		return errors.Join(w.RemoveRound(r.tag), w.AddRound(r.tag, r.record()), w.PutSetting(r.tag, formerSetting, first))
	}, func(err error) {
		if err == nil {
			err = c.dropSecret(r.tag)
		}
		delete(c.going, r.tag)
		if err != nil {
			err = fmt.Errorf("leaving %q: %w", r.name, err)
		}
		done(err)
	})
}

// dropSecret takes a round out of the keyring.
func (c *core) dropSecret(tag Tag) error {
	old := c.keys.Rounds
	for i := range old {
		if old[i].ID.Tag() == tag {
			c.keys.Rounds = slices.Delete(slices.Clone(old), i, i+1)
			break
		}
	}
	if err := c.keys.Save(); err != nil {
		c.keys.Rounds = old
		return err
	}
	return nil
}

// former returns this device's first block in a round that this person has left and is coming back to, nil if it is another
// device now; back is false if they were never there.
func (r *round) former() (first []byte, back bool, err error) {
	first, back, err = r.c.store.Setting(r.tag, formerSetting)
	switch {
	case errors.Is(err, store.ErrNoRound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !back: // not left: then the store knows a round that an older copy of the secrets does not
		blocks, err := r.c.store.Line(r.tag, r.c.self.Key.Device(), 0, 0, store.Limit{Blocks: 1})
		if err != nil || len(blocks) == 0 {
			return nil, false, err
		}
		return blocks[0].Raw, true, nil
	}
	if b, err := chain.Parse(first); err != nil || b.Author != r.c.self.Key.Device() {
		return nil, true, nil
	}
	return first, true, nil
}

// saysIsBack lets the others know of who returns to a round that they have left: any block does, so it tells the name.
func (r *round) saysIsBack() { r.rename(r.c.handle, func(State, error) {}) }

// finishLeaving drops the secrets of rounds that were being left when a crash came.
func (c *core) finishLeaving() error {
	for i := len(c.keys.Rounds) - 1; i >= 0; i-- {
		tag := c.keys.Rounds[i].ID.Tag()
		_, left, err := c.store.Setting(tag, formerSetting)
		if errors.Is(err, store.ErrNoRound) || err == nil && !left {
			continue
		}
		if err == nil {
			err = c.dropSecret(tag)
		}
		if err != nil {
			return fmt.Errorf("leaving a round: %w", err)
		}
	}
	return nil
}
