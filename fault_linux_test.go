package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"opentalk/engine/skiptest"
)

// failFlushes makes every flush of the store of a running process fail from now on. End makes them work again, and returns how
// many there were.
func failFlushes(t *testing.T, pid int) (end func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	cmd := exec.Command("strace", "-f", "-o", log, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-p", fmt.Sprint(pid))
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		skiptest.Because(t, "%v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		skiptest.Because(t, "strace: %q, %v", line, err)
	}
	return func() int {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		return strings.Count(string(text), "(INJECTED)")
	}
}

// TestDiskFails: a process whose disk fails says so, acknowledges nothing any more, neither to the others nor to its own person,
// and does not try again. Started anew, with a disk that works, it has what the others said.
func TestDiskFails(t *testing.T) {
	members := people(t, 1, 3)
	gather(t, members)
	alice, bob, carol := members[0], members[1], members[2]
	for _, m := range members {
		m.lastWord(2)
	}
	bob.fault = "read-only"
	end := failFlushes(t, bob.process.cmd.Process.Pid)
	first := alice.acknowledged("can you keep this?")
	bob.await("word of the disk", func() bool { return bob.told["error"] != "" })
	var said int
	bob.look(func() { said = len(bob.acked); delete(bob.told, "error") })
	bob.say("can I say this?")
	bob.await("word that it cannot", func() bool { return bob.told["error"] != "" })
	last := carol.acknowledged("and this?")
	carol.await("alice to hold it", func() bool { return carol.held[last] > 0 })
	alice.await("carol to hold the first", func() bool { return alice.held[first] > 0 })
	if tried := end(); tried != 1 {
		t.Errorf("it has flushed %d times", tried)
	}
	for _, m := range []*member{alice, carol} {
		m.look(func() {
			if n := m.held[first] + m.held[last]; n != 1 {
				t.Errorf("%s is told of %d who hold it, not of one", m.name, n)
			}
		})
	}
	bob.look(func() {
		if len(bob.acked) != said {
			t.Error("it acknowledges what it does not keep")
		}
	})
	bob.process.cmd.Process.Kill()
	<-bob.ended
	bob.fault = ""
	bob.start()
	alice.await("bob to hold the first", func() bool { return alice.held[first] == 2 })
	carol.await("bob to hold the second", func() bool { return carol.held[last] == 2 })
	for _, m := range members {
		m.finish()
	}
	compare(t, members)
}
