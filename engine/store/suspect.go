package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// suspectSuffix names the file beside a store that says that damage was met in it. Open reads little of a big store; with
// that file there it reads everything.
const suspectSuffix = ".suspect"

// suspect leaves word for the next Open that err was met, if it is damage.
func (s *Store) suspect(err error) {
	if !errors.Is(err, ErrDamaged) || s.suspected.Swap(true) {
		return
	}
	if f, err := os.OpenFile(s.path+suspectSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		f.Close()
	}
}

// clear checks a store in which damage was met. What holds after all, bad memory say, is as good as any.
func (s *Store) clear() error {
	if _, err := os.Lstat(s.path + suspectSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.Check(context.Background()); err != nil {
		return err
	}
	return os.Remove(s.path + suspectSuffix)
}
