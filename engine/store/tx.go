package store

import (
	"bytes"
	"errors"
	"fmt"

	"opentalk/engine/identity"
)

// Tx changes the store within one [Store.Write]. It is used by fn's goroutine only and is dead when fn returns. Values are
// copied. A method that returns ErrNoRound, ErrExists or ErrTooBig changed nothing, and the transaction goes on; after any
// other error nothing of it is kept, whatever fn returns.
type Tx interface {
	// AddRound makes room for a round. ErrExists if it is there.
	AddRound(tag identity.Tag, value []byte) error
	// SetRound replaces the value given to AddRound.
	SetRound(tag identity.Tag, value []byte) error
	// RemoveRound forgets a round and everything in it. The bytes are overwritten only as the space is used again.
	RemoveRound(tag identity.Tag) error

	// AddBlock appends a block to the round and returns its number of arrival. The block is now a head; what is in cites no
	// longer is, and ids in there that are no heads, or not stored, do not matter. ErrExists if a block has this id.
	AddBlock(tag identity.Tag, e Entry, raw []byte, cites []ID) (arrival uint64, err error)

	// Behead takes blocks out of the heads. Ids that are no heads, or not stored, do not matter.
	Behead(tag identity.Tag, ids []ID) error
	// Head makes heads of blocks again. Ids that are heads, or not stored, do not matter.
	Head(tag identity.Tag, ids []ID) error

	// PutDraft appends to the outbox, or replaces the value of a draft that is there, which keeps its place.
	PutDraft(tag identity.Tag, id [16]byte, value []byte) error
	// RemoveDraft takes a draft out. Nothing happens if there is none.
	RemoveDraft(tag identity.Tag, id [16]byte) error

	// PutPeer adds a device to the address book or replaces what is there.
	PutPeer(tag identity.Tag, device identity.Device, value []byte) error
	// RemovePeer takes a device out. Nothing happens if there is none.
	RemovePeer(tag identity.Tag, device identity.Device) error

	// PutSetting stores a small value of the round under a name of 1 to MaxName bytes.
	PutSetting(tag identity.Tag, name string, value []byte) error
	// RemoveSetting takes a setting out. Nothing happens if there is none.
	RemoveSetting(tag identity.Tag, name string) error
}

type tx struct {
	s *Store
	*pending
	failed error // damage or I/O: nothing of this transaction is kept
	over   bool

	ops   []byte             // what was done, for the journal
	added map[freshKey]Block // the blocks of that
	whole bool               // it is too much for the journal: bbolt takes it at once
}

// note writes down what a method has done, if err is nil, and passes err on.
func (t *tx) note(err error, op byte, tag identity.Tag, parts ...[]byte) error {
	if err != nil || t.whole {
		return err
	}
	if t.ops = appendOp(t.ops, op, tag, parts...); len(t.ops) > maxRecord {
		t.takeWhole()
	}
	return nil
}

// takeWhole has bbolt take at once whatever this Write does.
func (t *tx) takeWhole() { t.whole, t.ops, t.added = true, nil, nil }

// do runs one method.
func (t *tx) do(fn func() error) error {
	if t.over {
		return errors.New("transaction of the store is over")
	}
	if t.failed != nil {
		return t.failed
	}
	t.s.relieve(t.btx)
	err := guarded(fn)
	if err != nil && !refused(err) {
		t.failed = err
	}
	return err
}

// in runs one method on a round, once value is known to be no bigger than it may be.
func (t *tx) in(tag identity.Tag, value []byte, fn func(*round) error) error {
	return t.do(func() error {
		if err := CheckValue(value); err != nil {
			return err
		}
		r, err := t.round(tag)
		if err != nil {
			return err
		}
		return fn(r)
	})
}

func (t *tx) round(tag identity.Tag) (*round, error) {
	if r := t.rounds[tag]; r != nil {
		return r, nil
	}
	r, err := t.s.openRound(t.btx, tag)
	if err != nil {
		return nil, err
	}
	t.rounds[tag] = r
	return r, nil
}

func (t *tx) AddRound(tag identity.Tag, value []byte) error {
	return t.do(func() error {
		if err := CheckValue(value); err != nil {
			return err
		}
		switch _, err := t.round(tag); {
		case err == nil:
			return fmt.Errorf("round %s is %w", tag, ErrExists)
		case !errors.Is(err, ErrNoRound):
			return err
		}
		b, err := t.btx.Bucket([]byte(roundsBucket)).CreateBucket(tag[:])
		if err != nil {
			return err
		}
		for name := range buckets {
			if _, err := b.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		t.takeWhole()
		r := &round{tag: tag, b: b}
		return errors.Join(r.putOwn(stateKey, r.encode()), r.putOwn(valueKey, value))
	})
}

func (t *tx) SetRound(tag identity.Tag, value []byte) error {
	return t.in(tag, value, func(r *round) error {
		t.takeWhole()
		return r.putOwn(valueKey, value)
	})
}

func (t *tx) RemoveRound(tag identity.Tag) error {
	return t.in(tag, nil, func(*round) error {
		t.takeWhole()
		delete(t.rounds, tag)
		return t.btx.Bucket([]byte(roundsBucket)).DeleteBucket(tag[:])
	})
}

func (t *tx) AddBlock(tag identity.Tag, e Entry, raw []byte, cites []ID) (arrival uint64, err error) {
	err = t.in(tag, raw, func(r *round) error {
		_, found, err := r.get(idsBucket, e.ID[:])
		if err != nil {
			return err
		}
		if found {
			return fmt.Errorf("block %x is %w", e.ID[:4], ErrExists)
		}
		e.Arrival = r.blocks + 1
		if err := r.addBlock(e, raw); err != nil {
			return err
		}
		arrival = e.Arrival
		return r.behead(cites)
	})
	if err = t.note(err, opAddBlock, tag, appendEntry(nil, e), raw, joinIDs(cites)); err == nil && !t.whole {
		if t.added == nil {
			t.added = map[freshKey]Block{}
		}
		t.added[freshKey{tag, e.ID}] = Block{e, clone(raw)}
	}
	return arrival, err
}

func (t *tx) Behead(tag identity.Tag, ids []ID) error {
	err := t.in(tag, nil, func(r *round) error { return r.behead(ids) })
	return t.note(err, opBehead, tag, joinIDs(ids))
}

func (t *tx) Head(tag identity.Tag, ids []ID) error {
	err := t.in(tag, nil, func(r *round) error {
		for _, id := range ids {
			arrival, found, err := r.get(idsBucket, id[:])
			if err == nil && found {
				_, err = r.setHead(id, true, arrival)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return t.note(err, opHead, tag, joinIDs(ids))
}

// addBlock writes the block, its indexes and its being a head. None of the keys may be taken: a number that is would mean a
// lost state, an index that is would mean a lost id.
func (r *round) addBlock(e Entry, raw []byte) error {
	b, err := r.bucket(blocksBucket)
	if err != nil {
		return err
	}
	key := number(e.Arrival)
	if last, _ := b.Cursor().Last(); last != nil && bytes.Compare(last, key) >= 0 {
		return damaged("block %x after %d blocks", last, r.blocks)
	}
	if err := b.Put(key, r.at(blocksBucket, key).sealBlock(e, raw)); err != nil {
		return err
	}
	for _, index := range []struct {
		name string
		key  []byte
	}{
		{idsBucket, e.ID[:]}, {orderBucket, orderKey(e.Position())}, {linesBucket, lineKey(e.Author, e.Seq, e.ID)},
	} {
		if index.name != idsBucket { // AddBlock has looked
			_, found, err := r.get(index.name, index.key)
			if err != nil {
				return err
			}
			if found {
				return damaged("%s record %x of a block with no id", index.name, index.key)
			}
		}
		if err := r.put(index.name, index.key, key); err != nil {
			return err
		}
	}
	r.blocks++
	r.dirty = true
	was, err := r.setHead(e.ID, true, key)
	if err == nil && was {
		err = damaged("head %x of a block with no id", e.ID)
	}
	return err
}

// behead takes what is cited out of the heads.
func (r *round) behead(cites []ID) error {
	for _, id := range cites {
		if _, err := r.setHead(id, false, nil); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a record of a small bucket if it is there, and counts it out.
func (r *round) drop(name string, key []byte, count *uint64) error {
	_, found, err := r.get(name, key)
	if err != nil || !found {
		return err
	}
	*count--
	r.dirty = true
	return r.remove(name, key)
}

// keep puts a record of a small bucket, and counts it in if it is new.
func (r *round) keep(name string, key, value []byte, count *uint64) error {
	_, found, err := r.get(name, key)
	if err != nil {
		return err
	}
	if !found {
		*count++
		r.dirty = true
	}
	return r.put(name, key, value)
}
