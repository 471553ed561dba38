// Package link is the encrypted channel between two devices that are in the same round: who may open one, what it carries,
// and how it ends. LINK.md beside it is the specification, cited as LINK n.
//
// The protocol is a pure state machine, bytes in and bytes out. The socket is wrapped around it, and one [Guard] protects
// all listeners:
//
//	Initiator, Responder   the handshake: five messages of fixed size
//	Session                records in both directions, and the messages in them
//	Message                what peers say, one Go type a kind
//	Dial, Accept, Conn     the above over a net.Conn
//	Guard, Replay          what a listener remembers of all its callers
//
// Nothing here starts a goroutine. Imports point down: identity, and nothing else of the engine.
package link

import (
	"fmt"
	"io"
	"log/slog"

	"opentalk/engine/identity"
)

// Self is the side of a link that is this device. The three are shared by all its links; none is changed.
type Self struct {
	Key        *identity.DeviceKey
	Credential *identity.Credential
	Verifier   *identity.Verifier // remembers credentials, so that a device's costs its RSA verification once
}

// check reports a Self that could not complete any handshake.
func (s Self) check() error {
	switch {
	case s.Key == nil || s.Credential == nil || s.Verifier == nil:
		return fmt.Errorf("own key, credential or verifier is missing")
	case s.Key.Device() != s.Credential.Device():
		return fmt.Errorf("own credential is for device %s, the key is of %s", s.Credential.Device().Short(), s.Key.Device().Short())
	}
	return nil
}

// Round is what a link needs of a round: its public name, and two keys derived from its link key. Make it once and share
// it: a listener tries it on every caller. It is immutable and never printed.
type Round struct {
	opaque
	tag    identity.Tag
	mac1   mac1Key
	secret roundSecret
}

// NewRound derives the keys of a round. LINK 3.1.
func NewRound(tag identity.Tag, key identity.LinkKey) *Round {
	link := key.Bytes()
	defer clear(link)
	return &Round{
		tag:    tag,
		mac1:   mac1Key{derive(link, labelMac1)},
		secret: roundSecret{derive(link, labelSecret)},
	}
}

// Tag is the round's public name.
func (r *Round) Tag() identity.Tag { return r.tag }

const redacted = "[redacted]"

// opaque is embedded in whatever holds keys: it cannot be compared with ==, and every way of printing it gives the same.
type opaque struct{ _ [0]func() }

func (opaque) String() string               { return redacted }
func (opaque) GoString() string             { return redacted }
func (opaque) Format(w fmt.State, _ rune)   { io.WriteString(w, redacted) }
func (opaque) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (opaque) LogValue() slog.Value         { return slog.StringValue(redacted) }
