package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	failed  error      // the first failure of a Write; guarded by writing

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
	created := false
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		created = true
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
		err = s.clear()
	}
	if err == nil && created {
		err = syncFolder(filepath.Dir(path))
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
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	os.Remove(s.pidPath())
	if s.stuck.Load() {
		return errors.Join(unlock(s.file), s.file.Close()) // bbolt would wait for ever; the mapping stays
	}
	return guarded(s.db.Close)
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

// openFile opens or creates a plain file. What is looked at before is what is opened, and creating follows no link.
func (s *Store) openFile(path string, flag int, _ os.FileMode) (*os.File, error) {
	before, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		s.file, err = os.OpenFile(path, flag|os.O_CREATE|os.O_EXCL, 0o600)
		return s.file, err
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
	s.file = f
	return f, nil
}

var errNotPlain = errors.New("not a plain file")

// prepare makes the buckets of a new file, and looks whether an old one is ours.
func (s *Store) prepare() error {
	about := place{bucket: aboutBucket, key: []byte(formatKey)}
	empty := false
	err := s.view(func(btx *bbolt.Tx) error {
		b := btx.Bucket([]byte(aboutBucket))
		if b == nil {
			first, _ := btx.Cursor().First()
			empty = first == nil
			if !empty {
				return damaged("database of something else")
			}
			return nil
		}
		value, err := about.open(b.Get(about.key))
		if err == nil && (len(value) != 1 || value[0] != format) {
			err = fmt.Errorf("%w: layout %x, not %d", ErrNewer, value, format)
		}
		return err
	})
	if err != nil || !empty {
		return err
	}
	return s.Write(func(t Tx) error {
		return t.(*tx).do(func() error {
			b, err := t.(*tx).btx.CreateBucket([]byte(aboutBucket))
			if err != nil {
				return err
			}
			if err := b.Put(about.key, about.seal([]byte{format})); err != nil {
				return err
			}
			_, err = t.(*tx).btx.CreateBucket([]byte(roundsBucket))
			return err
		})
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
