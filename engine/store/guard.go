package store

import (
	"errors"
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

// view runs fn on a snapshot that has every Write that has returned. Nothing that fn leaves behind may point into the file.
func (s *Store) view(fn func(*bbolt.Tx) error) error {
	s.settle()
	return s.snapshot(fn)
}

// snapshot is view without the Writes that only the journal has.
func (s *Store) snapshot(fn func(*bbolt.Tx) error) error {
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
