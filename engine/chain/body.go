package chain

import (
	"errors"
	"fmt"
	"io"

	"opentalk/engine/identity"
)

// PubKey is the body of a device's first block: who the device speaks for, the key that things are sealed to, and the
// handle. It is in clear, so that whoever passes the chain on can check it, except the handle. CHAIN 3.2.
type PubKey struct {
	_          struct{} `cbor:",toarray"`
	Credential []byte
	HPKE       []byte
	Handle     []byte // sealed like any body (CHAIN 5.1), SealedHandle bytes; in genesis the UTF-8 itself
}

// SealedHandle is the length of a sealed handle: what sealing adds, and the plaintext of EncodeHandle.
const SealedHandle = 80 + HandleSize

// Genesis is the body of a round's first block. It is in clear, and as secret as the round id, which is the block's hash;
// so it is never printed. CHAIN 3.1.
type Genesis struct {
	_      struct{} `cbor:",toarray"`
	Random [32]byte
	Name   string // passes CheckName in the version that made it, not surely in this one
	Policy []byte // empty today; later the encoding of what a reader of today may leave alone
	PubKey PubKey
}

// Format writes "[redacted]".
func (g Genesis) Format(w fmt.State, _ rune) { io.WriteString(w, "[redacted]") }

// MarshalText gives "[redacted]": to write a genesis there is Encode.
func (g Genesis) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Encode returns the body, or why ParseGenesis would refuse it or CheckName the names in it.
func (g *Genesis) Encode() ([]byte, error) {
	for _, name := range []string{g.Name, string(g.PubKey.Handle)} {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return encMode.Marshal(g)
}

// Encode returns the body, or why ParsePubKey would refuse it.
func (p *PubKey) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return encMode.Marshal(p)
}

// ParseGenesis reads the body of a genesis block. The credential in it is for the caller to verify.
func ParseGenesis(body []byte) (*Genesis, error) {
	var g Genesis
	if err := decode(body, &g); err != nil {
		return nil, fmt.Errorf("reading genesis: %w", err)
	}
	if err := g.check(); err != nil {
		return nil, fmt.Errorf("reading genesis: %w", err)
	}
	return &g, nil
}

// ParsePubKey reads the body of a pubkey block. The credential in it is for the caller to verify.
func ParsePubKey(body []byte) (*PubKey, error) {
	var p PubKey
	if err := decode(body, &p); err != nil {
		return nil, fmt.Errorf("reading a device's first block: %w", err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("reading a device's first block: %w", err)
	}
	return &p, nil
}

func (g *Genesis) check() error {
	if err := checkText(g.Name); err != nil {
		return fmt.Errorf("name of the round: %w", err)
	}
	if err := checkText(string(g.PubKey.Handle)); err != nil {
		return fmt.Errorf("handle: %w", err)
	}
	return g.PubKey.checkKeys()
}

func (p *PubKey) check() error {
	if len(p.Handle) != SealedHandle {
		return fmt.Errorf("sealed handle of %d bytes, want %d", len(p.Handle), SealedHandle)
	}
	return p.checkKeys()
}

func (p *PubKey) checkKeys() error {
	switch {
	case len(p.Credential) != identity.CredentialSize:
		return fmt.Errorf("credential of %d bytes, want %d", len(p.Credential), identity.CredentialSize)
	case len(p.HPKE) != identity.HPKESize:
		return fmt.Errorf("HPKE key of %d bytes, want %d", len(p.HPKE), identity.HPKESize)
	}
	return nil
}

// Errors of what a person writes.
var (
	ErrTooLong = errors.New("text")
	ErrNotText = errors.New("text is not valid UTF-8")
)
