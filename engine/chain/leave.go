package chain

import (
	"fmt"

	"opentalk/engine/identity"
)

// LineEnd is a device and the seq of a block of its line.
type LineEnd struct {
	_      struct{} `cbor:",toarray"`
	Device identity.Device
	Seq    uint64
}

// EncodeLeave returns the plaintext of a leave block, which speaks for other devices of the same identity, too: up to the
// ends of their lines, MaxLeave at the most. CHAIN 3.6.
func EncodeLeave(others []LineEnd) ([]byte, error) {
	if len(others) == 0 {
		return []byte{}, nil
	}
	return encMode.Marshal(others)
}

// ParseLeave reads what EncodeLeave gave. One that cannot be read is a goodbye all the same, of its author alone.
func ParseLeave(plain []byte) (others []LineEnd, err error) {
	if len(plain) == 0 {
		return nil, nil
	}
	if err := decode(plain, &others); err != nil {
		return nil, fmt.Errorf("reading a leave: %w", err)
	}
	return others, nil
}
