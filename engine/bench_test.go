package engine_test

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// Absolute times say more of the machine than of the program, so beside each figure stands what the machine itself can do,
// measured in the same run, and their ratio: x-… is how many times as long it takes.
var benchBlocks = flag.Int("engine.blocks", 10_000, "blocks in the round that benchmarks catch up with and open")

// times is how long f takes, the best of n.
func times(n int, f func()) time.Duration {
	best := time.Duration(1 << 62)
	for range n {
		begin := time.Now()
		f()
		best = min(best, time.Since(begin))
	}
	return best
}

// roundTrip is how long one byte takes over loopback and back.
func roundTrip(b *testing.B) time.Duration {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		if nc, err := l.Accept(); err == nil {
			io.Copy(nc, nc)
			nc.Close()
		}
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	one := make([]byte, 1)
	return times(200, func() {
		_, err := nc.Write(one)
		if err == nil {
			_, err = io.ReadFull(nc, one)
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

// flush is how long it takes to write a page and to have it on the disk.
func flush(b *testing.B) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "flush"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	return times(20, func() {
		_, err := f.WriteAt(page, 0)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

// verifications is how many signatures a second all cores verify.
func verifications(b *testing.B) float64 {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	const each = 2000
	text := make([]byte, 300)
	sig := ed25519.Sign(key, text)
	cores := runtime.GOMAXPROCS(0)
	took := times(1, func() {
		var wg sync.WaitGroup
		for range cores {
			wg.Go(func() {
				for range each {
					ed25519.Verify(pub, text, sig)
				}
			})
		}
		wg.Wait()
	})
	return float64(cores*each) / took.Seconds()
}

func BenchmarkHandshake(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	secret := identity.RoundIDOf([]byte("a round"))
	round := link.NewRound(secret.Tag(), secret.LinkKey())
	self := func(i int) link.Self {
		return link.Self{Key: identitytest.Device(i), Credential: identitytest.Credential(i), Verifier: &identity.Verifier{}}
	}
	var clock atomic.Int64 // a second later at every look, or the guard would hold callers up
	cfg := link.AcceptConfig{
		Gate:  link.Gate{Rounds: func() []*link.Round { return []*link.Round{round} }, Replay: &link.Replay{}},
		Guard: link.NewGuard(func() time.Time { return time.Unix(clock.Add(1), 0) }),
	}
	server, client := self(0), self(1)
	conns := make(chan *link.Conn, 1)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conn, _ := link.Accept(context.Background(), nc, server, cfg)
			conns <- conn
		}
	}()
	rtt := roundTrip(b)
	for b.Loop() {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		conn, err := link.Dial(context.Background(), nc, client, round, identity.Fingerprint{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		other := <-conns
		go conn.Close(link.ReasonDone)
		other.Close(link.ReasonDone)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(rtt), "x-round-trip")
}

// group is a round of n people who are all linked, and what the others have been shown.
type group struct {
	b       *testing.B
	tag     engine.Tag
	engines []*engine.Engine
	shown   chan struct{} // a token for every line that one of the others is shown
}

func newGroup(b *testing.B, n int) *group {
	g := &group{b: b, shown: make(chan struct{}, 1<<16)}
	online := make(chan struct{}, n*n)
	var inv engine.Invite
	for i := range n {
		dir := b.TempDir()
		identitytest.Keyring(b, dir, i)
		e := at(b, dir, nil)
		g.engines = append(g.engines, e)
		go func() {
			for ev := range e.Events() {
				switch ev := ev.(type) {
				case engine.MessageEvent:
					g.shown <- struct{}{}
				case engine.PeerEvent:
					if i == 0 && ev.State == engine.Online && ev.RTT > 0 {
						online <- struct{}{}
					}
				}
			}
		}()
		if i > 0 {
			if _, err := e.Join(context.Background(), inv); err != nil {
				b.Fatal(err)
			}
			<-online
			continue
		}
		round, err := e.New("bench")
		if err == nil {
			g.tag = round.Tag
			inv, err = e.Invite(round.Tag)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	g.say("first")
	g.all(1)
	return g
}

func (g *group) say(text string) {
	if _, err := g.engines[0].Send(g.tag, text, engine.Plain, false); err != nil {
		g.b.Error(err)
	}
}

// all waits until everybody else was shown n lines.
func (g *group) all(n int) {
	late := time.After(time.Minute)
	for range n * (len(g.engines) - 1) {
		select {
		case <-g.shown:
		case <-late:
			g.b.Fatal("lines are missing")
		}
	}
}

// BenchmarkSend is from a call of Send until everybody else is shown the line: one after another, beside a flush and a
// round trip, which is the least it can take; and many at once.
func BenchmarkSend(b *testing.B) {
	const burst = 500
	for _, n := range []int{2, 10} {
		b.Run(fmt.Sprintf("%d paced", n), func(b *testing.B) {
			g := newGroup(b, n)
			least := flush(b) + roundTrip(b)
			for b.Loop() {
				g.say("hello")
				g.all(1)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(least), "x-flush")
		})
		b.Run(fmt.Sprintf("%d burst", n), func(b *testing.B) {
			g := newGroup(b, n)
			for b.Loop() {
				var wg sync.WaitGroup
				for range burst {
					wg.Go(func() { g.say("hello") })
				}
				g.all(burst)
				wg.Wait()
			}
			b.ReportMetric(burst*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// BenchmarkCatchUp lets a newcomer into a long round, with both of them on this machine, beside the bare verification of
// as many signatures.
func BenchmarkCatchUp(b *testing.B) {
	long := longHistory(b, *benchBlocks)
	alice := at(b, long.home(b), nil)
	drain(alice)
	inv, err := alice.Invite(long.tag)
	if err != nil {
		b.Fatal(err)
	}
	limit := verifications(b)
	var first time.Duration
	for b.Loop() {
		b.StopTimer()
		bob := at(b, newcomer(b), nil)
		b.StartTimer()
		a := arrive(b, bob, inv, long.lines)
		b.StopTimer()
		first = max(first, a.first)
		bob.Close()
		b.StartTimer()
	}
	rate := float64(b.N*long.blocks) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "blocks/s")
	b.ReportMetric(limit, "verifications/s")
	b.ReportMetric(limit/rate, "x-verification")
	b.ReportMetric(float64(first.Milliseconds()), "ms-first-hundred")
}

// BenchmarkOpen opens a home with a long round, beside opening its store alone.
func BenchmarkOpen(b *testing.B) {
	long := longHistory(b, *benchBlocks)
	dir := long.home(b)
	e := at(b, dir, nil) // the first time something may have to be written
	drain(e)
	e.Close()
	bare := times(3, func() {
		s, err := store.Open(filepath.Join(dir, "rounds.db"))
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	})
	for b.Loop() {
		e := at(b, dir, nil)
		b.StopTimer()
		drain(e)
		e.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(bare), "x-store")
}

// BenchmarkReconnect counts what two who hold the same say to each other when they meet again: bytes of both directions,
// whatever the length of the round.
func BenchmarkReconnect(b *testing.B) {
	long := longHistory(b, *benchBlocks)
	alice := at(b, long.home(b), nil)
	drain(alice)
	inv, err := alice.Invite(long.tag)
	if err != nil {
		b.Fatal(err)
	}
	dir, network := newcomer(b), &counting{}
	bob := at(b, dir, network)
	arrive(b, bob, inv, long.lines)
	bob.Close()
	network.in.Store(0)
	network.out.Store(0)
	for b.Loop() {
		bob := at(b, dir, network)
		for ev := range bob.Events() {
			if peer, ok := ev.(engine.PeerEvent); ok && peer.State == engine.Online && peer.RTT > 0 {
				break
			}
		}
		b.StopTimer()
		bob.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(network.in.Load()+network.out.Load())/float64(b.N), "bytes")
}
