package link

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
)

// ephemerals makes the keys that live for one handshake. Tests give known ones, and count.
type ephemerals interface {
	x25519() (*ecdh.PrivateKey, error)
	decapsulator() (*mlkem.DecapsulationKey768, error)
	encapsulate(*mlkem.EncapsulationKey768) (shared, text []byte)
}

// fresh is the system's randomness.
type fresh struct{}

func (fresh) x25519() (*ecdh.PrivateKey, error)                 { return ecdh.X25519().GenerateKey(rand.Reader) }
func (fresh) decapsulator() (*mlkem.DecapsulationKey768, error) { return mlkem.GenerateKey768() }

func (fresh) encapsulate(k *mlkem.EncapsulationKey768) (shared, text []byte) { return k.Encapsulate() }

// diffieHellman refuses a share of low order, whose secret would be all zeros.
func diffieHellman(own *ecdh.PrivateKey, share []byte) ([]byte, error) {
	theirs, err := ecdh.X25519().NewPublicKey(share)
	if err != nil {
		return nil, violation("reading the X25519 share: %w", err)
	}
	secret, err := own.ECDH(theirs)
	if err != nil {
		return nil, violation("agreeing on an X25519 secret: %w", err)
	}
	return secret, nil
}
