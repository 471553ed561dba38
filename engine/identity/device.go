package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

// Sizes of a device's public key, its signature, and the key that things are sealed to. CHAIN 1.2.
const (
	DeviceSize          = ed25519.PublicKeySize
	DeviceSignatureSize = ed25519.SignatureSize
	HPKESize            = 1216 // ML-KEM-768 (1184) and X25519 (32)
)

// Device is a device's public Ed25519 key, and its name everywhere: the author of its blocks, the far end of a link.
type Device [DeviceSize]byte

// String returns all 64 hex digits.
func (d Device) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first 8 hex digits.
func (d Device) Short() string { return d.String()[:8] }

// Check reports why d cannot be a device: it is not the canonical encoding of a point of the prime order L. With a key of
// small order one signature would hold for many messages; with one that has a part of small order, libraries disagree about
// some signatures. CHAIN 1.3.
func (d Device) Check() error {
	p, err := new(edwards25519.Point).SetBytes(d[:])
	switch {
	case err != nil:
		return errors.New("device key is not a point of the curve")
	case !bytes.Equal(p.Bytes(), d[:]):
		return errors.New("device key is not canonical")
	case new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1:
		return errors.New("device key has small order")
	case new(edwards25519.Point).ScalarMult(lessThanOrder, p).Equal(new(edwards25519.Point).Negate(p)) != 1:
		return errors.New("device key is not of prime order")
	}
	return nil
}

// lessThanOrder is L−1, the greatest scalar there is: L itself cannot be written as one, but [L]p is the identity exactly
// when [L−1]p is −p.
var lessThanOrder = func() *edwards25519.Scalar {
	one, err := new(edwards25519.Scalar).SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		panic(err) // one is canonical
	}
	return one.Negate(one)
}()

// Verify reports whether sig is d's signature over message in the given role, by the rules of CHAIN 1.4.
func (d Device) Verify(role Role, message, sig []byte) bool {
	return len(sig) == DeviceSignatureSize && ed25519.Verify(d[:], signingInput(role, message), sig)
}

// Role says what a signature is for, so that none can stand in for another. Every role is declared in the package that
// signs in it, starts "opentalk/1 ", and holds no zero byte.
type Role string

// signingInput is role ‖ 0 ‖ message. CHAIN 1.4.
func signingInput(role Role, message []byte) []byte {
	in := make([]byte, 0, len(role)+1+len(message))
	in = append(in, role...)
	in = append(in, 0)
	return append(in, message...)
}

// DeviceKey is a device's private half: it signs, and opens what is sealed to the device.
type DeviceKey struct {
	opaque
	keys hidden[devicePair]
}

type devicePair struct {
	sign ed25519.PrivateKey
	hpke hpke.PrivateKey
}

// kem is the HPKE KEM of everything sealed to a device. CHAIN 1.2.
var kem = hpke.MLKEM768X25519()

// NewDeviceKey makes the keys of a new device.
func NewDeviceKey() (*DeviceKey, error) {
	_, sign, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a device key: %w", err)
	}
	seal, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making a device key: %w", err)
	}
	return &DeviceKey{keys: hide(devicePair{sign: sign, hpke: seal})}, nil
}

// ParseDeviceKey makes a device's keys from their two seeds of 32 bytes, as a keyring keeps them.
func ParseDeviceKey(signSeed, hpkeSeed []byte) (*DeviceKey, error) {
	if len(signSeed) != ed25519.SeedSize {
		return nil, fmt.Errorf("device seed of %d bytes, want %d", len(signSeed), ed25519.SeedSize)
	}
	seal, err := kem.NewPrivateKey(hpkeSeed)
	if err != nil {
		return nil, errors.New("HPKE key of the device cannot be read")
	}
	return &DeviceKey{keys: hide(devicePair{sign: ed25519.NewKeyFromSeed(signSeed), hpke: seal})}, nil
}

// Device returns the public key.
func (k *DeviceKey) Device() Device { return Device(k.keys().sign.Public().(ed25519.PublicKey)) }

// HPKE returns the public key that things are sealed to, HPKESize bytes.
func (k *DeviceKey) HPKE() []byte { return k.keys().hpke.PublicKey().Bytes() }

// Sign signs message in a role.
func (k *DeviceKey) Sign(role Role, message []byte) []byte {
	return ed25519.Sign(k.keys().sign, signingInput(role, message))
}
