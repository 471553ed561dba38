package identity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// testIdentities reads two identities of package identitytest, which this package's own tests cannot import.
var testIdentities = sync.OnceValue(func() (ids [2]*Identity) {
	raw, err := os.ReadFile("identitytest/testdata/identities.pem")
	for i := range ids {
		var block *pem.Block
		if err == nil {
			block, raw = pem.Decode(raw)
			ids[i], err = ParseIdentity(block.Bytes)
		}
	}
	if err != nil {
		panic(err)
	}
	return ids
})

func testIdentity() *Identity { return testIdentities()[0] }

func testDevice(t testing.TB) *DeviceKey {
	k, err := NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testCredential(t testing.TB) *Credential {
	c, err := testIdentity().Certify(testDevice(t).Device(), time.Unix(1_750_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentialSaysWhoAndWhichDevice(t *testing.T) {
	device := testDevice(t).Device()
	made, err := testIdentity().Certify(device, time.Unix(1_750_000_000, 999))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCredential(made.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if c.Device() != device || c.Fingerprint() != testIdentity().Fingerprint() || !c.Created().Equal(time.Unix(1_750_000_000, 0)) {
		t.Errorf("read device %s, identity %s, created %v", c.Device(), c.Fingerprint(), c.Created())
	}
}

func TestCredentialWithAnyByteChangedIsRefused(t *testing.T) {
	raw := testCredential(t).Bytes()
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		if _, err := ParseCredential(bad); err == nil {
			t.Errorf("credential with byte %d changed is accepted", i)
		}
	}
	for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(bytes.Clone(raw), 0)} {
		if _, err := ParseCredential(bad); err == nil {
			t.Errorf("credential of %d bytes is accepted", len(bad))
		}
	}
}

// Another salt length would make two implementations disagree.
func TestCredentialWithOtherSaltLengthIsRefused(t *testing.T) {
	raw := testCredential(t).Bytes()
	n := CredentialSize - SignatureSize
	digest := credentialDigest(raw[:n])
	for _, salt := range []int{rsa.PSSSaltLengthAuto, 0, 20, 31, 33} {
		sig, err := rsa.SignPSS(rand.Reader, testIdentity().key(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseCredential(append(bytes.Clone(raw[:n]), sig...)); (err == nil) != (salt == 32) {
			t.Errorf("salt length %d: %v", salt, err)
		}
	}
}

// crafted are public keys that cost time or break assumptions, T7. word is what the refusal must say: it shows that the shape
// was refused, and not the signature after arithmetic with the key.
func crafted(t testing.TB) map[string]struct {
	der  []byte
	word string
} {
	type key = struct {
		der  []byte
		word string
	}
	n, good := testIdentity().key().N, testIdentity().der
	marshal := func(n *big.Int, e int) []byte { return x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: e}) }
	shift := func(bits uint) *big.Int { return new(big.Int).SetBit(new(big.Int).Lsh(n, bits), 0, 1) }
	negative := bytes.Clone(good[:9])
	negative = append(negative, good[9:]...)
	negative[8] = 0xff // the leading zero byte of N
	// The outer length in one byte more than DER allows, N shorter by that byte.
	ber := append([]byte{0x30, 0x83, 0x00, 0x01, 0x89}, marshal(new(big.Int).Rsh(n, 8), 65537)[4:]...)
	longExponent := append(bytes.Clone(marshal(new(big.Int).Rsh(n, 8), 65537)[:PublicKeySize-1-5]), 2, 4, 0, 1, 0, 1)
	return map[string]key{
		"16k bits":                 {marshal(shift(16384-RSABits), 65537), "bytes"},
		"e = 2^31-1":               {marshal(n, 1<<31-1), "bytes"},
		"e = 2^31-1, N shorter":    {marshal(new(big.Int).Rsh(n, 8), 1<<31-1), "bits"},
		"e = 3":                    {marshal(n, 3), "bytes"},
		"e = 3, N longer":          {marshal(shift(16), 3), "bits"},
		"e = 65539":                {marshal(n, 65539), "exponent"},
		"even e":                   {marshal(n, 65536), "exponent"},
		"3071 bits":                {marshal(new(big.Int).Rsh(n, 1), 65537), "bytes"},
		"even N":                   {marshal(new(big.Int).SetBit(n, 0, 0), 65537), "even"},
		"negative N":               {negative, "PKCS#1"},
		"zero":                     {make([]byte, PublicKeySize), "PKCS#1"},
		"BER length":               {ber, "PKCS#1"},
		"exponent with zeros":      {longExponent, "PKCS#1"},
		"trailing byte":            {append(bytes.Clone(good), 0), "bytes"},
		"trailing byte, N shorter": {append(marshal(new(big.Int).Rsh(n, 8), 65537), 0), "PKCS#1"},
		"cut short":                {good[:PublicKeySize-1], "bytes"},
	}
}

func TestCraftedRSAKeysAreRefusedBeforeArithmetic(t *testing.T) {
	if _, err := parsePublicKey(testIdentity().der); err != nil {
		t.Fatal(err)
	}
	for name, c := range crafted(t) {
		fastest := time.Hour
		var err error
		for range 5 { // the fastest, since the machine may be busy
			start := time.Now()
			_, err = parsePublicKey(c.der)
			fastest = min(fastest, time.Since(start))
		}
		if err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.word)
		}
		if fastest > time.Millisecond {
			t.Errorf("%s: refused in %v, want under 1ms", name, fastest)
		}
	}
}

// A key of another shape is refused even when it signed well: so its signature was not what was looked at.
func TestCredentialOfAnotherRSASizeIsRefusedThoughWellSigned(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, device := fromKey(key), testDevice(t).Device()
	c, err := other.Certify(device, time.Unix(0, 0))
	if err == nil {
		_, err = ParseCredential(c.Bytes())
	}
	if err == nil {
		t.Error("credential of a 2048-bit identity is accepted")
	}
	if _, err := ParseIdentity(x509.MarshalPKCS1PrivateKey(key)); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("private key of 2048 bits: %v", err)
	}
}

// T19: a bad copy first does not spoil the good one, and the good one does not vouch for a bad copy.
func TestVerifierRemembersFullBytesOnly(t *testing.T) {
	good := testCredential(t).Bytes()
	bad := bytes.Clone(good)
	bad[CredentialSize-1] ^= 1
	var v Verifier
	for i, raw := range [][]byte{bad, good, bad, good} {
		if _, err := v.Parse(raw); (err == nil) != (i%2 == 1) {
			t.Errorf("copy %d: %v", i, err)
		}
	}
	first, _ := v.Parse(good)
	again, _ := v.Parse(bytes.Clone(good))
	if first != again {
		t.Error("the good credential was verified twice")
	}
	if len(v.known) != 1 {
		t.Errorf("%d credentials remembered, want 1", len(v.known))
	}
}

func TestVerifierForgetsPastItsLimit(t *testing.T) {
	v := Verifier{known: make(map[[32]byte]*Credential)}
	for i := range MaxRemembered {
		v.known[[32]byte{byte(i), byte(i >> 8), 1}] = &Credential{}
	}
	if _, err := v.Parse(testCredential(t).Bytes()); err != nil {
		t.Fatal(err)
	}
	if len(v.known) != MaxRemembered {
		t.Errorf("%d credentials remembered, the limit is %d", len(v.known), MaxRemembered)
	}
}

func TestVerifierIsSafeFromManyGoroutines(t *testing.T) {
	raw := testCredential(t).Bytes()
	var v Verifier
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := v.Parse(raw); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
