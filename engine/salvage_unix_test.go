//go:build unix

package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"opentalk/engine"
	"opentalk/engine/skiptest"
)

// fullEnv makes the test binary a process that opens the home in it while no file may grow beyond 64 KiB.
const fullEnv = "OPENTALK_TEST_FULL"

func init() { children[fullEnv] = openFull }

func openFull(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println("skip", err)
		return
	}
	_, err := engine.Open(engine.Config{Dir: dir, Listen: []string{"none"}})
	fmt.Println(errors.Is(err, engine.ErrStoreDamaged), errors.Is(err, engine.ErrReadOnly), err)
}

// TestSalvageFullDisk: when there is no room for the new store, the home stays as it was, damage included, and opens when
// there is.
func TestSalvageFullDisk(t *testing.T) {
	s := newEstate(t)
	path := filepath.Join(s.alice, "rounds.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:8192])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	before := files(t, s.alice)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fullEnv+"="+s.alice)
	out, err := cmd.CombinedOutput()
	if bytes.HasPrefix(out, []byte("skip")) {
		skiptest.Because(t, "%s", out)
	}
	if err != nil || !bytes.HasPrefix(out, []byte("true true ")) {
		t.Errorf("%s: %v", out, err)
	}
	after := files(t, s.alice)
	for name := range after {
		if after[name] != before[name] {
			t.Errorf("%s has changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
	if how := s.rescue(t, s.alice); how != "1 salvaged" {
		t.Error(how)
	}
}

// files are the contents of a folder.
func files(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(raw)
	}
	return all
}
