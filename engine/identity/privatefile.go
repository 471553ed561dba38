package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// readPrivate reads a regular file that belongs to its owner alone.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Lstat(path) // first: opening a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %q is no regular file", ErrDamaged, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); runtime.GOOS != "windows" && perm&0o077 != 0 {
		return nil, fmt.Errorf("%w: mode %04o", ErrExposed, perm)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyring+1))
	if err == nil && len(raw) > maxKeyring {
		err = fmt.Errorf("%w: over %d bytes", ErrDamaged, maxKeyring)
	}
	return raw, err
}

// writePrivate puts a file at path that its owner alone can read. It is written and flushed under a name beside it, and
// place then gives it its own: what was at path is replaced as a whole, and a link there is not followed.
func writePrivate(path string, raw []byte, place func(from, to string) error) error {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+"-"
	temp, err := writeTemp(dir, prefix, raw)
	if err != nil {
		return err
	}
	if err := place(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	removeLeft(dir, prefix)
	return syncDir(dir)
}

func writeTemp(dir, prefix string, raw []byte) (string, error) {
	f, err := os.CreateTemp(dir, prefix+"*") // 0600, and it must not exist
	if err != nil {
		return "", err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// placeNew gives a file its name if nothing has it. Where the file system has no hard links it looks before it renames, and
// only the lock of the home keeps another process from coming between.
func placeNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err // the name it was written under goes with the leftovers
	}
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// removeLeft removes what crashes have left: secrets in clear, perhaps, of a file that has a passphrase since.
func removeLeft(dir, prefix string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && e.Type().IsRegular() {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// syncDir makes a rename last. Where folders cannot be flushed there is nothing to do.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
