// Package identity holds the keys of opentalk and what they prove: who a person is, which devices speak for them, and
// what the round id unlocks.
//
// It is the lowest floor of the engine. [chain], [link], [seal] and [store] build on it and it imports none of them.
//
//	Identity     RSA-3072, one a person. Signs credentials and nothing else.
//	DeviceKey    Ed25519 and HPKE, one a device. Signs blocks and handshakes.
//	Credential   the identity's word that a device is its own.
//	RoundID      the secret of a round, from which LinkKey, ContentKey and Tag are derived.
//	Keyring      the file in which a person's secrets rest.
//
// Private keys and secrets have a type of their own for each role. They cannot be compared with ==, and every way of
// printing or encoding them gives "[redacted]", wherever they sit in what is printed; Bytes is the one way to the bytes.
//
// [chain]: opentalk/engine/chain
// [link]: opentalk/engine/link
// [seal]: opentalk/engine/seal
// [store]: opentalk/engine/store
package identity

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Sizes of what travels. CHAIN 1.1.
const (
	RSABits        = 3072
	PublicKeySize  = 398 // an RSA-3072 public key with e = 65537, in PKCS#1 DER: always this long
	SignatureSize  = 384 // an RSA-3072 signature
	CredentialSize = PublicKeySize + DeviceSize + 8 + SignatureSize
)

// roleCredential is what an identity signs a credential as.
const roleCredential Role = "opentalk/1 credential"

// maxPrivateKey is above any RSA-3072 private key in PKCS#1 DER (about 1,770 bytes): a larger one is not taken apart.
const maxPrivateKey = 2048

// Fingerprint names an identity: the SHA-256 of its public key in PKCS#1 DER.
type Fingerprint [32]byte

// String returns all 64 hex digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Short returns the first 8 hex digits: enough to tell people apart on a screen, not to trust one.
func (f Fingerprint) Short() string { return f.String()[:8] }

// IsZero reports whether f names nobody.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// Identity is a person's private key. It only certifies devices.
type Identity struct {
	opaque
	key hidden[*rsa.PrivateKey]
	der []byte // public, PKCS#1
}

// New makes an identity. It takes from a tenth of a second to a few seconds.
func New() (*Identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, RSABits)
	if err != nil {
		return nil, fmt.Errorf("making an identity: %w", err)
	}
	return fromKey(key), nil
}

func fromKey(key *rsa.PrivateKey) *Identity {
	return &Identity{key: hide(key), der: x509.MarshalPKCS1PublicKey(&key.PublicKey)}
}

// ParseIdentity reads an identity's private key in PKCS#1 DER, as a keyring keeps it. The error never quotes it.
func ParseIdentity(der []byte) (*Identity, error) {
	if len(der) > maxPrivateKey {
		return nil, fmt.Errorf("private key of %d bytes exceeds the limit of %d", len(der), maxPrivateKey)
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, errors.New("private key of the identity is not PKCS#1") // the cause could quote the key
	}
	if _, err := parsePublicKey(x509.MarshalPKCS1PublicKey(&key.PublicKey)); err != nil {
		return nil, err
	}
	return fromKey(key), nil
}

// Fingerprint names the identity.
func (i *Identity) Fingerprint() Fingerprint { return sha256.Sum256(i.der) }

// Certify signs the credential of a device. created is kept to the second.
func (i *Identity) Certify(device Device, created time.Time) (*Credential, error) {
	if err := device.Check(); err != nil {
		return nil, err
	}
	raw := make([]byte, 0, CredentialSize)
	raw = append(raw, i.der...)
	raw = append(raw, device[:]...)
	raw = appendUint64(raw, uint64(max(0, created.Unix())))
	digest := credentialDigest(raw)
	sig, err := rsa.SignPSS(rand.Reader, i.key(), crypto.SHA256, digest[:], pssOptions)
	if err != nil {
		return nil, fmt.Errorf("signing a credential: %w", err)
	}
	return readCredential(append(raw, sig...)), nil
}

// pssOptions is the same on both sides: with nil options Go signs with the longest salt, which does not verify here.
var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

// parsePublicKey accepts exactly one encoding of exactly one kind of key. It looks at the size and shape and does no
// arithmetic with the key. CHAIN 1.1.
func parsePublicKey(der []byte) (*rsa.PublicKey, error) {
	if len(der) != PublicKeySize {
		return nil, fmt.Errorf("identity key of %d bytes, want %d", len(der), PublicKeySize)
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	switch {
	case err != nil:
		return nil, errors.New("identity key is not PKCS#1 DER")
	case key.N.BitLen() != RSABits:
		return nil, fmt.Errorf("identity key of %d bits, want %d", key.N.BitLen(), RSABits)
	case key.N.Bit(0) == 0:
		return nil, errors.New("identity key with an even modulus")
	case key.E != 65537:
		return nil, fmt.Errorf("identity key with exponent %d, want 65537", key.E)
	case !bytes.Equal(x509.MarshalPKCS1PublicKey(key), der):
		return nil, errors.New("identity key is not in its one canonical encoding")
	}
	return key, nil
}
