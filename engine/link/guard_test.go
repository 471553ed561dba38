package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"
)

// clocked is a Guard on a clock that only a test moves.
func clocked() (*Guard, *time.Time) {
	now := time.Unix(1e9, 0)
	return NewGuard(func() time.Time { return now }), &now
}

func tcp(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 4000} }

// enter takes places and notes which have lost theirs.
func enter(g *Guard, lost map[string]bool, name string, addr net.Addr) *Slot {
	return g.Enter(addr, func() { lost[name] = true })
}

func TestGuardOldestUnprovenGoes(t *testing.T) {
	for source, limit := range map[string]int{"192.0.2.1": MaxUnprovenSource, "127.0.0.1": MaxUnproven} {
		g, _ := clocked()
		lost := make(map[string]bool)
		first := enter(g, lost, "first", tcp(source))
		if !first.Admit() {
			t.Fatal("not admitted")
		}
		oldest := enter(g, lost, "1", tcp(source))
		for n := 2; n < limit; n++ {
			enter(g, lost, fmt.Sprint(n), tcp(source))
		}
		if len(lost) > 0 {
			t.Fatalf("%s: lost before the limit: %v", source, lost)
		}
		if enter(g, lost, "newcomer", tcp(source)) == nil || len(lost) != 1 || !lost["1"] {
			t.Errorf("%s: lost %v", source, lost)
		}
		if oldest.Admit() {
			t.Errorf("%s: admitted after it lost its place", source)
		}
		if len(g.slots) != limit {
			t.Errorf("%s: %d slots", source, len(g.slots))
		}
	}
}

func TestGuardBoundsAll(t *testing.T) {
	g, _ := clocked()
	lost := make(map[string]bool)
	for n := range MaxUnproven {
		enter(g, lost, fmt.Sprint(n), tcp(fmt.Sprintf("192.0.2.%d", n)))
	}
	if enter(g, lost, "newcomer", tcp("198.51.100.1")) == nil || len(lost) != 1 || !lost["0"] {
		t.Errorf("lost %v", lost)
	}
}

func TestGuardAllProven(t *testing.T) {
	g, now := clocked()
	lost := make(map[string]bool)
	var slots []*Slot
	for n := range MaxUnprovenSource {
		s := enter(g, lost, fmt.Sprint(n), tcp("192.0.2.1"))
		if !s.Admit() {
			t.Fatal("not admitted")
		}
		*now = now.Add(time.Second)
		slots = append(slots, s)
	}
	if enter(g, lost, "newcomer", tcp("192.0.2.1")) != nil || len(lost) > 0 {
		t.Errorf("newcomer got a place; lost %v", lost)
	}
	slots[3].Leave()
	slots[3].Leave()
	if enter(g, lost, "newcomer", tcp("192.0.2.1")) == nil {
		t.Error("no place after one left")
	}
}

func TestGuardBuckets(t *testing.T) {
	g, now := clocked()
	admit := func(ip string) bool {
		s := g.Enter(tcp(ip), func() {})
		defer s.Leave()
		return s.Admit()
	}
	count := func(ip string, tries int) (n int) {
		for range tries {
			if admit(ip) {
				n++
			}
		}
		return n
	}
	if n := count("192.0.2.1", 100); n != SourceBurst {
		t.Errorf("burst of one source: %d", n)
	}
	if n := count("192.0.2.2", 100); n != TotalBurst-SourceBurst {
		t.Errorf("another source gets %d", n)
	}
	if n := count("192.0.2.3", 100); n != 0 {
		t.Errorf("past the total: %d", n)
	}
	*now = now.Add(time.Second)
	if n := count("192.0.2.1", 100); n != SourceRate {
		t.Errorf("a second later: %d", n)
	}
	if n := count("127.0.0.1", 100); n != TotalRate-SourceRate {
		t.Errorf("local callers: %d", n)
	}
	*now = now.Add(time.Minute)
	if n := count("127.0.0.1", 100); n != TotalBurst {
		t.Errorf("local callers are bounded by source: %d", n)
	}
}

// What is refused by one bucket is not charged to the other.
func TestGuardChargesBothOrNone(t *testing.T) {
	g, now := clocked()
	s := g.Enter(tcp("192.0.2.1"), func() {})
	for range SourceBurst + 100 {
		s.Admit()
	}
	if got := g.total.TokensAt(*now); got != TotalBurst-SourceBurst {
		t.Errorf("%v of the total are left", got)
	}
	g.total.AllowN(*now, TotalBurst-SourceBurst)
	other := g.Enter(tcp("192.0.2.2"), func() {})
	for range SourceBurst {
		if other.Admit() {
			t.Fatal("admitted past the total")
		}
	}
	*now = now.Add(time.Second)
	for n := range SourceRate + 1 {
		if !other.Admit() {
			t.Fatalf("attempt %d: the source was charged for what the total refused", n)
		}
	}
}

func TestGuardForgetsSources(t *testing.T) {
	g, now := clocked()
	for n := range 100_000 {
		s := g.Enter(tcp(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)), func() {})
		s.Admit()
		s.Leave()
		*now = now.Add(10 * time.Millisecond)
	}
	if n := len(g.sources); n > 100 {
		t.Errorf("remembers %d sources", n)
	}
}

func TestGuardSources(t *testing.T) {
	for _, c := range []struct {
		a, b net.Addr
		same bool
	}{
		{tcp("192.0.2.1"), tcp("192.0.2.2"), false},
		{tcp("192.0.2.1"), tcp("::ffff:192.0.2.1"), true},
		{tcp("2001:db8:1:2::1"), tcp("2001:db8:1:2:ffff::9"), true},
		{tcp("2001:db8:1:2::1"), tcp("2001:db8:1:3::1"), false},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth1"}, true},
	} {
		a, b := sourceOf(c.a), sourceOf(c.b)
		if !a.IsValid() || (a == b) != c.same {
			t.Errorf("%v and %v: %v and %v", c.a, c.b, a, b)
		}
	}
	for _, local := range []net.Addr{nil, tcp("127.0.0.1"), tcp("127.9.9.9"), tcp("::1"), tcp("::ffff:127.0.0.1"), &net.UnixAddr{Name: "/p", Net: "unix"}} {
		if s := sourceOf(local); s.IsValid() {
			t.Errorf("%v is bounded as %v", local, s)
		}
	}
}

func inUse(g *Guard) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.slots)
}

// A connection that says nothing makes room for one that does, and its goroutine ends.
func TestT8NewcomerGetsThrough(t *testing.T) {
	guard, gate := NewGuard(time.Now), gateFor(roundNamed(1))
	ended := make(chan error, MaxUnproven)
	for range MaxUnproven {
		_, y := tcpPair(t)
		go func() {
			_, err := Accept(context.Background(), y, as(t, "bob"), AcceptConfig{Gate: gate, Guard: guard})
			ended <- err
		}()
	}
	for inUse(guard) < MaxUnproven {
		time.Sleep(time.Millisecond)
	}
	x, y := tcpPair(t)
	d, a := meet(t, x, y, nobody, func(c *AcceptConfig, _ *Self) { c.Gate, c.Guard = gate, guard })
	if d.err != nil || a.err != nil {
		t.Fatal(d.err, a.err)
	}
	if err := <-ended; !errors.Is(err, ErrBusy) {
		t.Errorf("the oldest ended with %v", err)
	}
	guard.mu.Lock()
	rest := append([]*Slot(nil), guard.slots...)
	guard.mu.Unlock()
	if len(rest) != MaxUnproven-1 {
		t.Errorf("%d slots in use, want %d", len(rest), MaxUnproven-1)
	}
	for _, s := range rest {
		s.drop()
	}
	for range rest {
		<-ended
	}
}
