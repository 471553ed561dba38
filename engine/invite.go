package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"opentalk/engine/identity"
	"opentalk/engine/socket"
)

const (
	invitePrefix = "opentalk:"
	inviteLabel  = "opentalk/1 invite"
	inviteByte   = 1
	inviteSum    = 4
	maxInvite    = 16 // addresses
)

// inviteText is lower-case base32: no two characters of it are told apart by case, and a double click takes all of it.
var inviteText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Invite is all that somebody needs to join a round. It holds the round id: whoever has it can join. It prints as
// "[redacted]"; Token is the way to what is handed to people. CHAIN 8.
type Invite struct {
	Want      Fingerprint // who is expected to answer; zero for whoever is a member
	Addresses []string    // tried together; the nearest last
	id        identity.RoundID
}

// Tag names the round that it leads to.
func (i Invite) Tag() Tag { return i.id.Tag() }

// String keeps the secret.
func (i Invite) String() string { return i.id.String() }

// Format keeps the secret from every verb of fmt.
func (i Invite) Format(w fmt.State, verb rune) { i.id.Format(w, verb) }

// LogValue keeps the secret.
func (i Invite) LogValue() slog.Value { return i.id.LogValue() }

// Token is the invite as one word: "opentalk:" and base32 with a checksum.
func (i Invite) Token() string {
	b := append([]byte{inviteByte}, i.id.Bytes()...)
	b = append(b, i.Want[:]...)
	b = append(b, byte(len(i.Addresses)))
	for _, a := range i.Addresses {
		b = append(append(b, byte(len(a))), a...)
	}
	return invitePrefix + inviteText.EncodeToString(append(b, checksum(b)...))
}

// RoundID is the round's secret in hex, for those who want to pass on nothing else.
func (i Invite) RoundID() string { return hex.EncodeToString(i.id.Bytes()) }

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte(inviteLabel), b...))
	return sum[:inviteSum]
}

// ParseInvite reads a token. Anything wrong with it is [ErrInvite]: the error never quotes the token.
func ParseInvite(token string) (Invite, error) {
	text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(token)), invitePrefix)
	if !ok {
		return Invite{}, fmt.Errorf("%w: it does not begin with %q", ErrInvite, invitePrefix)
	}
	b, err := inviteText.DecodeString(text)
	if err != nil {
		return Invite{}, fmt.Errorf("%w: it is cut or mistyped", ErrInvite)
	}
	n := len(b) - inviteSum
	if n < 1 || !bytes.Equal(checksum(b[:n]), b[n:]) || inviteText.EncodeToString(b) != text {
		return Invite{}, fmt.Errorf("%w: it is cut or mistyped", ErrInvite)
	}
	if b[0] != inviteByte {
		return Invite{}, fmt.Errorf("%w: it was made by a newer opentalk", ErrInvite)
	}
	inv, err := readInvite(b[1:n])
	if err != nil {
		return Invite{}, fmt.Errorf("%w: %w", ErrInvite, err)
	}
	return inv, nil
}

func readInvite(b []byte) (inv Invite, err error) {
	short := errors.New("it is too short")
	if len(b) < 32+len(inv.Want)+1 {
		return inv, short
	}
	if inv.id, err = identity.ParseRoundID(b[:32]); err != nil {
		return inv, err
	}
	copy(inv.Want[:], b[32:])
	n, rest := int(b[64]), b[65:]
	if n > maxInvite {
		return inv, fmt.Errorf("%d addresses exceed the limit of %d", n, maxInvite)
	}
	for range n {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return inv, short
		}
		addr := string(rest[1 : 1+rest[0]])
		if err := socket.Check(addr); err != nil {
			return inv, err
		}
		inv.Addresses, rest = append(inv.Addresses, addr), rest[1+len(addr):]
	}
	if len(rest) > 0 {
		return inv, errors.New("it goes on behind its end")
	}
	return inv, nil
}

// InviteTo makes an invite of an address and a round id in hex. The errors are [ErrAddress] and [ErrInvite], which does not
// quote the round id.
func InviteTo(address, roundID string) (Invite, error) {
	if err := socket.Check(address); err != nil {
		return Invite{}, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(roundID))
	if err != nil || len(b) != 32 {
		return Invite{}, fmt.Errorf("%w: a round id is 64 hex digits", ErrInvite)
	}
	id, err := identity.ParseRoundID(b)
	return Invite{Addresses: []string{address}, id: id}, err
}
