package enginetest

import (
	"fmt"

	"opentalk/engine/chain"
	"opentalk/engine/identity/identitytest"
)

// FirstBlock makes the first block of somebody who joins the round of c: identity n of identitytest, by a clock that shows
// wall, in milliseconds. What they are called cannot be read.
func FirstBlock(c *chain.Chain, n int, wall uint64) (*chain.Block, error) {
	key := identitytest.Device(n)
	pk := chain.PubKey{Credential: identitytest.Credential(n).Bytes(), HPKE: key.HPKE(), Handle: make([]byte, sealedName)}
	body, err := pk.Encode()
	if err != nil {
		return nil, fmt.Errorf("encoding a first block: %w", err)
	}
	return chain.Sign(key, c.First(wall), body)
}

// sealedName is the size of a handle as it is in a block.
const sealedName = 208
