package identity

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// opaque is embedded in whatever must never be printed, encoded or compared with ==. Its methods are not called on a value
// that sits in an unexported field of something printed, where fmt goes on by reflection: so whatever embeds opaque keeps its
// secret hidden as well.
type opaque struct{ _ [0]func() }

func (opaque) String() string                 { return redacted }
func (opaque) GoString() string               { return redacted }
func (opaque) Format(w fmt.State, _ rune)     { io.WriteString(w, redacted) }
func (opaque) MarshalText() ([]byte, error)   { return []byte(redacted), nil }
func (opaque) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }
func (opaque) LogValue() slog.Value           { return slog.StringValue(redacted) }

// hidden keeps a value where fmt and the encoders cannot reach it: they follow pointers, but call no functions.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }

// secret is 32 bytes under the rules of the package comment. The zero value is no secret: using it as one panics, so that
// nothing is ever sealed under zeros.
type secret struct {
	opaque
	b hidden[[32]byte]
}

func newSecret(b []byte) secret { return secret{b: hide([32]byte(b))} }

// Bytes returns a copy of the secret itself.
func (s secret) Bytes() []byte {
	b := s.b()
	return b[:]
}

// IsZero reports whether this is the zero value, which holds no secret.
func (s secret) IsZero() bool { return s.b == nil }

// equal compares in constant time. The zero value equals nothing.
func (s secret) equal(o secret) bool {
	return s.b != nil && o.b != nil && subtle.ConstantTimeCompare(s.Bytes(), o.Bytes()) == 1
}

// RoundID is the secret of a round: the SHA-256 of its genesis block, and its password. Whoever has it can join. It is
// shown in an invite and rests in the keyring; it is in no packet, log, argument or file besides. CHAIN 2.2.
type RoundID struct{ secret }

// LinkKey keys the handshake of a round's links. CHAIN 2.3, LINK 2.
type LinkKey struct{ secret }

// ContentKey keys the bodies of a round's blocks. CHAIN 2.3 and 5.
type ContentKey struct{ secret }

// StoreKey keys what one home keeps private from whoever reads its database: messages not yet signed. CHAIN 5.2.
type StoreKey struct{ secret }

// Tag is a round's public name: what blocks, files and logs may carry. It does not lead back to the round id.
type Tag [16]byte

// String returns all 32 hex digits.
func (t Tag) String() string { return hex.EncodeToString(t[:]) }

// RoundIDOf returns the id of the round that begins with this genesis block. CHAIN 2.2.
func RoundIDOf(genesis []byte) RoundID {
	sum := sha256.Sum256(genesis)
	return RoundID{newSecret(sum[:])}
}

// ParseRoundID takes 32 bytes.
func ParseRoundID(b []byte) (RoundID, error) {
	if len(b) != 32 {
		return RoundID{}, fmt.Errorf("round id of %d bytes, want 32", len(b))
	}
	return RoundID{newSecret(b)}, nil
}

// Equal compares in constant time. The zero value equals nothing, not even itself.
func (r RoundID) Equal(o RoundID) bool { return r.equal(o.secret) }

// LinkKey is the half that lets its holder talk to members. CHAIN 2.3.
func (r RoundID) LinkKey() LinkKey { return LinkKey{newSecret(r.derive("opentalk/1 link"))} }

// ContentKey is the half that lets its holder read. CHAIN 2.3.
func (r RoundID) ContentKey() ContentKey {
	return ContentKey{newSecret(r.derive("opentalk/1 content"))}
}

// Tag is the round's public name. CHAIN 2.3.
func (r RoundID) Tag() Tag { return Tag(r.derive("opentalk/1 tag")[:16]) }

// derive is HKDF-SHA-256 with an empty salt and the label as info.
func (r RoundID) derive(label string) []byte {
	key, err := hkdf.Key(sha256.New, r.Bytes(), nil, label, 32)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	return key
}
