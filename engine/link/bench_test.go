package link

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"
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

// BenchmarkBulkOverLoopback sends blocks over a link as fast as it takes them, in turns with the same bytes in bare frames of
// AES-GCM over TCP, as large as records are.
func BenchmarkBulkOverLoopback(b *testing.B) {
	const turn, blocks, size = 500, 80, 800
	x, y := conns(b)
	m := Blocks{Blocks: blobsOf(blocks, size)}
	send, receive := bareFrames(b)
	var ours, bare []time.Duration
	for b.Loop() {
		ours = append(ours, stream(turn, func() error { return x.Send(m) }, func() error { _, err := y.Receive(); return err }))
		b.StopTimer()
		bare = append(bare, stream(turn*blocks*size/maxBody, send, receive))
		b.StartTimer()
	}
	y.nc.Close()
	x.nc.Close()
	slices.Sort(ours)
	slices.Sort(bare)
	rate := func(all []time.Duration) float64 { return turn * blocks * size / 1e6 / all[len(all)/2].Seconds() }
	b.ReportMetric(rate(ours), "MB/s-ours")
	b.ReportMetric(rate(bare), "MB/s-bare")
	b.ReportMetric(rate(ours)/rate(bare), "x-bare")
}

// stream is how long it takes until n have been received that are sent meanwhile.
func stream(n int, send, receive func() error) time.Duration {
	began, sent := time.Now(), make(chan error)
	go func() {
		var err error
		for i := 0; i < n && err == nil; i++ {
			err = send()
		}
		sent <- err
	}()
	for range n {
		must(0, receive())
	}
	must(0, <-sent)
	return time.Since(began)
}

// bareFrames gives what sends a frame of maxBody bytes, encrypted, and what receives it.
func bareFrames(b *testing.B) (send, receive func() error) {
	x, y := tcpPair(b)
	aead := must(cipher.NewGCM(must(aes.NewCipher(make([]byte, 16)))))
	body, out, in := blob(maxBody), []byte(nil), bufio.NewReaderSize(y, 2*maxSealed)
	var sent, received uint64
	nonce := func(n *uint64) []byte { *n++; return binary.BigEndian.AppendUint64(make([]byte, 4), *n) }
	send = func() error {
		out = binary.BigEndian.AppendUint16(out[:0], uint16(len(body)+aead.Overhead()))
		out = aead.Seal(out, nonce(&sent), body, nil)
		_, err := x.Write(out)
		return err
	}
	frame := make([]byte, maxSealed)
	receive = func() error {
		if _, err := io.ReadFull(in, frame[:2]); err != nil {
			return err
		}
		sealed := frame[:binary.BigEndian.Uint16(frame)]
		if _, err := io.ReadFull(in, sealed); err != nil {
			return err
		}
		_, err := aead.Open(sealed[:0], nonce(&received), sealed, nil)
		return err
	}
	return send, receive
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
