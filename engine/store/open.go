package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// format is the version of the layout.
const format = 1

// Store is an open store. Its reads may be called from any goroutine and its writes queue; see [Store.Write] and
// [Store.Before] for what each promises.
type Store struct {
	path  string
	db    *bbolt.DB
	file  *os.File // bbolt's
	doubt error

	writing sync.Mutex // held by the one Write
	writer

	gate   sync.Mutex  // held while a transaction starts
	closed bool        // guarded by gate
	stuck  atomic.Bool // bbolt was left holding its locks

	suspected atomic.Bool // damage was met, and word of it left

	relieved  atomic.Int64 // when relieve last did something, in nanoseconds since 1970
	reliefDue atomic.Bool  // a timer will call it
	uses      atomic.Int64 // since then
}

// Open opens the store at path and creates it, for its owner only, if there is none. The folder must exist.
//
// It returns *InUseError if it is open elsewhere, ErrDamaged if what is there is no store or not whole, ErrNewer if a later
// version wrote it, and a *PathError for what the system refuses, among which a link or anything else that is no plain
// file. A file named path + ".pid" says who has the store open. One named path + ".suspect" says that a read or a write met
// damage; then Open does what [Store.Check] does.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	if err := s.inspect(); err != nil {
		return nil, err
	}
	db, err := s.bolt(false)
	if err != nil {
		return nil, err
	}
	s.db = db
	err = s.writePID()
	if err == nil {
		err = s.prepare()
	}
	if err == nil {
		err = s.recover()
	}
	if err == nil {
		err = s.clear()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close waits for what is going on and lets go of the file. Closing twice does nothing.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	if s.pending != nil {
		s.commit() // what fails is still in the journal
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	s.closed = true
	if s.journal.file != nil {
		s.journal.file.Close()
		if s.failed == nil {
			os.Remove(s.path + journalSuffix) // bbolt has it all
		}
	}
	os.Remove(s.pidPath())
	if s.stuck.Load() {
		return errors.Join(unlock(s.file), s.file.Close()) // bbolt would wait for ever; the mapping stays
	}
	return guarded(s.db.Close)
}

// Remove removes the store at path, which is closed, with what lies beside it. Nothing happens if there is none.
func Remove(path string) error {
	var all error
	for _, suffix := range []string{"", journalSuffix, suspectSuffix} {
		if err := os.Remove(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// Doubt returns nil, or why the last Write before the store was opened may be missing although it returned: one of the two
// roots of the file could not be read, and the other was used.
func (s *Store) Doubt() error { return s.doubt }

// bolt opens the database, which locks the file: shared if only to look at it.
func (s *Store) bolt(look bool) (db *bbolt.DB, err error) {
	err = guarded(func() error {
		db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{
			Timeout:      lockPatience,
			ReadOnly:     look,
			OpenFile:     s.openFile,
			FreelistType: bbolt.FreelistMapType,
			NoStatistics: true,
		})
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, &InUseError{Path: s.path, PID: s.readPID()}
	case errors.Is(err, ErrDamaged):
		unlock(s.file) // bbolt panicked and did not
		s.file.Close()
		return nil, err
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, damaged("%w", err)
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return nil, err
	}
	return nil, fmt.Errorf("opening store %q: %w", s.path, err)
}

func (s *Store) openFile(path string, flag int, _ os.FileMode) (f *os.File, err error) {
	s.file, err = openPlain(path, flag)
	return s.file, err
}

// openPlain opens or creates a plain file. What is looked at before is what is opened, and creating follows no link.
func openPlain(path string, flag int) (*os.File, error) {
	before, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.OpenFile(path, flag|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
	}
	f, err := os.OpenFile(path, flag&^os.O_CREATE, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
	}
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

var errNotPlain = errors.New("not a plain file")

// prepare makes the buckets of a new file, and looks whether an old one is ours.
func (s *Store) prepare() error {
	empty := false
	err := s.view(func(btx *bbolt.Tx) error {
		if btx.Bucket([]byte(aboutBucket)) == nil {
			first, _ := btx.Cursor().First()
			empty = first == nil
			if !empty {
				return damaged("database of something else")
			}
			return nil
		}
		value, err := about(btx, formatKey)
		if err == nil && (len(value) != 1 || value[0] != format) {
			err = fmt.Errorf("%w: layout %x, not %d", ErrNewer, value, format)
		}
		return err
	})
	if err != nil || !empty {
		return err
	}
	return s.Write(func(t Tx) error {
		return t.(*tx).do(func() error { return t.(*tx).makeStore() })
	})
}

func (t *tx) makeStore() error {
	t.takeWhole()
	for _, name := range []string{aboutBucket, roundsBucket} {
		if _, err := t.btx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	var id storeID
	rand.Read(id[:])
	return errors.Join(putAbout(t.btx, formatKey, []byte{format}), putAbout(t.btx, storeKey, id[:]))
}

// about returns a value of what the store says of itself.
func about(btx *bbolt.Tx, key string) ([]byte, error) {
	b := btx.Bucket([]byte(aboutBucket))
	if b == nil {
		return nil, damaged("no bucket about the store")
	}
	return place{bucket: aboutBucket, key: []byte(key)}.open(b.Get([]byte(key)))
}

func putAbout(btx *bbolt.Tx, key string, value []byte) error {
	b := btx.Bucket([]byte(aboutBucket))
	if b == nil {
		return damaged("no bucket about the store")
	}
	return b.Put([]byte(key), place{bucket: aboutBucket, key: []byte(key)}.seal(value))
}

// readAbout learns what the journal goes on from.
func (s *Store) readAbout() error {
	return s.view(func(btx *bbolt.Tx) error {
		id, err := about(btx, storeKey)
		if err != nil {
			return err
		}
		number, err := about(btx, numberKey)
		if err == nil && (len(id) != len(s.id) || len(number) != 8) {
			err = damaged("store's number of %d bytes, last Write's of %d", len(id), len(number))
		}
		if err != nil {
			return err
		}
		s.id, s.number = storeID(id), binary.BigEndian.Uint64(number)
		return nil
	})
}

// syncFolder makes a new name in a folder last. Windows has no such call and needs none.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
