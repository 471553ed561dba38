package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"opentalk/engine/enginetest"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/skiptest"
)

var (
	longBlocks = flag.Int("long.blocks", 2000, "play TestLong with a history of so many messages")
	longHome   = flag.String("long.home", "", "keep the home with the history there, and use it again")
)

// What a process may take while it has a round of any length, in bytes of memory that is its own or mapped.
const (
	idleRSS  = 60 << 20
	catchRSS = 100 << 20
)

// A home with readyBlocks, or more, is open within readyIn. A shorter one is, too, but is not measured: it is opened while other
// tests keep the machine busy.
const (
	readyBlocks = 100_000
	readyIn     = time.Second
)

// TestLong is a round of years: a process that has it starts at once, serves it to a newcomer, and neither it nor the newcomer
// ever takes more memory than for a short one. It says what it has measured. See `make long`.
func TestLong(t *testing.T) {
	dir := t.TempDir()
	program(t, dir)
	alice := *longHome
	if alice == "" {
		alice = filepath.Join(dir, "alice")
	}
	if _, err := os.Stat(alice); err != nil {
		begin := time.Now()
		if _, err := enginetest.History(alice, *longBlocks); err != nil {
			t.Fatal(err)
		}
		t.Logf("written in %v", time.Since(begin).Round(time.Second))
	}
	identitytest.Keyring(t, newHome(t, dir), 20)

	begin := time.Now()
	a := longPeer(t, dir, alice)
	awaitEvent(t, a, "ready", nil)
	ready := time.Since(begin)
	t.Logf("start to ready: %v", ready)
	if *longBlocks >= readyBlocks && ready > readyIn {
		t.Errorf("more than %v", readyIn)
	}
	if rss(a) == 0 {
		skiptest.Because(t, untold)
	}
	idle(t, a, "before anybody comes")
	a.say("/invite")
	invite := awaitEvent(t, a, "invite", nil)["invite"].(string)

	b := longPeer(t, dir, filepath.Join(dir, "newcomer"))
	begin = time.Now()
	b.say("/join " + invite)
	peak := watchRSS(a, b)
	awaitEvent(t, b, "progress", func(ev map[string]any) bool { return ev["done"] == ev["total"] })
	took := time.Since(begin)
	server, newcomer := peak()
	t.Logf("caught up in %v, %d blocks/s; most RSS of the server %d MiB, of the newcomer %d MiB",
		took.Round(time.Second), int(float64(*longBlocks)/took.Seconds()), server>>20, newcomer>>20)
	if server > catchRSS || newcomer > catchRSS {
		t.Errorf("more than %d MiB", catchRSS>>20)
	}
	idle(t, a, "the server, after")
	idle(t, b, "the newcomer, after")
}

// program puts opentalk as it is shipped where launch finds it.
func program(t *testing.T, dir string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "bin")+"/", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func newHome(t *testing.T, dir string) string {
	t.Helper()
	dir = filepath.Join(dir, "newcomer")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func longPeer(t *testing.T, dir, home string) *process {
	t.Helper()
	p, err := launch(filepath.Base(home), dir, "--home", home, "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// awaitEvent takes events until there is one of a kind that fits, without keeping them.
func awaitEvent(t *testing.T, p *process, kind string, fits func(map[string]any) bool) map[string]any {
	t.Helper()
	late := time.After(30 * time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("%s ended: %s", p.name, p.stderr.String())
			}
			if !strings.Contains(line, `"event":"`+kind+`"`) {
				continue
			}
			var ev map[string]any
			if err := json.Unmarshal([]byte(line), &ev); err != nil {
				t.Fatal(err)
			}
			if ev["event"] == kind && (fits == nil || fits(ev)) {
				return ev
			}
		case <-late:
			t.Fatalf("%s: no %s", p.name, kind)
		}
	}
}

// rss is what memory a process takes.
func rss(p *process) int { return rssOf(p.cmd.Process.Pid) }

func rssOf(pid int) int {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(raw), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(after + " 0")[0])
	return kib << 10
}

// watchRSS watches two processes until it is asked for the most that each took.
func watchRSS(a, b *process) (peak func() (a, b int)) {
	stop, most := make(chan struct{}), make(chan [2]int)
	go func() {
		var top [2]int
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				top[0], top[1] = max(top[0], rss(a)), max(top[1], rss(b))
			case <-stop:
				most <- top
				return
			}
		}
	}()
	return func() (int, int) {
		close(stop)
		top := <-most
		return top[0], top[1]
	}
}

// idle checks what a process takes once it has nothing to do, for a while.
func idle(t *testing.T, p *process, when string) {
	t.Helper()
	const look, calm = 50 * time.Millisecond, 5 // so often in a row, in looks
	most, low := 0, 0
	for late := time.Now().Add(10 * time.Second); low < calm && time.Now().Before(late); time.Sleep(look) {
		now := rss(p)
		if low++; now > idleRSS {
			most, low = 0, 0
		}
		most = max(most, now)
	}
	t.Logf("idle, %s: %d MiB", when, most>>20)
	if low < calm {
		t.Errorf("more than %d MiB", idleRSS>>20)
	}
}
