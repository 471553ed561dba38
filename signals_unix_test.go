//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestTwoSignalsAtOnceAreOne: signals that come together, as timeout(1) sends its own twice, ask once. The program closes as it
// does after one: others may have the home, and there is nothing to do again in it.
func TestTwoSignalsAtOnceAreOne(t *testing.T) {
	dir := t.TempDir()
	alice := spawn(t, dir, "alice", 0)
	alice.say("/new friends")
	first(t, alice, `"event":"round".*"(friends)"`)
	store := filepath.Join(dir, "alice", "rounds.db")
	for _, beside := range []string{".journal", ".pid"} {
		if _, err := os.Stat(store + beside); err != nil {
			t.Fatal(err)
		}
	}
	pid := alice.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP) // until both are there; two of one kind would be one to the system, too
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		t.Fatal(state, err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGCONT} {
		syscall.Kill(pid, sig)
	}
	if status, err := alice.wait(); status != statusInterrupted || err != nil {
		t.Errorf("it ends with %d, %v", status, err)
	}
	for _, beside := range []string{".journal", ".pid"} {
		if _, err := os.Stat(store + beside); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", beside, err)
		}
	}
}
