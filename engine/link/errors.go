package link

import (
	"errors"
	"fmt"
)

// How a link fails to come about, or ends, for errors.Is. LINK 9.
//
// What the far side never says it also cannot be asked for: who dials learns ErrNoAnswer or ErrRefused, and only who
// listens learns which of the reasons behind them it was.
var (
	// ErrNoAnswer: it closed without a byte after the first message. It does not know the round, is over a limit, or is
	// no opentalk.
	ErrNoAnswer = errors.New("closed without an answer: it does not know the round, is busy, or is no opentalk")
	// ErrNotOpentalk: it said something that no member of the round says.
	ErrNotOpentalk = errors.New("not an opentalk of this round")
	// ErrVersion: it speaks another version of the link.
	ErrVersion = errors.New("unknown version of the link")
	// ErrRefused: it knows the round, learned who this is, and ended it: it is not the member wanted, it is this very
	// device, or it has banned us.
	ErrRefused = errors.New("refused: it is not the member wanted, or is this device itself, or does not want us")
	// ErrTimeout: the handshake was not done within [HandshakeTimeout].
	ErrTimeout = errors.New("handshake timed out")
	// ErrWrongMember: another member was wanted than the one who is there.
	ErrWrongMember = errors.New("not the member wanted")
	// ErrSelf: both ends are the same device.
	ErrSelf = errors.New("the far side is this device itself")
	// ErrBanned: the caller is on the ban list.
	ErrBanned = errors.New("banned")
	// ErrUnknownRound: the caller's first message fits none of our rounds.
	ErrUnknownRound = errors.New("caller knows none of our rounds")
	// ErrReplay: the caller's first message is one that was answered before.
	ErrReplay = errors.New("first message is a replay")
	// ErrBusy: a limit of [Guard] was reached.
	ErrBusy = errors.New("too many connections or handshakes")
	// ErrCut: the stream ended without an authenticated CLOSE.
	ErrCut = errors.New("cut off without a close")
	// ErrViolation: the far side, or somebody between, broke the protocol. The link is dead.
	ErrViolation = errors.New("protocol violation")
)

// violation is an ErrViolation that says which rule.
func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrViolation, fmt.Errorf(format, args...))
}
