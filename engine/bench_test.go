package engine_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

// These measure the engine within one process, for a profile. What people wait for, between processes, is in examples/bench.
//
// Absolute times say more of the machine than of the program, so beside each figure stands what the machine itself can do,
// measured in the same run, and their ratio: x-… is how many times as long it takes.
var benchBlocks = flag.Int("engine.blocks", 10_000, "blocks in the round that benchmarks catch up with and search")

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

// listenOn gives a listener of this machine whose callers f takes, one after another.
func listenOn(b *testing.B, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for nc, err := l.Accept(); err == nil; nc, err = l.Accept() {
			f(nc)
		}
	}()
	return l.Addr().String()
}

// dialTo opens a connection, which is no part of a handshake, and yet of how long it takes.
func dialTo(b *testing.B, addr string) net.Conn {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return nc
}

// ourHandshake gives a function that takes two devices from a dial to a link that both can use, and one that ends it. They
// have met before: credentials are remembered, as they are by an engine that runs.
func ourHandshake(b *testing.B) (begin func(), end func()) {
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
	addr := listenOn(b, func(nc net.Conn) {
		conn, _ := link.Accept(context.Background(), nc, server, cfg)
		conns <- conn
	})
	var near, far *link.Conn
	begin = func() {
		var err error
		if near, err = link.Dial(context.Background(), dialTo(b, addr), client, round, identity.Fingerprint{}); err != nil {
			b.Fatal(err)
		}
		if far = <-conns; far == nil {
			b.Fatal("not accepted")
		}
	}
	end = func() {
		go near.Close(link.ReasonDone)
		far.Close(link.ReasonDone)
	}
	begin()
	end()
	return begin, end
}

// tlsHandshake is the same of Go's TLS 1.3 with X25519MLKEM768 and a certificate with an RSA-2048 key on both sides.
func tlsHandshake(b *testing.B) (begin func(), end func()) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"bench"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	cfg := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: pool, ClientCAs: pool, ServerName: "bench",
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768},
	}
	conns := make(chan *tls.Conn, 1)
	addr := listenOn(b, func(nc net.Conn) {
		conn := tls.Server(nc, cfg)
		if conn.Handshake() != nil {
			conn = nil
		}
		conns <- conn
	})
	var near, far *tls.Conn
	begin = func() {
		near = tls.Client(dialTo(b, addr), cfg)
		if err := near.Handshake(); err != nil {
			b.Fatal(err)
		}
		if far = <-conns; far == nil {
			b.Fatal("not accepted")
		}
	}
	end = func() {
		if near.ConnectionState().CurveID != tls.X25519MLKEM768 || len(far.ConnectionState().PeerCertificates) != 1 {
			b.Fatal("it is not the handshake that was meant")
		}
		near.Close()
		far.Close()
	}
	begin()
	end()
	return begin, end
}

// BenchmarkHandshake is from the dial until both sides have a link that they can use, each time beside the same of TLS.
func BenchmarkHandshake(b *testing.B) {
	begin, end := ourHandshake(b)
	beginTLS, endTLS := tlsHandshake(b)
	var ours, theirs []time.Duration
	for b.Loop() {
		ours = append(ours, times(1, begin))
		b.StopTimer()
		end()
		theirs = append(theirs, times(1, beginTLS))
		endTLS()
		b.StartTimer()
	}
	b.ReportMetric(float64(median(ours)), "ns-ours")
	b.ReportMetric(float64(median(theirs)), "ns-tls")
	b.ReportMetric(float64(median(ours))/float64(median(theirs)), "x-tls")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
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

// BenchmarkSend is from a call of Send until everybody else is shown the line: one after another, and many at once, each beside
// one flush and one round trip, which is the least either can take. All of them share this machine.
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
			least := flush(b) + roundTrip(b)
			for b.Loop() {
				var wg sync.WaitGroup
				for range burst {
					wg.Go(func() { g.say("hello") })
				}
				g.all(burst)
				wg.Wait()
			}
			b.ReportMetric(burst*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(least), "x-flush")
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
	var heap uint64
	for b.Loop() {
		b.StopTimer()
		bob := at(b, newcomer(b), nil)
		b.StartTimer()
		a := arrive(b, bob, inv, long.lines)
		b.StopTimer()
		first, heap = max(first, a.first), max(heap, a.heap)
		bob.Close()
		b.StartTimer()
	}
	rate := float64(b.N*long.blocks) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "blocks/s")
	b.ReportMetric(limit, "verifications/s")
	b.ReportMetric(limit/rate, "x-verification")
	b.ReportMetric(float64(first.Milliseconds()), "ms-first-hundred")
	b.ReportMetric(float64(heap>>20), "MiB-heap")
	if heap > heapLimit {
		b.Errorf("heap of %d bytes, of two engines, exceeds %d", heap, heapLimit)
	}
}

// BenchmarkReconnect is from dialling until a member who holds the same is online, and what the two say to each other: round
// trips, and bytes of both directions, without TCP's, whatever the length of the round. Those of the handshake stand by
// themselves. The rest is three records of 274 bytes in each direction: READY, which stands for the frontier; PING and the own
// address record; PONG.
func BenchmarkReconnect(b *testing.B) {
	const far = 100 * time.Millisecond
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
	network.delay = far
	trips := 0
	for b.Loop() {
		bob := at(b, dir, network)
		trips = 0
		for ev := range bob.Events() {
			peer, ok := ev.(engine.PeerEvent)
			if !ok || peer.State != engine.Online {
				continue
			}
			if trips == 0 {
				trips = int(time.Since(network.dialled).Round(far/2)/far) - handshakeTrips
			}
			if peer.RTT > 0 {
				break
			}
		}
		b.StopTimer()
		bob.Close()
		time.Sleep(time.Second / link.TotalRate) // a listener lets no more in
		b.StartTimer()
	}
	all := float64(network.in.Load()+network.out.Load()) / float64(b.N)
	b.ReportMetric(float64(trips), "trips")
	b.ReportMetric(all-handshakeBytes, "bytes")
	b.ReportMetric(handshakeBytes, "bytes-handshake")
	b.ReportMetric(enginetest.Authors+1, "devices")
}

// handshakeTrips are those until whoever dials has a link that it can use.
const handshakeTrips = 2

// handshakeBytes are the five messages of LINK 2.
const handshakeBytes = 1241 + 1136 + 966 + 934 + 16
