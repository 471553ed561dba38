package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
	"opentalk/engine/skiptest"
)

// What strangers can do to a process that listens. Small, these show that it goes on; `make hostile` measures.
var (
	junkFlag    = flag.Int("hostile.junk", 500, "junk first messages a second in TestT8JunkHandshakes")
	socketsFlag = flag.Int("hostile.sockets", 700, "slow sockets in TestT9SlowSockets")
	siegeFlag   = flag.Duration("hostile.time", 1500*time.Millisecond, "how long each siege lasts")
	joinersFlag = flag.Int("hostile.joins", 25, "how many join in TestT18FloodOfJoins, at most 950, a thousand a minute")
	lateFlag    = flag.Duration("hostile.late", patience, "what an honest dial may take, 99 times of 100")
)

// siegeMemory is what a process may take on for strangers; with the race detector each byte costs it up to ten.
func siegeMemory() int64 {
	built, _ := debug.ReadBuildInfo()
	if slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 320 << 20
	}
	return 32 << 20
}

// besieged is a process in a round, and what it was like before anybody came.
type besieged struct {
	*process
	t           *testing.T
	invite      string
	memory      int64
	descriptors int
}

func besiege(t *testing.T) *besieged {
	home, listen := filepath.Join(t.TempDir(), "alice"), "127.0.0.1:0"
	if runtime.GOOS == "linux" {
		listen = "127.0.0.2:0" // out of the way of the ports of those who call
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	identitytest.Keyring(t, home, 0)
	p, err := launch("alice", home, "--home", home, "--handle", "alice", "--listen", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	b := &besieged{process: p, t: t}
	p.listen = b.event("ready", `"listen":\["([^"]*)"`)
	p.say("/new friends")
	p.say("/invite")
	b.invite = b.event("invite", `"invite":"([^"]*)"`)
	if _, err := b.honest(); err != nil { // or what the first link needs would count as of the siege
		t.Fatal(err)
	}
	b.memory, b.descriptors = resident(p.cmd.Process.Pid, true), descriptors(p.cmd.Process.Pid)
	return b
}

// event waits for an event, and returns what the parentheses of a pattern match in it.
func (b *besieged) event(name, pattern string) (found string) {
	b.t.Helper()
	re := regexp.MustCompile(`"event":"` + name + `".*` + pattern)
	err := b.until(name+" like "+pattern, func(line string) bool {
		if m := re.FindStringSubmatch(line); m != nil {
			found = m[len(m)-1]
			return true
		}
		return false
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// honest links somebody who knows the round, as often as that takes, and tells how long it did.
func (b *besieged) honest() (time.Duration, error) {
	const again = time.Second // as the engine waits before it dials once more
	for begin := time.Now(); ; {
		nc, err := net.DialTimeout("tcp", b.listen, patience)
		if err == nil {
			var i *insider
			if i, err = enter(b.invite, 5, nc); err == nil {
				took := time.Since(begin)
				return took, i.conn.Close(0)
			}
		}
		if time.Since(begin) > patience {
			return 0, err
		}
		<-time.After(again)
	}
}

// during has honest people call while a besieger is at it, and returns how often the besieger got through. That is a process of
// its own: it would delay what else goes on in this one.
func (b *besieged) during(kind, where string, n int) int {
	attack := exec.Command("besieger", kind, where, b.listen, strconv.Itoa(n), siegeFlag.String())
	var told, failed bytes.Buffer
	attack.Stdout, attack.Stderr = &told, &failed
	if err := attack.Start(); err != nil {
		b.t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- attack.Wait() }()
	defer attack.Process.Kill()
	var took []time.Duration
	for tick := time.NewTicker(150 * time.Millisecond); len(over) == 0; <-tick.C { // below what a listener lets in a second
		d, err := b.honest()
		if err != nil {
			b.t.Fatalf("an honest dial does not get through: %v", err)
		}
		took = append(took, d)
	}
	ended := <-over
	times, err := strconv.Atoi(strings.TrimSpace(told.String()))
	if err := errors.Join(ended, err); err != nil {
		b.t.Fatalf("%v: %s", err, failed.String())
	}
	slices.Sort(took)
	p99 := took[(len(took)*99-1)/100]
	b.t.Logf("%d honest dials, median %v, p99 %v", len(took), took[len(took)/2], p99)
	if p99 > *lateFlag {
		b.t.Errorf("an honest dial takes %v, want at most %v", p99, *lateFlag)
	}
	return times
}

// after asks whether all is well, and then looks at what the siege has left: nothing but a little memory, once every socket of
// strangers is closed. It is the last that a test does, which ends there where the system does not tell.
func (b *besieged) after() {
	b.t.Helper()
	b.say("/status")
	b.t.Log(b.event("reply", `"(this run [^"]*)"`))
	if b.memory == 0 || b.descriptors == 0 {
		skiptest.Because(b.t, untold)
	}
	grown := resident(b.cmd.Process.Pid, false) - b.memory
	b.t.Logf("%.1f MiB more", float64(grown)/(1<<20))
	if most := siegeMemory(); grown > most {
		b.t.Errorf("%d bytes more are resident than before, want at most %d", grown, most)
	}
	now := 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if now = descriptors(b.cmd.Process.Pid); now <= b.descriptors {
			break
		}
	}
	if now > b.descriptors {
		b.t.Errorf("%d descriptors are open, and were %d before", now, b.descriptors)
	}
}

// resident is the memory that a process takes, at most since it was last asked with anew; 0 where it cannot be known.
func resident(pid int, anew bool) int64 {
	if anew {
		os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n << 10
}

// descriptors is how many a process has open; 0 where it cannot be known.
func descriptors(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(all)
}

// besiegers are where strangers come from: the address that honest people call from, and others.
func besiegers() []string {
	if runtime.GOOS == "linux" {
		return []string{"same", "other"}
	}
	return []string{"same"} // where only 127.0.0.1 is this machine
}

// TestT8JunkHandshakes: who throws junk first messages at a listener does not keep honest people out.
func TestT8JunkHandshakes(t *testing.T) {
	for _, where := range besiegers() {
		t.Run(where, func(t *testing.T) {
			b := besiege(t)
			thrown := b.during("junk", where, *junkFlag)
			t.Logf("%.0f junk first messages a second", float64(thrown)/siegeFlag.Seconds())
			if thrown == 0 {
				t.Error("no junk first message was read")
			}
			b.after()
		})
	}
}

// TestT9SlowSockets: sockets that say a byte a second, or half a message, or nothing, and come back when they are hung up on,
// neither keep honest people out nor take much memory.
func TestT9SlowSockets(t *testing.T) {
	for _, where := range besiegers() {
		t.Run(where, func(t *testing.T) {
			b := besiege(t)
			calls := b.during("slow", where, *socketsFlag)
			t.Logf("%d sockets called %d times", *socketsFlag, calls)
			if calls < *socketsFlag/2 {
				t.Errorf("only %d calls", calls)
			}
			if b.say("/status"); *socketsFlag > link.MaxUnproven {
				b.event("reply", `[ (]\d+ busy`)
			}
			b.after()
		})
	}
}

// TestT5ReplayedToAProcess: a first message that was recorded is answered once, and never again.
func TestT5ReplayedToAProcess(t *testing.T) {
	b := besiege(t)
	near, far := net.Pipe()
	var first bytes.Buffer
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		io.CopyN(&first, far, firstSize)
		far.Close()
	}()
	if _, err := enter(b.invite, 5, near); err == nil {
		t.Fatal("a recorder is a member")
	}
	<-recorded
	for n := range 100 {
		nc, err := net.Dial("tcp", b.listen)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		nc.Write(first.Bytes())
		if n > 0 {
			if answer, _ := io.ReadAll(nc); len(answer) > 0 {
				t.Errorf("replay %d is answered %d bytes", n, len(answer))
			}
		} else if answer, err := io.ReadAtLeast(nc, make([]byte, 1), 1); err != nil || answer == 0 {
			t.Errorf("the first message is not answered: %v", err)
		}
		nc.Close()
	}
	b.say("/status")
	b.event("reply", `[ (]99 replayed`)
	b.after()
}

// TestT18FloodOfJoins: while strangers join, a thousand a minute, what members say is seen, and the prompt answers.
func TestT18FloodOfJoins(t *testing.T) {
	b := besiege(t)
	talker, err := b.insiderFrom(1)
	if err != nil {
		t.Fatal(err)
	}
	defer talker.socket.Close()
	worst, begin := time.Duration(0), time.Now()
	tick := time.NewTicker(time.Minute / 1000)
	defer tick.Stop()
	for n := range *joinersFlag {
		<-tick.C
		i, err := b.insiderFrom(2 + n)
		if err != nil {
			t.Fatalf("joining as number %d: %v", n, err)
		}
		i.socket.Close()
		if n%10 != 0 {
			continue
		}
		asked := time.Now()
		b.say("/members")
		b.event("reply", `"command":"/members",(.)`)
		worst = max(worst, time.Since(asked))
	}
	t.Logf("%d joined in %v; the prompt answers within %v", *joinersFlag, time.Since(begin), worst)
	if worst > *lateFlag {
		t.Errorf("the prompt takes %v", worst)
	}
	b.say("/status")
	b.event("reply", fmt.Sprintf(`friends: (%d) members`, *joinersFlag+2))
}

// insiderFrom lets the nth stranger with an invite join.
func (b *besieged) insiderFrom(n int) (*insider, error) {
	nc, err := net.DialTimeout("tcp", b.listen, patience)
	if err != nil {
		return nil, err
	}
	i, err := enter(b.invite, n, nc)
	if err != nil {
		return nil, err
	}
	return i, i.join(0)
}
