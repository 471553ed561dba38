// Package identitytest gives tests identities and devices at once: making an RSA-3072 key takes up to seconds, reading one
// a millisecond. The private keys are published in this folder, so only tests may import it.
package identitytest

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"opentalk/engine/identity"
)

// Count is how many identities there are that have nothing in common. Any number up to Most will do where they may share a
// prime with another.
const (
	Count = 32
	Most  = 1000
)

// Created is when every credential here says it was signed.
var Created = time.Unix(1_750_000_000, 0)

//go:embed testdata/identities.pem
var identities []byte

// ders takes the file apart. It reads no key.
var ders = sync.OnceValue(func() [][]byte {
	var out [][]byte
	for block, rest := pem.Decode(identities); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, block.Bytes)
	}
	return out
})

// memo keeps what make gives for each number. It is safe from any goroutine.
type memo[T any] struct {
	mu   sync.Mutex
	made map[int]T
	make func(int) T
}

func (m *memo[T]) get(i int) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.made[i]
	if !ok {
		v = m.make(i)
		if m.made == nil {
			m.made = make(map[int]T)
		}
		m.made[i] = v
	}
	return v
}

var (
	parsed  = memo[*identity.Identity]{make: parseIdentity}
	devices = memo[*identity.DeviceKey]{make: makeDevice}
	creds   = memo[*identity.Credential]{make: certify}
)

// Identity returns the i-th identity, 0 ≤ i < Most: the same in every run.
func Identity(i int) *identity.Identity { return parsed.get(i) }

// Device returns the i-th device's keys: the same in every run, and any i will do.
func Device(i int) *identity.DeviceKey { return devices.get(i) }

// Credential returns the i-th identity's credential for the i-th device, as of Created. Its signature is another in every
// run.
func Credential(i int) *identity.Credential { return creds.get(i) }

// Keyring writes the file "secrets" in dir, which the program opens as any other, with the i-th identity and a new device.
func Keyring(t testing.TB, dir string, i int) *identity.Keyring {
	t.Helper()
	k, err := identity.NewKeyringFor(filepath.Join(dir, "secrets"), Identity(i), Created)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseIdentity(i int) *identity.Identity {
	switch {
	case i < 0 || i >= Most:
		panic(fmt.Sprintf("identitytest: identity %d, there are %d", i, Most))
	case i < Count:
		return must(identity.ParseIdentity(ders()[i]))
	}
	return must(identity.ParseIdentity(mixed(i - Count)))
}

// primes are those of the Count identities.
var primes = sync.OnceValue(func() [][]*big.Int {
	var out [][]*big.Int
	for _, der := range ders() {
		out = append(out, must(x509.ParsePKCS1PrivateKey(der)).Primes)
	}
	return out
})

// mixed gives the key of a prime of one of the Count identities and a prime of another: made in a thousandth of the time.
func mixed(i int) []byte {
	far := i/Count + 1 // how far the other is from the one: below Count, as Most is
	one, other := primes()[i%Count][0], primes()[(i+far)%Count][1]
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(one, other), E: 65537}, Primes: []*big.Int{one, other}}
	less := func(p *big.Int) *big.Int { return new(big.Int).Sub(p, big.NewInt(1)) }
	key.D = new(big.Int).ModInverse(big.NewInt(int64(key.E)), new(big.Int).Mul(less(one), less(other)))
	return x509.MarshalPKCS1PrivateKey(key)
}

func makeDevice(i int) *identity.DeviceKey {
	sign := sha256.Sum256(fmt.Appendf(nil, "opentalk test device %d sign", i))
	hpke := sha256.Sum256(fmt.Appendf(nil, "opentalk test device %d hpke", i))
	return must(identity.ParseDeviceKey(sign[:], hpke[:]))
}

func certify(i int) *identity.Credential {
	return must(Identity(i).Certify(Device(i).Device(), Created))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
