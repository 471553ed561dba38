package engine_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/identity/identitytest"
)

// at opens the engine of a home that exists.
func at(t testing.TB, dir string, network *counting) *engine.Engine {
	t.Helper()
	cfg := engine.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}}
	if network != nil {
		cfg.Network = network
	}
	e, err := engine.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// newcomer is the home of a device that is in no round.
func newcomer(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	identitytest.Keyring(t, dir, longAuthors+1)
	return dir
}

// drain reads events that nobody looks at.
func drain(e *engine.Engine) {
	go func() {
		for range e.Events() {
		}
	}()
}

// arrival is what the front of a newcomer saw of a long history.
type arrival struct {
	provisional, after int // lines, and those told later as usual
	twice              int
	early              bool // the provisional ones came before any other
	first, all         time.Duration
	progress           []engine.ProgressEvent
	heap               uint64 // most that was seen
}

// arrive lets a newcomer into a round and watches until it has n lines.
func arrive(t testing.TB, e *engine.Engine, inv engine.Invite, n int) (a arrival) {
	t.Helper()
	begin := time.Now()
	joined := make(chan error, 1)
	go func() {
		_, err := e.Join(context.Background(), inv)
		joined <- err
	}()
	a.watch(t, e, begin, n)
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *arrival) watch(t testing.TB, e *engine.Engine, begin time.Time, n int) {
	t.Helper()
	seen := make(map[engine.MessageID]bool, n)
	late := time.After(5 * time.Minute)
	for done := false; !done; {
		select {
		case ev := <-e.Events():
			switch ev := ev.(type) {
			case engine.MessageEvent:
				a.line(ev.Message, seen, begin)
			case engine.ProgressEvent:
				a.progress = append(a.progress, ev)
				done = ev.Done == ev.Total
			case engine.ErrorEvent:
				t.Fatal(ev.Err)
			}
		case <-late:
			t.Fatalf("%d of %d lines", len(seen), n)
		}
	}
	if a.all = time.Since(begin); len(seen) != n {
		t.Errorf("%d lines of %d", len(seen), n)
	}
}

func (a *arrival) line(m engine.Message, seen map[engine.MessageID]bool, begin time.Time) {
	if seen[m.ID] {
		a.twice++
	}
	seen[m.ID] = true
	switch {
	case m.Provisional:
		if a.provisional++; a.provisional == 100 {
			a.first = time.Since(begin)
		}
		a.early = a.after == 0
	default:
		a.after++
	}
	if len(seen)%2000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		a.heap = max(a.heap, m.HeapAlloc)
	}
}

// same checks that two engines hold the same round.
func same(t testing.TB, a, b *engine.Engine, tag engine.Tag) {
	t.Helper()
	ra, rb := only(t, a), only(t, b)
	if ra.Blocks != rb.Blocks {
		t.Errorf("%d blocks here, %d there", ra.Blocks, rb.Blocks)
	}
	var before engine.Position
	for {
		ha, err := a.History(tag, before, engine.MaxHistory)
		if err != nil {
			t.Fatal(err)
		}
		hb, err := b.History(tag, before, engine.MaxHistory)
		if err != nil || len(ha) != len(hb) {
			t.Fatalf("%d lines, %d there: %v", len(ha), len(hb), err)
		}
		if len(ha) == 0 {
			return
		}
		for i := range ha {
			if ha[i].Block != hb[i].Block || ha[i].ID != hb[i].ID {
				t.Fatalf("line %q where there is %q", ha[i].Text, hb[i].Text)
			}
		}
		before = ha[0].At
	}
}

func only(t testing.TB, e *engine.Engine) engine.Round {
	t.Helper()
	rounds, err := e.Rounds()
	if err != nil || len(rounds) != 1 {
		t.Fatal(rounds, err)
	}
	return rounds[0]
}

// heapLimit is what two engines may have in memory during a catch-up, however long: BenchmarkCatchUp looks at longer ones.
const heapLimit = 64 << 20

// TestNewcomer: who comes to a long history reads its newest lines at once, has all of it soon, each line told once, in
// memory that has nothing to do with its length, and is told how far it is.
func TestNewcomer(t *testing.T) {
	const n = 5_000
	long := longHistory(t, n)
	alice, bob := at(t, long.home(t), nil), at(t, newcomer(t), nil)
	drain(alice)
	inv, err := alice.Invite(long.tag)
	if err != nil {
		t.Fatal(err)
	}
	a := arrive(t, bob, inv, n)
	t.Logf("first hundred lines after %v, all after %v, heap %d MiB, %d times told", a.first, a.all, a.heap>>20, len(a.progress))
	if a.provisional < 100 || !a.early || a.twice > 0 {
		t.Errorf("%d provisional lines, before the others %v; %d lines told twice", a.provisional, a.early, a.twice)
	}
	if a.heap > heapLimit {
		t.Errorf("heap of %d bytes, of two engines, exceeds %d", a.heap, heapLimit)
	}
	if most := int(a.all/(250*time.Millisecond)) + 2; len(a.progress) > most {
		t.Errorf("progress told %d times in %v", len(a.progress), a.all)
	}
	same(t, alice, bob, long.tag)
}

// TestInterruptedCatchUp: a link that breaks in the middle costs what was under way on it, and nothing that is durable is
// fetched again, not even after a restart.
func TestInterruptedCatchUp(t *testing.T) {
	const n = 5_000
	long := longHistory(t, n)
	network := &counting{}
	alice := at(t, long.home(t), network)
	drain(alice)
	inv, err := alice.Invite(long.tag)
	if err != nil {
		t.Fatal(err)
	}
	whole := bytesOf(t, inv, n)

	dir, broken := newcomer(t), &counting{}
	broken.most.Store(whole)
	bob := at(t, dir, broken)
	drain(bob)
	bob.Join(context.Background(), inv)
	for only(t, bob).Blocks < n/3 {
		time.Sleep(time.Millisecond)
	}
	broken.most.Store(1) // whatever is read from now on is an error
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}

	rest := &counting{}
	bob = at(t, dir, rest)
	had := only(t, bob).Blocks
	if had < n/3 || had >= long.blocks {
		t.Fatalf("%d of %d blocks are durable after a third had come", had, long.blocks)
	}
	var a arrival
	a.watch(t, bob, time.Now(), n-had+longAuthors+2) // genesis, first blocks: also of bytesOf and of bob
	same(t, alice, bob, long.tag)
	if most := whole*int64(long.blocks-had)/int64(long.blocks) + whole/20; rest.in.Load() > most {
		t.Errorf("%d bytes came for %d blocks, want at most %d of %d", rest.in.Load(), long.blocks-had, most, whole)
	}
	t.Logf("%d bytes for %d blocks; resumed with %d, %d bytes", whole, long.blocks, had, rest.in.Load())
}

// bytesOf is what one catch-up takes that nothing interrupts.
func bytesOf(t *testing.T, inv engine.Invite, n int) int64 {
	network := &counting{}
	e := at(t, newcomer(t), network)
	arrive(t, e, inv, n)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return network.in.Load()
}

// TestSlowFront: while the front reads nothing, neither does the engine, so that nothing piles up; it goes on where it was.
func TestSlowFront(t *testing.T) {
	const n = 5_000
	long := longHistory(t, n)
	alice, bob := at(t, long.home(t), nil), at(t, newcomer(t), nil)
	drain(alice)
	inv, err := alice.Invite(long.tag)
	if err != nil {
		t.Fatal(err)
	}
	go bob.Join(context.Background(), inv)
	time.Sleep(1500 * time.Millisecond)
	rounds, err := bob.Rounds()
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) == 1 && rounds[0].Blocks > n/2 {
		t.Errorf("%d blocks were taken in for a front that reads nothing", rounds[0].Blocks)
	}
	var a arrival
	a.watch(t, bob, time.Now(), n)
	same(t, alice, bob, long.tag)
}
