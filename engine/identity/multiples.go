package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"sync"

	"filippo.io/edwards25519"
)

// A signature R ‖ S by A holds when [S]B − [k]A is R (CHAIN 1.4), and most of that is doubling points. For a device that has
// signed much this is not done anew each time: its multiples are kept, and what is left is to add some of them. The sum is the
// same, so the same signatures hold. Nothing in it is secret, so it may take longer for one than for another.

// multiples are those of a point p that every [s]p is a short sum of: of each power of 1<<window times p, the first
// 1<<(window-1).
type multiples struct {
	window int
	rows   [][]edwards25519.Point
}

const (
	deviceWindow = 5 // 133 KiB, made in the time of 5 signatures; with it one takes 0.4 times as long
	baseWindow   = 8 // 660 KiB, once

	tablesAfter = 32   // signatures of a device, until its multiples are kept
	maxTables   = 32   // devices of which they are: 4 MiB. More than speak in one round at a time, nearly always
	maxCounted  = 1024 // devices whose signatures are counted
)

func multiplesOf(p *edwards25519.Point, window int) *multiples {
	m := &multiples{window: window, rows: make([][]edwards25519.Point, 256/window+1)} // a scalar has 253 bits, and one is carried
	power := new(edwards25519.Point).Set(p)
	for i := range m.rows {
		row := make([]edwards25519.Point, 1<<(window-1))
		row[0].Set(power)
		for j := range row[1:] {
			row[j+1].Add(&row[j], power)
		}
		half := &row[len(row)-1]
		m.rows[i] = row
		power.Add(half, half)
	}
	return m
}

// add adds [s]p to a point.
func (m *multiples) add(to *edwards25519.Point, s *edwards25519.Scalar) {
	base := 1 << m.window
	rest, bits, have, carry := s.Bytes(), 0, 0, 0
	for _, row := range m.rows {
		for have < m.window && len(rest) > 0 {
			bits, have, rest = bits|int(rest[0])<<have, have+8, rest[1:]
		}
		digit := bits&(base-1) + carry
		bits, have, carry = bits>>m.window, have-m.window, 0
		if digit > base/2 {
			digit, carry = digit-base, 1
		}
		switch {
		case digit > 0:
			to.Add(to, &row[digit-1])
		case digit < 0:
			to.Subtract(to, &row[-digit-1])
		}
	}
}

// verify is [ed25519.Verify] of the device d. These are the multiples of −A: to take [L−k]A for −[k]A is right only if A has no
// part of small order.
func (m *multiples) verify(d Device, message, sig []byte) bool {
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(sig[32:])
	if err != nil {
		return false // not below L
	}
	h := sha512.New()
	h.Write(sig[:32])
	h.Write(d[:])
	h.Write(message)
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		return false // a hash is of the right length
	}
	sum := edwards25519.NewIdentityPoint()
	ofBase().add(sum, s)
	m.add(sum, k)
	return bytes.Equal(sum.Bytes(), sig[:32])
}

var ofBase = sync.OnceValue(func() *multiples {
	return multiplesOf(edwards25519.NewGeneratorPoint(), baseWindow)
})

// signers remembers the multiples of devices that sign much. It may be used from any goroutine.
type signers struct {
	mu     sync.Mutex
	counts map[Device]int
	tables map[Device]*multiples
}

var known = signers{counts: map[Device]int{}, tables: map[Device]*multiples{}}

// verify is [ed25519.Verify] of a signature by d.
func (k *signers) verify(d Device, message, sig []byte) bool {
	if m := k.table(d); m != nil {
		return m.verify(d, message, sig)
	}
	return ed25519.Verify(d[:], message, sig)
}

// table returns the multiples of d, nil if it has not signed much.
func (k *signers) table(d Device) *multiples {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m := k.tables[d]; m != nil {
		return m
	}
	if k.counts[d]++; k.counts[d] < tablesAfter {
		if len(k.counts) > maxCounted {
			clear(k.counts)
		}
		return nil
	}
	delete(k.counts, d)
	p, err := new(edwards25519.Point).SetBytes(d[:])
	if err != nil {
		return nil // nothing is a signature of that
	}
	for other := range k.tables {
		if len(k.tables) < maxTables {
			break
		}
		delete(k.tables, other) // whichever: it is counted anew
	}
	k.tables[d] = multiplesOf(p.Negate(p), deviceWindow)
	return k.tables[d]
}
