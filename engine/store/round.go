package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"opentalk/engine/identity"
)

// Names of buckets and of the keys beside them.
const (
	aboutBucket  = "about"
	roundsBucket = "rounds"

	blocksBucket   = "blocks"
	idsBucket      = "ids"
	orderBucket    = "order"
	linesBucket    = "lines"
	headsBucket    = "heads"
	draftsBucket   = "drafts"
	peersBucket    = "peers"
	settingsBucket = "settings"

	valueKey  = "value"
	stateKey  = "state"
	formatKey = "format"
	storeKey  = "store"
	numberKey = "number"
)

// buckets are those of every round, with how full a page is left when it is split. Blocks and order arrive at the end, a
// line grows at one place of its bucket; the others have no order of arrival.
var buckets = map[string]float64{
	blocksBucket: 1, orderBucket: 0.95, linesBucket: 0.9, idsBucket: 0.5,
	headsBucket: 0.5, draftsBucket: 0.9, peersBucket: 0.5, settingsBucket: 0.5,
}

// indexes are the buckets that hold one small record of every block.
var indexes = map[string]bool{idsBucket: true, orderBucket: true, linesBucket: true}

// state counts what a round holds, so that a lost record of a small bucket is noticed.
type state struct {
	blocks, heads, drafts, peers, settings uint64
	draft                                  uint64 // number of the next draft
}

const stateSize = 6 * 8

func (s state) encode() []byte {
	b := make([]byte, 0, stateSize)
	for _, n := range []uint64{s.blocks, s.heads, s.drafts, s.peers, s.settings, s.draft} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (s *state) decode(b []byte) error {
	if len(b) != stateSize {
		return damaged("state of %d bytes", len(b))
	}
	for i, n := range []*uint64{&s.blocks, &s.heads, &s.drafts, &s.peers, &s.settings, &s.draft} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}

// round is one round within a transaction.
type round struct {
	tag identity.Tag
	b   *bbolt.Bucket
	state
	leaves leaves
	opened map[string]*bbolt.Bucket
	dirty  bool // state has changed
	newly  map[ID]headChange
}

// openRound returns ErrNoRound if tag is not there and nothing looks as if it had been.
func (s *Store) openRound(btx *bbolt.Tx, tag identity.Tag) (*round, error) {
	rounds := btx.Bucket([]byte(roundsBucket))
	if rounds == nil {
		return nil, damaged("no bucket of rounds")
	}
	b := rounds.Bucket(tag[:])
	if b != nil {
		return s.newRound(btx, tag, b)
	}
	// There are few rounds: a tag with a flipped bit shows, because its records do not hold under it.
	err := s.eachRound(btx, func(*round) error { return nil })
	if err != nil {
		return nil, err
	}
	return nil, ErrNoRound
}

func (s *Store) newRound(btx *bbolt.Tx, tag identity.Tag, b *bbolt.Bucket) (*round, error) {
	r := &round{tag: tag, b: b, opened: map[string]*bbolt.Bucket{}, leaves: leaves{btx: btx}}
	value, err := r.own(stateKey)
	if err != nil {
		return nil, err
	}
	return r, r.decode(value)
}

// eachRound calls fn for every round, in order of tags.
func (s *Store) eachRound(btx *bbolt.Tx, fn func(*round) error) error {
	rounds := btx.Bucket([]byte(roundsBucket))
	if rounds == nil {
		return damaged("no bucket of rounds")
	}
	c := rounds.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if len(k) != len(identity.Tag{}) || v != nil {
			return damaged("no round: %x", k)
		}
		b := rounds.Bucket(k)
		if b == nil {
			return damaged("round %x is listed and not found", k)
		}
		r, err := s.newRound(btx, identity.Tag(k), b)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// at is the place of key in bucket.
func (r *round) at(bucket string, key []byte) place {
	return place{bucket: bucket, tag: r.tag, key: key}
}

// own returns the value of a key beside the buckets.
func (r *round) own(key string) ([]byte, error) {
	rec := r.b.Get([]byte(key))
	if rec == nil {
		return nil, damaged("round %s has no %s", r.tag, key)
	}
	return r.at("", []byte(key)).open(rec)
}

func (r *round) putOwn(key string, value []byte) error {
	return r.b.Put([]byte(key), r.at("", []byte(key)).seal(value))
}

func (r *round) bucket(name string) (*bbolt.Bucket, error) {
	if b := r.opened[name]; b != nil {
		return b, nil
	}
	b := r.b.Bucket([]byte(name))
	if b == nil {
		return nil, damaged("round %s has no bucket of %s", r.tag, name)
	}
	b.FillPercent = buckets[name]
	r.opened[name] = b
	return b, nil
}

// get returns the value of key, or nil and false. A key that is not found is believed only between two neighbours that
// hold: otherwise one of them may be what was looked for, or the way to it.
func (r *round) get(name string, key []byte) ([]byte, bool, error) {
	b, err := r.bucket(name)
	if err != nil {
		return nil, false, err
	}
	c := b.Cursor()
	k, v := c.Seek(key)
	if bytes.Equal(k, key) && v != nil {
		value, err := r.at(name, key).open(v)
		return value, err == nil, err
	}
	if err := r.neighbour(name, k, v, key, 1); err != nil {
		return nil, false, err
	}
	if k != nil {
		k, v = c.Prev()
	} else {
		k, v = c.Last()
	}
	return nil, false, r.neighbour(name, k, v, key, -1)
}

// neighbour checks the record beside which key would be; side is how its own key must compare.
func (r *round) neighbour(name string, k, v, key []byte, side int) error {
	if k == nil {
		return nil
	}
	if bytes.Compare(k, key) != side {
		return damaged("%s record %x is out of order", name, k)
	}
	if _, err := r.at(name, k).open(v); err != nil {
		return err
	}
	if indexes[name] {
		return r.leaves.check(k)
	}
	return nil
}

func (r *round) put(name string, key, value []byte) error {
	b, err := r.bucket(name)
	if err != nil {
		return err
	}
	return b.Put(key, r.at(name, key).seal(value))
}

func (r *round) remove(name string, key []byte) error {
	b, err := r.bucket(name)
	if err != nil {
		return err
	}
	return b.Delete(key)
}

// each calls fn for every record of a small bucket, in order of keys, and fails if they are not want.
func (r *round) each(name string, want uint64, fn func(key, value []byte) error) error {
	b, err := r.bucket(name)
	if err != nil {
		return err
	}
	var n uint64
	var last []byte
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if last != nil && bytes.Compare(last, k) >= 0 {
			return damaged("%s record %x is out of order", name, k)
		}
		last = k
		value, err := r.at(name, k).open(v)
		if err != nil {
			return err
		}
		if err := fn(k, value); err != nil {
			return err
		}
		n++
	}
	if n != want {
		return damaged("%d of %d records of %s", n, want, name)
	}
	return nil
}

// arrival returns the number of the block that key leads to.
func (r *round) arrival(name string, key []byte) (uint64, bool, error) {
	value, ok, err := r.get(name, key)
	if err != nil || !ok {
		return 0, false, err
	}
	n, err := r.believe(name, key, value)
	return n, err == nil, err
}

// believe returns the number of arrival that value is, which must be one of the round's.
func (r *round) believe(name string, key, value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, damaged("%s record %x: number of %d bytes", name, key, len(value))
	}
	n := binary.BigEndian.Uint64(value)
	if n == 0 || n > r.blocks {
		return 0, damaged("%s record %x leads to block %d of %d", name, key, n, r.blocks)
	}
	return n, nil
}

// record returns the record of a block, which must be there.
func (r *round) record(arrival uint64) (place, []byte, error) {
	b, err := r.bucket(blocksBucket)
	if err != nil {
		return place{}, nil, err
	}
	key := number(arrival)
	rec := b.Get(key)
	if rec == nil {
		return place{}, nil, damaged("block %d of %d is missing", arrival, r.blocks)
	}
	return r.at(blocksBucket, key), rec, nil
}

func (r *round) entry(arrival uint64) (Entry, error) {
	p, rec, err := r.record(arrival)
	if err != nil {
		return Entry{}, err
	}
	return p.openEntry(rec)
}

// blockWalk reads blocks that lie near each other, as blocks that follow each other in an order nearly always do.
type blockWalk struct {
	r    *round
	c    *bbolt.Cursor
	last uint64  // where c is; 0: nowhere
	key  [8]byte // of last
}

func (r *round) walkBlocks() (*blockWalk, error) {
	b, err := r.bucket(blocksBucket)
	if err != nil {
		return nil, err
	}
	return &blockWalk{r: r, c: b.Cursor()}, nil
}

// block is [round.block]. The record of another block, or none, does not hold in the place of this one.
func (w *blockWalk) block(arrival uint64) (Block, error) {
	key := w.key[:]
	binary.BigEndian.PutUint64(key, arrival)
	var rec []byte
	switch {
	case w.last > 0 && arrival == w.last+1:
		_, rec = w.c.Next()
	case w.last > 0 && arrival == w.last-1:
		_, rec = w.c.Prev()
	default:
		_, rec = w.c.Seek(key)
	}
	w.last = arrival
	return w.r.at(blocksBucket, key).openBlock(rec)
}

// block returns a block that still points into the file.
func (r *round) block(arrival uint64) (Block, error) {
	p, rec, err := r.record(arrival)
	if err != nil {
		return Block{}, err
	}
	return p.openBlock(rec)
}
