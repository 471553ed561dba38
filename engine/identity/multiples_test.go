package identity

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

// scalar is n mod L.
func scalar(n *big.Int) *edwards25519.Scalar {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	b := new(big.Int).Mod(n, order).FillBytes(make([]byte, 32))
	slices.Reverse(b)
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(b)
	if err != nil {
		panic(err)
	}
	return s
}

func TestMultiplesAddUp(t *testing.T) {
	p := new(edwards25519.Point).ScalarBaseMult(scalar(big.NewInt(4711)))
	for _, window := range []int{deviceWindow, baseWindow} {
		m := multiplesOf(p, window)
		for bit := range 256 {
			for less := range 3 { // digits of which one is carried into the next, and through all of them
				n := new(big.Int).Lsh(big.NewInt(1), uint(bit))
				s := scalar(n.Sub(n, big.NewInt(int64(less))))
				start := edwards25519.NewGeneratorPoint()
				want := new(edwards25519.Point).ScalarMult(s, p)
				want.Add(want, start)
				if m.add(start, s); start.Equal(want) != 1 {
					t.Fatalf("window of %d: 2^%d − %d times a point is another", window, bit, less)
				}
			}
		}
	}
}

// Whether a signature holds must not depend on how often its device has signed, not even for keys and signatures that nobody
// makes by accident.
func TestSignaturesHoldAsBeforeOnceADeviceHasSignedMuch(t *testing.T) {
	order8, err := new(edwards25519.Point).SetBytes([]byte{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		key := ed25519.NewKeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		message := rapid.SliceOf(rapid.Byte()).Draw(t, "message")
		sig, d := ed25519.Sign(key, message), Device(key[32:])
		p, _ := new(edwards25519.Point).SetBytes(d[:])
		small := new(edwards25519.Point).ScalarMult(scalar(big.NewInt(rapid.Int64Range(0, 7).Draw(t, "times"))), order8)
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 1: // a bit is wrong
			bit := rapid.IntRange(0, 511).Draw(t, "bit")
			sig[bit/8] ^= 1 << (bit % 8)
		case 2: // S is greater by L
			carry := 0
			for i, b := range lessThanOrder.Bytes() {
				n := int(sig[32+i]) + int(b) + carry
				if i == 0 {
					n++
				}
				sig[32+i], carry = byte(n), n>>8
			}
		case 3: // the key has a part of small order
			d = Device(p.Add(p, small).Bytes())
		case 4: // the key has small order, and R = [S]B − [k]A for a k that is a multiple of 8 once in a while
			d = Device(small.Bytes())
			s := scalar(big.NewInt(rapid.Int64().Draw(t, "s")))
			sig = append(new(edwards25519.Point).ScalarBaseMult(s).Bytes(), s.Bytes()...)
		case 5: // key and R are the identity, which has a second encoding; S is 0
			d = Device{1, 31: byte(rapid.SampledFrom([]int{0, 0x80}).Draw(t, "sign of the key"))}
			sig = make([]byte, 64)
			sig[0], sig[31] = 1, byte(rapid.SampledFrom([]int{0, 0x80}).Draw(t, "sign of R"))
		}
		want := ed25519.Verify(d[:], message, sig)
		k := signers{counts: map[Device]int{d: tablesAfter - 1}, tables: map[Device]*multiples{}}
		if got := k.verify(d, message, sig); got != want {
			t.Fatalf("signature holds: %v, want %v", got, want)
		}
		if want {
			good++
		} else {
			bad++
		}
	})
	if good == 0 || bad == 0 {
		t.Errorf("%d signatures hold, %d do not: it tried one kind only", good, bad)
	}
}

func TestOnlyWhoSignsMuchIsRemembered(t *testing.T) {
	k := signers{counts: map[Device]int{}, tables: map[Device]*multiples{}}
	busy := testDevice(t).Device()
	for i := range 2 * maxCounted {
		k.table(Device{1, 31: 0, 2: byte(i), 3: byte(i >> 8)})
	}
	if len(k.counts) > maxCounted+1 || len(k.tables) > 0 {
		t.Errorf("%d devices are counted, %d remembered, after one signature each", len(k.counts), len(k.tables))
	}
	for range tablesAfter {
		k.table(busy)
	}
	if k.tables[busy] == nil {
		t.Error("a device that has signed much is not remembered")
	}
	for i := range 2 * maxTables {
		d := Device(new(edwards25519.Point).ScalarBaseMult(scalar(big.NewInt(int64(i + 2)))).Bytes())
		for range tablesAfter {
			k.table(d)
		}
	}
	if len(k.tables) != maxTables {
		t.Errorf("%d devices are remembered, want %d", len(k.tables), maxTables)
	}
}

// BenchmarkVerify is a signature of a device that has signed much, beside one of a device that has not.
func BenchmarkVerify(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	d, message := Device(key[32:]), make([]byte, 300)
	sig := ed25519.Sign(key, message)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			ed25519.Verify(d[:], message, sig)
		}
	})
	b.Run("later", func(b *testing.B) {
		for b.Loop() {
			known.verify(d, message, sig)
		}
	})
}
