package chain

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"slices"
	"testing"

	"filippo.io/edwards25519"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// rawIdentity is the first test identity as an RSA key, to sign what package identity would not.
func rawIdentity(t *testing.T) *rsa.PrivateKey {
	raw, err := os.ReadFile("../identity/identitytest/testdata/identities.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	return must(x509.ParsePKCS1PrivateKey(block.Bytes))
}

// signCredential signs whatever it is given, so that nothing but the one thing that is wrong is wrong.
func signCredential(key *rsa.PrivateKey, der, device []byte, salt int) []byte {
	raw := slices.Concat(der, device)
	raw = binary.BigEndian.AppendUint64(raw, uint64(identitytest.Created.Unix()))
	digest := sha256.Sum256(append([]byte("opentalk/1 credential\x00"), raw...))
	sig := must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt}))
	return append(raw, sig...)
}

func makeCredentials(t *testing.T) []credentialVector {
	key := rawIdentity(t)
	der, device := x509.MarshalPKCS1PublicKey(&key.PublicKey), identitytest.Device(0).Device()
	good := signCredential(key, der, device[:], 32)
	c := must(identity.ParseCredential(good))
	f := c.Fingerprint()
	vs := []credentialVector{{Name: "good", Credential: good, Fingerprint: f[:], Device: device[:], Created: c.Created().Unix()}}
	bad := func(name, refused string, raw []byte) {
		vs = append(vs, credentialVector{Name: name, Credential: raw, Refused: refused})
	}
	bad("signature changed", "signature", flip(good, len(good)-1))
	bad("device changed", "", flip(good, identity.PublicKeySize+3)) // not a point, or the signature does not match
	vs[len(vs)-1].Refused = identityError(vs[len(vs)-1].Credential)
	bad("created changed", "signature", flip(good, identity.PublicKeySize+identity.DeviceSize+7))
	bad("modulus changed", "signature", flip(good, 100))
	bad("one byte short", "bytes", good[:len(good)-1])
	bad("trailing byte", "bytes", append(slices.Clone(good), 0))
	bad("salt of 0 bytes", "signature", signCredential(key, der, device[:], 0))
	bad("salt as long as fits", "signature", signCredential(key, der, device[:], rsa.PSSSaltLengthAuto))
	for _, k := range badDevices() {
		bad("device key: "+k.Name, k.Refused, signCredential(key, der, k.Key, 32))
	}
	marshal := func(n *big.Int, e int) []byte { return x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: e}) }
	longer := new(big.Int).SetBit(new(big.Int).Lsh(key.N, 16), 0, 1)
	shorter := new(big.Int).SetBit(new(big.Int).Rsh(key.N, 8), 0, 1)
	for _, k := range []struct {
		name, refused string
		der           []byte
	}{
		{"e = 3 and 3088 bits", "3088 bits", marshal(longer, 3)},
		{"e = 2^31-1 and 3064 bits", "3064 bits", marshal(shorter, 1<<31-1)},
		{"e = 65539", "exponent 65539", marshal(key.N, 65539)},
		{"even modulus", "even", marshal(new(big.Int).SetBit(key.N, 0, 0), 65537)},
		{"negative modulus", "PKCS#1", slices.Concat(der[:8], []byte{0xff}, der[9:])},
		{"trailing byte in the key", "PKCS#1", append(marshal(shorter, 65537), 0)},
		{"length that is not the shortest", "PKCS#1", slices.Concat([]byte{0x30, 0x83, 0}, marshal(shorter, 65537)[2:])},
	} {
		if len(k.der) != identity.PublicKeySize {
			t.Fatalf("%s: %d bytes", k.name, len(k.der))
		}
		bad("identity key: "+k.name, k.refused, signCredential(key, k.der, device[:], 32))
	}
	return vs
}

func identityError(raw []byte) string {
	_, err := identity.ParseCredential(raw)
	return fmt.Sprint(err)
}

// torsion is a point of order 8: y as in the table of any text on the curve.
func torsion() *edwards25519.Point {
	raw := must(hex.DecodeString("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
	return must(new(edwards25519.Point).SetBytes(raw))
}

// badDevices are keys that no credential may hold.
func badDevices() []keyVector {
	var vs []keyVector
	p := edwards25519.NewIdentityPoint()
	for i := range 8 {
		vs = append(vs, keyVector{fmt.Sprintf("small order, %d times a point of order 8", i), p.Bytes(), "small order"})
		p = new(edwards25519.Point).Add(p, torsion())
	}
	good := identitytest.Device(0).Device()
	point := must(new(edwards25519.Point).SetBytes(good[:]))
	for _, i := range []byte{1, 2, 4} {
		part := edwards25519.NewIdentityPoint()
		for range i {
			part.Add(part, torsion())
		}
		vs = append(vs, keyVector{fmt.Sprintf("a good key plus %d times a point of order 8", i), new(edwards25519.Point).Add(point, part).Bytes(), "prime order"})
	}
	// y of p and above: the same points as y - p, written otherwise.
	for low := range 19 {
		for _, sign := range []byte{0, 0x80} {
			raw := slices.Concat([]byte{0xed + byte(low)}, bytes.Repeat([]byte{0xff}, 30), []byte{0x7f | sign})
			if _, err := new(edwards25519.Point).SetBytes(raw); err == nil {
				vs = append(vs, keyVector{fmt.Sprintf("y = p + %d, sign %d", low, sign>>7), raw, "not canonical"})
			} else if low < 4 {
				vs = append(vs, keyVector{fmt.Sprintf("y = p + %d, sign %d", low, sign>>7), raw, "not a point"})
			}
		}
	}
	vs = append(vs,
		keyVector{"x = 0 with its sign set, y = 1", slices.Concat([]byte{1}, make([]byte, 30), []byte{0x80}), "not canonical"},
		keyVector{"x = 0 with its sign set, y = -1", slices.Concat([]byte{0xec}, bytes.Repeat([]byte{0xff}, 31)), "not canonical"},
		keyVector{"no point has this y", slices.Concat([]byte{2}, make([]byte, 31)), "not a point"})
	return vs
}

func makeEd25519() ed25519Vectors {
	const role = "opentalk/1 block signature"
	seed := sha256.Sum256([]byte("opentalk vector"))
	private := ed25519.NewKeyFromSeed(seed[:])
	public := private.Public().(ed25519.PublicKey)
	wide := sha512.Sum512(seed[:])
	a := must(new(edwards25519.Scalar).SetBytesWithClamping(wide[:32]))

	out := ed25519Vectors{Keys: append([]keyVector{{Name: "good", Key: hexBytes(public)}}, badDevices()...)}
	message := []byte("a header")
	signed := append([]byte(role+"\x00"), message...)
	sig := ed25519.Sign(private, signed)
	add := func(name string, sig []byte, holds bool) {
		out.Signatures = append(out.Signatures, signatureVector{name, hexBytes(public), role, message, sig, holds})
	}
	// withR completes a signature for R as it is written: S = k·a, as for a nonce of 0.
	withR := func(r []byte) []byte {
		k := sha512.Sum512(slices.Concat(r, public, signed))
		s := new(edwards25519.Scalar).Multiply(must(new(edwards25519.Scalar).SetUniformBytes(k[:])), a)
		return append(slices.Clone(r), s.Bytes()...)
	}
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	plusOrder := func(times int64) []byte {
		s := slices.Clone(sig[32:])
		slices.Reverse(s)
		n := new(big.Int).Add(new(big.Int).SetBytes(s), new(big.Int).Mul(order, big.NewInt(times)))
		s = n.FillBytes(make([]byte, 32))
		slices.Reverse(s)
		return append(slices.Clone(sig[:32]), s...)
	}
	add("good", sig, true)
	add("R changed", flip(sig, 0), false)
	add("S changed", flip(sig, 32), false)
	add("S + L", plusOrder(1), false)
	add("S + 8L", plusOrder(8), false)
	add("S = L", slices.Concat(sig[:32], slices.Concat(must(hex.DecodeString("edd3f55c1a631258d69cf7a2def9de14")), make([]byte, 15), []byte{0x10})), false)
	add("S with its highest bit set", flip2(sig, 63, 0x80), false)
	identityPoint := edwards25519.NewIdentityPoint().Bytes()
	add("R is the identity", withR(identityPoint), true)
	add("R is the identity, written as y = p + 1", withR(slices.Concat([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30), []byte{0x7f})), false)
	add("R is the identity, with the sign of x set", withR(slices.Concat([]byte{1}, make([]byte, 30), []byte{0x80})), false)
	add("R is off by a point of order 8: holds only with a cofactor", withR(torsion().Bytes()), false)
	add("63 bytes", sig[:63], false)
	add("65 bytes", append(slices.Clone(sig), 0), false)
	add("empty", nil, false)
	// A key of small order has one signature for every message whose k is a multiple of its order: so it is no key.
	small := signatureVector{"key is the identity: holds, and so the key is refused", identityPoint, role, message,
		append(slices.Clone(identityPoint), make([]byte, 32)...), true}
	out.Signatures = append(out.Signatures, small)
	return out
}

func flip2(b []byte, i int, mask byte) []byte {
	b = slices.Clone(b)
	b[i] |= mask
	return b
}
