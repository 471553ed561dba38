package identity

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Credential is an identity's word that a device is its own. It travels in the link's handshake and in the device's first
// block, in one fixed layout (CHAIN 1.5):
//
//	398  identity key, PKCS#1 DER
//	 32  device key, Ed25519
//	  8  created, Unix seconds, big-endian
//	384  RSA-PSS-SHA256 signature, salt of 32 bytes, over "opentalk/1 credential" ‖ 0 ‖ the 438 bytes above
//
// A Credential that exists has been verified. It is immutable.
type Credential struct {
	raw         [CredentialSize]byte
	fingerprint Fingerprint
	device      Device
}

// ParseCredential reads and verifies a credential. What is wrong with the size, the key's shape or the device key is found
// before any arithmetic with the RSA key.
func ParseCredential(raw []byte) (*Credential, error) {
	if len(raw) != CredentialSize {
		return nil, fmt.Errorf("credential of %d bytes, want %d", len(raw), CredentialSize)
	}
	key, err := parsePublicKey(raw[:PublicKeySize])
	if err != nil {
		return nil, err
	}
	c := readCredential(raw)
	if err := c.device.Check(); err != nil {
		return nil, err
	}
	signed, sig := raw[:CredentialSize-SignatureSize], raw[CredentialSize-SignatureSize:]
	digest := credentialDigest(signed)
	if rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, pssOptions) != nil {
		return nil, errors.New("signature of the credential does not match")
	}
	return c, nil
}

// readCredential takes apart what is known to be of the right size.
func readCredential(raw []byte) *Credential {
	c := &Credential{
		fingerprint: sha256.Sum256(raw[:PublicKeySize]),
		device:      Device(raw[PublicKeySize : PublicKeySize+DeviceSize]),
	}
	copy(c.raw[:], raw)
	return c
}

// Bytes returns a copy of the encoding.
func (c *Credential) Bytes() []byte { return bytes.Clone(c.raw[:]) }

// Fingerprint names the identity that signed.
func (c *Credential) Fingerprint() Fingerprint { return c.fingerprint }

// Device is the device it certifies.
func (c *Credential) Device() Device { return c.device }

// Created is when the identity says it signed, to the second. Nothing depends on it, and it can be any 64-bit number.
func (c *Credential) Created() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(c.raw[PublicKeySize+DeviceSize:])), 0)
}

func credentialDigest(signed []byte) [32]byte {
	return sha256.Sum256(signingInput(roleCredential, signed))
}

func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// MaxRemembered bounds the credentials a Verifier remembers: about 1 KiB each.
const MaxRemembered = 4096

// Verifier parses credentials and remembers the good ones, so that a device's costs its RSA verification once. What is
// remembered is a hash of the full bytes: a changed copy is verified anew, and a bad one forgotten. The zero value is
// ready, and safe from any goroutine.
type Verifier struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*Credential
}

// Parse is [ParseCredential] with that memory. Past MaxRemembered an arbitrary one is forgotten.
func (v *Verifier) Parse(raw []byte) (*Credential, error) {
	if len(raw) != CredentialSize {
		return ParseCredential(raw)
	}
	key := sha256.Sum256(raw)
	v.mu.Lock()
	c := v.known[key]
	v.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := ParseCredential(raw)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil {
		v.known = make(map[[sha256.Size]byte]*Credential)
	}
	if len(v.known) >= MaxRemembered {
		for old := range v.known {
			delete(v.known, old)
			break
		}
	}
	v.known[key] = c
	return c, nil
}
