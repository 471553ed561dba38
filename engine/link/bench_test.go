package link

import (
	"net"
	"testing"
)

func BenchmarkHandshake(b *testing.B) {
	begin(b).upTo(b, 6) // credentials are remembered from here on
	for b.Loop() {
		begin(b).upTo(b, 6)
	}
}

func BenchmarkHandshakeOverPipe(b *testing.B) {
	for b.Loop() {
		x, y := net.Pipe()
		if d, a := meet(b, x, y, nobody, nil); d.err != nil || a.err != nil {
			b.Fatal(d.err, a.err)
		}
		x.Close()
		y.Close()
	}
}

// Junk in the form of a first message, against as many rounds as are tried.
func BenchmarkJunkFirstMessage(b *testing.B) {
	rounds := make([]*Round, MaxRounds)
	for k := range rounds {
		rounds[k] = roundNamed(byte(k + 2))
	}
	m1 := begin(b).upTo(b, 1).m1
	gate, bob := gateFor(rounds...), as(b, "bob")
	for b.Loop() {
		if _, err := greet(newResponder(bob, gate, nil, fresh{}), m1); err == nil {
			b.Fatal("answered")
		}
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	x, y := linked(b)
	m := Blocks{Blocks: blobsOf(80, 800)}
	b.SetBytes(80 * 800)
	b.ReportAllocs()
	var wire []byte
	for b.Loop() {
		wire = must(x.Seal(wire[:0], m))
		for rest := wire; len(rest) > 0; {
			n := y.Need()
			if err := y.Open(rest[:n]); err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
		for {
			if m, err := y.Next(); err != nil {
				b.Fatal(err)
			} else if m == nil {
				break
			}
		}
	}
}

func BenchmarkBulkOverLoopback(b *testing.B) {
	x, y := conns(b)
	m := Blocks{Blocks: blobsOf(80, 800)}
	b.SetBytes(80 * 800)
	go func() {
		for x.Send(m) == nil {
		}
	}()
	for b.Loop() {
		if _, err := y.Receive(); err != nil {
			b.Fatal(err)
		}
	}
	y.nc.Close()
	x.nc.Close()
}

func BenchmarkPing(b *testing.B) {
	x, y := linked(b)
	b.ReportAllocs()
	var wire []byte
	for b.Loop() {
		wire = must(x.Seal(wire[:0], Ping{Nonce: 1, Clock: 2}))
		y.Open(wire[:2])
		y.Open(wire[2:])
		if m, err := y.Next(); m == nil {
			b.Fatal(err)
		}
		y.Next()
	}
}
