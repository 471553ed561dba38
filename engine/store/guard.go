package store

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// guarded runs fn, which touches the mapped file, and turns a panic into ErrDamaged: bbolt panics on a page that makes no
// sense, and following one may leave the mapping.
func guarded(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return fn()
}

// begin starts a transaction of bbolt. A panic in there leaves its locks held, so that nothing may be asked of it again;
// the gate keeps others from waiting for those locks by then.
func (s *Store) begin(writable bool) (btx *bbolt.Tx, err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.stuck.Load():
		return nil, damaged("an earlier transaction did not end")
	}
	err = s.uninterrupted(func() error {
		btx, err = s.db.Begin(writable)
		return err
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		err = ErrClosed
	}
	return btx, err
}

// uninterrupted runs a step of bbolt that holds its locks, and notes when it never came to releasing them.
func (s *Store) uninterrupted(fn func() error) error {
	returned := false
	err := guarded(func() error {
		err := fn()
		returned = true
		return err
	})
	if !returned {
		s.stuck.Store(true)
	}
	return err
}

// rollback ends btx and forgets what it wrote.
func (s *Store) rollback(btx *bbolt.Tx) error {
	if s.stuck.Load() {
		return nil
	}
	return s.uninterrupted(btx.Rollback)
}

// view runs fn on a snapshot. Nothing that fn leaves behind may point into the file.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	btx, err := s.begin(false)
	if err != nil {
		return err
	}
	err = guarded(func() error { return fn(btx) })
	if err == nil {
		s.relieve(btx)
	}
	err = errors.Join(err, s.rollback(btx))
	s.suspect(err)
	return err
}

// Write runs fn in a transaction and returns when what it did is flushed. It is all or nothing: an error of fn, or a panic
// in it, undoes everything and changes nothing else. One Write runs at a time, others wait; fn must call neither Write nor
// Close. Reads see the state before.
//
// An error that is ErrReadOnly means that storing failed: the disk is full, a flush failed, the file is damaged. Whether
// this one Write took effect is then not known before the store is opened again, and reads may show it or not, but never a
// part. Nothing is tried again: every later Write gets the same error without fn being called.
func (s *Store) Write(fn func(Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.failed != nil {
		return s.failed
	}
	btx, err := s.begin(true)
	if errors.Is(err, ErrClosed) {
		return err
	}
	if err != nil {
		return s.fail(err)
	}
	t := &tx{s: s, btx: btx}
	returned := false
	defer func() {
		t.over = true
		if !returned {
			s.rollback(btx)
		}
	}()
	err = fn(t)
	returned = true
	return s.finish(t, err)
}

// finish commits t, or rolls it back if fn returned an error or a method of t met damage.
func (s *Store) finish(t *tx, err error) error {
	if err == nil && t.failed == nil {
		t.failed = guarded(t.flush)
	}
	s.relieve(t.btx)
	if err == nil && t.failed == nil {
		if err := s.uninterrupted(t.btx.Commit); err != nil {
			return s.fail(err)
		}
		return nil
	}
	if rerr := s.rollback(t.btx); rerr != nil {
		return s.fail(rerr)
	}
	if t.failed != nil {
		return s.fail(t.failed)
	}
	return err
}

// fail makes the store read-only, for good.
func (s *Store) fail(cause error) error {
	s.suspect(cause)
	s.failed = fmt.Errorf("%w: %w", ErrReadOnly, cause)
	return s.failed
}
