package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

func (s *Store) pidPath() string { return s.path + ".pid" }

// writePID says who has the store, once it is locked. It is only there to be shown: the lock is what counts, and so only a
// folder that may not be written to is an error.
func (s *Store) writePID() error {
	path := s.pidPath()
	os.Remove(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		return nil
	}
	f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	f.Close()
	return nil
}

// readPID returns who has the store, or 0.
func (s *Store) readPID() int {
	info, err := os.Lstat(s.pidPath())
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	f, err := os.Open(s.pidPath())
	if err != nil {
		return 0
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
