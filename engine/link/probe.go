package link

import (
	"context"
	"fmt"
	"net"

	"opentalk/engine/identity"
)

// Probe finds out whether somebody of a round listens at the far end of nc, which it closes. It goes no further than the
// second message of a handshake, so that neither side learns who the other is, and no link comes of it. The errors are those
// of [Dial].
func Probe(ctx context.Context, nc net.Conn, self Self, round *Round) error {
	defer nc.Close()
	i, err := NewInitiator(self, round, identity.Fingerprint{})
	if err != nil {
		return err
	}
	if err := shake(ctx, nc, &knock{Initiator: i}); err != nil {
		return fmt.Errorf("probing %s: %w", nc.RemoteAddr(), err)
	}
	return nil
}

// knock is the dialling side of a handshake that ends when the far side has shown that it is in the round.
type knock struct {
	*Initiator
	answered bool
}

func (k *knock) Step(in []byte) ([]byte, error) {
	first := len(in) == 0
	out, err := k.Initiator.Step(in)
	if first || err != nil {
		return out, err
	}
	k.answered = true
	return nil, nil // what would say who this is stays here
}

func (k *knock) Session() *Session {
	if k.answered {
		return &Session{}
	}
	return nil
}
