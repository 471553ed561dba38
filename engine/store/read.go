package store

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"

	"opentalk/engine/identity"
)

// Every read is a snapshot of its own, with all that Writes did that have returned: two calls may see a Write between them.
// What it returns belongs to the caller. Reads may be called from any goroutine, beside a Write, too, whose changes they do
// not see; what a small Write did just before takes the first read that needs it a commit, and [Store.Entry] and
// [Store.Block] nothing. On an error the other results are not to be used.

// clone returns a copy that is never nil.
func clone(b []byte) []byte { return append([]byte{}, b...) }

// in runs fn on a round as view has it.
func (s *Store) in(tag identity.Tag, fn func(*round) error) error {
	return s.view(func(btx *bbolt.Tx) error { return s.inRound(btx, tag, fn) })
}

func (s *Store) inRound(btx *bbolt.Tx, tag identity.Tag, fn func(*round) error) error {
	r, err := s.openRound(btx, tag)
	if err != nil {
		return err
	}
	return fn(r)
}

// inOld is in without the Writes that only the journal has, whose blocks are fresh.
func (s *Store) inOld(tag identity.Tag, fn func(*round) error) error {
	return s.snapshot(func(btx *bbolt.Tx) error { return s.inRound(btx, tag, fn) })
}

// Rounds returns every round, in order of tags.
func (s *Store) Rounds() (rounds []Round, err error) {
	err = s.view(func(btx *bbolt.Tx) error {
		return s.eachRound(btx, func(r *round) error {
			value, err := r.own(valueKey)
			rounds = append(rounds, Round{Tag: r.tag, Value: clone(value)})
			return err
		})
	})
	return rounds, err
}

// Round returns what AddRound or SetRound were given, or ErrNoRound, as all reads of a round do.
func (s *Store) Round(tag identity.Tag) (value []byte, err error) {
	err = s.in(tag, func(r *round) error {
		v, err := r.own(valueKey)
		value = clone(v)
		return err
	})
	return value, err
}

// Count returns how many blocks the round has, which is the newest number of arrival.
func (s *Store) Count(tag identity.Tag) (n uint64, err error) {
	err = s.in(tag, func(r *round) error {
		n = r.blocks
		return nil
	})
	return n, err
}

// Entry returns what is known of a block; ok is false if it is not stored.
func (s *Store) Entry(tag identity.Tag, id ID) (e Entry, ok bool, err error) {
	if b, ok := s.fresh.get(tag, id); ok {
		return b.Entry, true, nil
	}
	err = s.inOld(tag, func(r *round) error {
		n, found, err := r.arrival(idsBucket, id[:])
		if err != nil || !found {
			return err
		}
		e, err = r.entry(n)
		if err == nil && e.ID != id {
			err = damaged("block %d is not %x", n, id)
		}
		ok = err == nil
		return err
	})
	return e, ok, err
}

// Block returns a block; ok is false if it is not stored.
func (s *Store) Block(tag identity.Tag, id ID) (b Block, ok bool, err error) {
	if b, ok := s.fresh.get(tag, id); ok {
		b.Raw = clone(b.Raw)
		return b, true, nil
	}
	err = s.inOld(tag, func(r *round) error {
		n, found, err := r.arrival(idsBucket, id[:])
		if err != nil || !found {
			return err
		}
		b, err = r.block(n)
		if err == nil && b.ID != id {
			err = damaged("block %d is not %x", n, id)
		}
		b.Raw, ok = clone(b.Raw), err == nil
		return err
	})
	return b, ok, err
}

// Since returns the blocks that arrived after the given number, in order of arrival. No block, and nothing but no block,
// means that there are no more: a limit may end a read early.
func (s *Store) Since(tag identity.Tag, arrival uint64, limit Limit) (blocks []Block, err error) {
	err = s.in(tag, func(r *round) error {
		to := newCollector(limit)
		for n := arrival; n < r.blocks; n++ {
			b, err := r.block(n + 1)
			if err != nil {
				return err
			}
			if !to.add(b) {
				break
			}
		}
		blocks = to.blocks
		return nil
	})
	return blocks, err
}

// Before returns the blocks before p in canonical order, newest first, as [Store.Since] limits them. Before(End) are the
// newest.
func (s *Store) Before(tag identity.Tag, p Position, limit Limit) ([]Block, error) {
	return s.ordered(tag, p, limit, func(c *bbolt.Cursor, key []byte) ([]byte, []byte) {
		if k, _ := c.Seek(key); k == nil {
			return c.Last()
		}
		return c.Prev()
	}, (*bbolt.Cursor).Prev)
}

// After returns the blocks after p in canonical order, oldest first, as [Store.Since] limits them.
func (s *Store) After(tag identity.Tag, p Position, limit Limit) ([]Block, error) {
	return s.ordered(tag, p, limit, func(c *bbolt.Cursor, key []byte) ([]byte, []byte) {
		k, v := c.Seek(key)
		if bytes.Equal(k, key) {
			return c.Next()
		}
		return k, v
	}, (*bbolt.Cursor).Next)
}

type step func(*bbolt.Cursor) (key, value []byte)

// ordered collects blocks along the canonical order from p on.
func (s *Store) ordered(tag identity.Tag, p Position, limit Limit, start func(*bbolt.Cursor, []byte) ([]byte, []byte), next step) (blocks []Block, err error) {
	err = s.in(tag, func(r *round) error {
		bucket, err := r.bucket(orderBucket)
		if err != nil {
			return err
		}
		if _, _, err := r.get(orderBucket, orderKey(p)); err != nil { // what is on either side of p
			return err
		}
		to := newCollector(limit)
		c := bucket.Cursor()
		all, err := r.walkBlocks()
		if err != nil {
			return err
		}
		last, way := p, 0
		for k, v := start(c, orderKey(p)); k != nil; k, v = next(c) {
			n, err := r.follow(orderBucket, k, v)
			if err != nil {
				return err
			}
			b, err := all.block(n)
			if err != nil {
				return err
			}
			at := b.Position()
			turn := at.Compare(last)
			if !isOrderKey(k, at) || turn == 0 || way != 0 && turn != way {
				return damaged("order record %x does not fit", k)
			}
			last, way = at, turn
			if !to.add(b) {
				break
			}
		}
		blocks = to.blocks
		return nil
	})
	return blocks, err
}

// follow returns the number of the block that a record of an index leads to.
func (r *round) follow(name string, key, rec []byte) (uint64, error) {
	value, err := r.at(name, key).open(rec)
	if err == nil {
		err = r.leaves.check(key)
	}
	if err != nil {
		return 0, err
	}
	return r.believe(name, key, value)
}

// Line returns the blocks of a device with a seq in from..to, both included, ascending by (seq, id). Two blocks of one seq
// are a fork; a limit never parts them, so that from = 1 + the last seq goes on.
func (s *Store) Line(tag identity.Tag, device identity.Device, from, to uint64, limit Limit) (blocks []Block, err error) {
	err = s.in(tag, func(r *round) error {
		bucket, err := r.bucket(linesBucket)
		if err != nil {
			return err
		}
		for _, end := range [][]byte{lineKey(device, from, ID{}), lineKey(device, to, End.ID)} { // what is on either side
			if _, _, err := r.get(linesBucket, end); err != nil {
				return err
			}
		}
		col := newCollector(limit)
		c := bucket.Cursor()
		for k, v := c.Seek(lineKey(device, from, ID{})); k != nil; k, v = c.Next() {
			n, err := r.follow(linesBucket, k, v) // first, so that what ends the line is no damaged part of it
			if err != nil {
				return err
			}
			if !bytes.HasPrefix(k, device[:]) {
				break
			}
			b, err := r.block(n)
			if err != nil {
				return err
			}
			if !bytes.Equal(k, lineKey(b.Author, b.Seq, b.ID)) {
				return damaged("line record %x does not fit", k)
			}
			if b.Seq > to || !col.addLine(b) {
				break
			}
		}
		blocks = col.blocks
		return nil
	})
	return blocks, err
}

// Frontier returns the newest block of every device, in order of devices: that of the highest seq, and of a fork that of
// the higher id. It looks at the end of every line, not along it.
func (s *Store) Frontier(tag identity.Tag) (entries []Entry, err error) {
	err = s.in(tag, func(r *round) error {
		bucket, err := r.bucket(linesBucket)
		if err != nil {
			return err
		}
		c := bucket.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			e, err := r.newest(c, k)
			if err != nil {
				return err
			}
			if n := len(entries); n > 0 && bytes.Compare(entries[n-1].Author[:], e.Author[:]) >= 0 {
				return damaged("line record %x is out of order", k)
			}
			entries = append(entries, e)
		}
		return nil
	})
	return entries, err
}

// newest moves c from the line that key is of to its last record, and returns the block there.
func (r *round) newest(c *bbolt.Cursor, key []byte) (Entry, error) {
	if len(key) < 32 {
		return Entry{}, damaged("line record %x does not fit", key)
	}
	k, _ := c.Seek(lineKey(identity.Device(key[:32]), End.T, End.ID))
	var v []byte
	if k == nil {
		k, v = c.Last()
	} else {
		k, v = c.Prev()
	}
	n, err := r.follow(linesBucket, k, v)
	if err != nil {
		return Entry{}, err
	}
	e, err := r.entry(n)
	if err == nil && !bytes.Equal(k, lineKey(e.Author, e.Seq, e.ID)) {
		err = damaged("line record %x does not fit", k)
	}
	return e, err
}

// Heads returns the blocks that no block cites, in canonical order.
func (s *Store) Heads(tag identity.Tag) (heads []Entry, err error) {
	err = s.in(tag, func(r *round) error {
		return r.each(headsBucket, r.heads, func(key, value []byte) error {
			n, err := r.believe(headsBucket, key, value)
			if err != nil {
				return err
			}
			e, err := r.entry(n)
			if err == nil && !bytes.Equal(e.ID[:], key) {
				err = damaged("block %d is not the head %x", n, key)
			}
			heads = append(heads, e)
			return err
		})
	})
	slices.SortFunc(heads, func(a, b Entry) int { return a.Position().Compare(b.Position()) })
	return heads, err
}

// collector copies blocks until a limit is reached.
type collector struct {
	limit  Limit
	blocks []Block
	size   int
	room   []byte // for what comes next: several share what is made at once
}

const collectorRoom = 16 << 10

func newCollector(limit Limit) *collector { return &collector{limit: limit.Clamp()} }

// add copies b and reports whether there was room for it.
func (c *collector) add(b Block) bool {
	if c.limit.Full(c.blocks, c.size, len(b.Raw)) {
		return false
	}
	c.force(b)
	return true
}

// addLine is add, but takes b in any case if it has the seq of the one before.
func (c *collector) addLine(b Block) bool {
	if n := len(c.blocks); n > 0 && c.blocks[n-1].Seq == b.Seq {
		c.force(b)
		return true
	}
	return c.add(b)
}

func (c *collector) force(b Block) {
	n := len(b.Raw)
	if c.room == nil || len(c.room) < n { // what is given is never nil
		c.room = make([]byte, max(n, min(collectorRoom, c.limit.Bytes)))
	}
	copy(c.room, b.Raw)
	b.Raw, c.room = c.room[:n:n], c.room[n:]
	c.blocks = append(c.blocks, b)
	c.size += n
}
