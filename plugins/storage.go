package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"go.etcd.io/bbolt"

	"opentalk/plugins/hook"
)

// storage is what extensions keep: one file, with a bucket for each. It is opened when first needed, so that a person who
// has no extension that keeps anything has no such file. bbolt rather than a file for each extension, because a Set
// must be durable and must not write a megabyte for a counter.
type storage struct {
	path string

	mu    sync.Mutex
	db    *bbolt.DB
	sizes map[string]int // of the keys and values of an extension, once they were counted
}

var errStorageClosed = hook.Errorf(hook.CodeClosed, "storage is closed")

func newStorage(dir string) *storage {
	return &storage{path: filepath.Join(dir, "extensions.db"), sizes: map[string]int{}}
}

func (s *storage) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	db := s.db
	s.db, s.sizes = nil, nil
	if db == nil {
		return nil
	}
	return db.Close()
}

// with runs f on the open database.
func (s *storage) with(f func(*bbolt.DB) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sizes == nil {
		return errStorageClosed
	}
	if s.db == nil {
		db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: lockPatience, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return fmt.Errorf("opening %s: %w", s.path, err)
		}
		s.db = db
	}
	return f(s.db)
}

func (s *storage) get(ext, key string) (value []byte, err error) {
	err = s.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket([]byte(ext)); b != nil {
				value = bytes.Clone(b.Get([]byte(key)))
			}
			return nil
		})
	})
	return value, err
}

func (s *storage) keys(ext, prefix string) (keys []string, err error) {
	err = s.with(func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(ext))
			if b == nil {
				return nil
			}
			c := b.Cursor()
			for k, _ := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
				keys = append(keys, string(k))
			}
			return nil
		})
	})
	return keys, err
}

// set puts a value in place, and delete takes one away. They return when that is durable.
func (s *storage) set(ext, key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return s.change(ext, key, value)
}

func (s *storage) delete(ext, key string) error { return s.change(ext, key, nil) }

func (s *storage) change(ext, key string, value []byte) error {
	return s.with(func(db *bbolt.DB) error {
		var size int
		err := db.Update(func(tx *bbolt.Tx) (err error) {
			size, err = put(tx, ext, key, value, s.sizes)
			return err
		})
		if err == nil {
			s.sizes[ext] = size
		}
		return err
	})
}

func put(tx *bbolt.Tx, ext, key string, value []byte, sizes map[string]int) (size int, err error) {
	b, err := tx.CreateBucketIfNotExists([]byte(ext))
	if err != nil {
		return 0, err
	}
	size, counted := sizes[ext]
	if !counted {
		b.ForEach(func(k, v []byte) error {
			size += len(k) + len(v)
			return nil
		})
	}
	if old := b.Get([]byte(key)); old != nil {
		size -= len(key) + len(old)
	}
	if value == nil {
		return size, b.Delete([]byte(key))
	}
	size += len(key) + len(value)
	if size > hook.MaxStorage {
		return 0, hook.Errorf(hook.CodeTooBig, "storage of %d bytes would exceed the limit of %d", size, hook.MaxStorage)
	}
	return size, b.Put([]byte(key), value)
}

// has reports whether err is one of the contract with that code.
func has(err error, code hook.Code) bool { return errors.Is(err, &hook.Error{Code: code}) }

// asError makes an error one of the contract.
func asError(err error) error {
	if err == nil {
		return nil
	}
	if known := (*hook.Error)(nil); errors.As(err, &known) {
		return known
	}
	return hook.Errorf(hook.CodeFailed, "%v", err)
}
