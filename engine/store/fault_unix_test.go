//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"opentalk/engine/skiptest"
)

func init() {
	children["full"] = fullDisk
	children["nobody"] = func(path string) {
		if err := syscall.Setuid(65534); err != nil {
			fmt.Println("skip", err)
			return
		}
		_, err := Open(path)
		var pe *fs.PathError
		fmt.Println(errors.As(err, &pe) && errors.Is(err, fs.ErrPermission), err)
	}
}

// fullDisk writes until the system allows no bigger file, and one step more. It prints the steps that were acknowledged.
func fullDisk(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println("skip", err)
		return
	}
	s, err := Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	n := uint64(0)
	for {
		next, err := crashNext(s, n)
		if err != nil {
			fmt.Println(n, errors.Is(err, ErrReadOnly))
			break
		}
		n = next
	}
	called := false
	again := s.Write(func(Tx) error { called = true; return nil })
	count, err := s.Count(testTag)
	fmt.Println(errors.Is(again, ErrReadOnly), !called, count <= 5*n, err, s.Close())
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	_, out := child(t, "full", path)
	out.Scan()
	if strings.HasPrefix(out.Text(), "skip") {
		skiptest.Because(t, "%s", out.Text())
	}
	var n uint64
	var readOnly bool
	if _, err := fmt.Sscan(out.Text(), &n, &readOnly); err != nil || !readOnly || n == 0 {
		t.Fatalf("%s: %v", out.Text(), err)
	}
	out.Scan()
	if out.Text() != "true true true <nil> <nil>" {
		t.Error(out.Text())
	}
	if last := afterKill(t, path, n); last != n {
		t.Errorf("step %d, and %d was acknowledged", last, n)
	}
	s := open(t, path) // with room again it goes on
	if _, err := crashNext(s, n); err != nil {
		t.Error(err)
	}
}

// TestFailedFlush takes the files away under the store: the journal, and that of bbolt, which misses it only when it commits
// what the journal has.
func TestFailedFlush(t *testing.T) {
	for kept, lose := range map[uint64]func(*Store){
		20: func(s *Store) { s.journal.file.Close() },
		30: func(s *Store) {
			s.file.Close()
			write(t, s, func(t Tx) error { return addBlocks(t, 20, 30) })
			s.settle()
		},
	} {
		path := filepath.Join(t.TempDir(), "store")
		s := fill(t, path, 20)
		s.settle()
		lose(s)
		calls := 0
		for range 3 {
			err := s.Write(func(t Tx) error { calls++; return addBlocks(t, 30, 40) })
			if !errors.Is(err, ErrReadOnly) || !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		}
		if calls > 1 {
			t.Errorf("tried %d times", calls)
		}
		if blocks, err := s.Before(testTag, End, Limit{}); err != nil || len(blocks) != 20 {
			t.Error(len(blocks), err)
		}
		s.Close()
		s = open(t, path)
		if n, err := s.Count(testTag); n != kept || err != nil {
			t.Errorf("%d blocks, not %d: %v", n, kept, err)
		}
	}
}

// TestTruncatedWhileOpen takes the end of the file away from a store that is open: reading there is a bus error.
func TestTruncatedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 300)
	s.settle()
	r, _, err := readRoots(s.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{int64(r.pages*r.pageSize) / 2, 3 * 4096} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		bad := 0
		for n := range 300 {
			e, _, _ := testBlock(n)
			_, ok, err := s.Block(testTag, e.ID)
			if !ok && !errors.Is(err, ErrDamaged) {
				t.Fatal(n, err)
			}
			if err != nil {
				bad++
			}
		}
		if bad == 0 {
			t.Error("nothing was missed")
		}
	}
	if err := s.Write(func(t Tx) error { return addBlocks(t, 300, 310) }); !errors.Is(err, ErrReadOnly) || !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFolder opens a store in a folder where nothing may be made.
func TestFolder(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "store")
	if os.Getuid() == 0 {
		cmd := exec.Command(os.Args[0], path)
		cmd.Env = append(os.Environ(), childEnv+"=nobody")
		out, err := cmd.Output()
		if err != nil || string(out[:4]) != "true" {
			t.Errorf("%s %v", out, err)
		}
		return
	}
	fill(t, path, 1).Close()
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o700)
	for _, path := range []string{path, path + "2"} {
		_, err := Open(path)
		var pe *fs.PathError
		if !errors.As(err, &pe) || !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
}
