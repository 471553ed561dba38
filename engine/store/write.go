package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"opentalk/engine/identity"
)

// writer is what the Writes of a store share. Guarded by Store.writing, but for unsettled and fresh.
type writer struct {
	id      storeID
	number  uint64 // of the last Write that did anything
	journal journal
	pending *pending // nil if no transaction is open
	failed  error    // the first failure of a Write

	unsettled atomic.Bool // some Write has returned that reads do not see yet
	fresh     fresh
}

// pending is a transaction of bbolt that goes on over several Writes.
type pending struct {
	btx    *bbolt.Tx
	rounds map[identity.Tag]*round
	done   [][]byte    // the operations of the Writes in it that have returned
	commit *time.Timer // nil if none has
}

// fresh are the blocks of Writes that reads do not see yet.
type fresh struct {
	mu     sync.Mutex
	blocks map[freshKey]Block
}

type freshKey struct {
	tag identity.Tag
	id  ID
}

func (f *fresh) get(tag identity.Tag, id ID) (Block, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.blocks[freshKey{tag, id}]
	return b, ok
}

func (f *fresh) add(blocks map[freshKey]Block) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blocks == nil {
		f.blocks = map[freshKey]Block{}
	}
	for key, b := range blocks {
		f.blocks[key] = b
	}
}

func (f *fresh) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocks = nil
}

// Write runs fn in a transaction and returns when what it did is flushed. It is all or nothing: an error of fn, or a panic
// in it, undoes everything and changes nothing else. One Write runs at a time, others wait; of the store fn
// may call Entry and Block alone, which do not see what it does.
//
// An error that is ErrReadOnly means that storing failed: the disk is full, a flush failed, the file is damaged. Whether
// this one Write took effect is then not known before the store is opened again, and reads may show it or not, but never a
// part. So it is with the few before it that only the journal has: they are seen again when the store is opened. Nothing is
// tried again: every later Write gets the same error without fn being called.
func (s *Store) Write(fn func(Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if err := s.start(); errors.Is(err, ErrClosed) {
		return err
	} else if err != nil {
		return s.fail(err)
	}
	t := &tx{s: s, pending: s.pending}
	returned := false
	defer func() {
		t.over = true
		if !returned {
			s.undo()
		}
	}()
	err := fn(t)
	returned = true
	return s.finish(t, err)
}

// start opens a transaction unless one is.
func (s *Store) start() error {
	if s.pending != nil {
		return nil
	}
	btx, err := s.begin(true)
	if err == nil {
		s.pending = &pending{btx: btx, rounds: map[identity.Tag]*round{}}
	}
	return err
}

// finish makes what t did last, or undoes it if fn returned an error or a method of t met damage.
func (s *Store) finish(t *tx, err error) error {
	s.relieve(t.btx)
	switch {
	case t.failed != nil:
		s.abandon()
		return s.fail(t.failed)
	case err != nil:
		if uerr := s.undo(); uerr != nil {
			return uerr
		}
		return err
	case !t.whole && len(t.ops) == 0:
		return nil
	}
	s.number++
	rec := record{s.id, s.number, t.ops}.encode()
	if t.whole || s.journal.end+int64(len(rec)) > journalSize {
		return s.commit()
	}
	if err := s.journal.append(rec); err != nil {
		s.abandon()
		return s.fail(err)
	}
	p := s.pending
	if p.done = append(p.done, t.ops); p.commit == nil {
		p.commit = time.AfterFunc(commitAfter, s.settle)
	}
	s.fresh.add(t.added)
	s.unsettled.Store(true)
	return nil
}

// settle lets reads see what every Write did that has returned.
func (s *Store) settle() {
	if !s.unsettled.Load() {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.unsettled.Load() && s.pending != nil {
		s.commit() // the next Write tells of an error
	}
}

// commit ends the open transaction. What it did is in bbolt then, and the journal is empty.
func (s *Store) commit() error {
	p := s.pending
	if err := guarded(func() error { return p.flush(s.number) }); err != nil {
		s.abandon()
		return s.fail(err)
	}
	s.let(p)
	if err := s.uninterrupted(p.btx.Commit); err != nil {
		return s.fail(err)
	}
	s.journal.end = 0
	s.unsettled.Store(false)
	s.fresh.clear()
	return nil
}

// flush writes the heads and states that have changed, once each, and the number of the last Write.
func (p *pending) flush(number uint64) error {
	for _, r := range p.rounds {
		if !r.dirty {
			continue
		}
		if err := r.flushHeads(); err != nil {
			return err
		}
		if err := r.putOwn(stateKey, r.encode()); err != nil {
			return err
		}
	}
	return putAbout(p.btx, numberKey, binary.BigEndian.AppendUint64(nil, number))
}

// undo takes back what the Write under way did, and nothing of those before it.
func (s *Store) undo() error {
	done := s.pending.done
	err := s.abandon()
	if err == nil && len(done) > 0 {
		err = s.replay(done)
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// replay does once more what Writes did. They are in the journal.
func (s *Store) replay(done [][]byte) error {
	if err := s.start(); err != nil {
		return err
	}
	t := &tx{s: s, pending: s.pending, whole: true}
	for _, ops := range done {
		all, err := operations(ops)
		for _, o := range all {
			if err == nil {
				err = o.apply(t)
			}
		}
		if refused(err) {
			err = damaged("the journal does not fit the store: %w", err)
		}
		if err != nil {
			s.abandon()
			return err
		}
	}
	s.pending.done = done
	s.pending.commit = time.AfterFunc(commitAfter, s.settle)
	return nil
}

// abandon rolls the open transaction back.
func (s *Store) abandon() error {
	p := s.pending
	s.let(p)
	return s.rollback(p.btx)
}

func (s *Store) let(p *pending) {
	s.pending = nil
	if p.commit != nil {
		p.commit.Stop()
	}
}

// fail makes the store read-only, for good.
func (s *Store) fail(cause error) error {
	s.suspect(cause)
	s.unsettled.Store(false)
	s.failed = fmt.Errorf("%w: %w", ErrReadOnly, cause)
	return s.failed
}

// recover does what the journal has and bbolt has not. It is damage if the journal has a later Write and not those before it;
// but one that begins with a later Write is of another time, as when the store alone comes from a backup.
func (s *Store) recover() error {
	if err := s.readAbout(); err != nil {
		return err
	}
	b, err := readJournal(s.path)
	if err != nil {
		return err
	}
	var done [][]byte
	row := records(b)
	otherTime := len(row) > 0 && row[0].number > s.number+1
	for _, r := range row {
		if r.store == s.id && r.number == s.number+1 {
			done, s.number = append(done, r.ops), r.number
		}
	}
	if later := beyond(b, s.id, s.number); len(later) > 0 && !otherTime {
		return damaged("the journal has Write %d and not Write %d, which had returned before", later[0].number, s.number+1)
	}
	if len(done) > 0 {
		if err = s.replay(done); err == nil {
			err = s.commit()
		}
	}
	if err == nil {
		s.journal, err = openJournal(s.path)
	}
	return err
}
