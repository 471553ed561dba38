package engine

import (
	"errors"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/socket"
	"opentalk/engine/store"
)

// What can go wrong, for errors.Is. The front gives each a code and a hint.
var (
	// What a person typed.
	ErrInvite   = errors.New("invite is damaged")
	ErrAddress  = socket.ErrAddress
	ErrName     = errors.New("name cannot be used")
	ErrTopic    = errors.New("topic cannot be used")
	ErrTooLong  = chain.ErrTooLong
	ErrNotText  = chain.ErrNotText
	ErrEmpty    = errors.New("message is empty")
	ErrInRound  = errors.New("this device is in that round already")
	ErrNoRound  = errors.New("no such round")
	ErrNoMember = errors.New("no such member")
	ErrTooMany  = errors.New("too many rounds")

	// Why a member cannot be reached.
	ErrRefused     = socket.ErrRefused
	ErrTimeout     = socket.ErrTimeout
	ErrNotFound    = socket.ErrNotFound
	ErrNoRoute     = socket.ErrNoRoute
	ErrProxy       = socket.ErrProxy
	ErrNotOpentalk = link.ErrNotOpentalk
	ErrWrongRound  = link.ErrNoAnswer
	ErrHandshake   = link.ErrTimeout
	ErrWrongMember = link.ErrRefused // or this very device: who turns us away does not say why
	ErrHungUp      = errors.New("member closed the link")
	ErrUntried     = errors.New("address was not tried")

	// This home and this machine.
	ErrAddressTaken    = socket.ErrTaken
	ErrHomeInUse       = errors.New("home is in use")
	ErrHomeNotWritable = errors.New("home cannot be written")
	ErrSecretsExposed  = identity.ErrExposed
	ErrSecretsDamaged  = identity.ErrDamaged
	ErrPassphrase      = identity.ErrPassphrase
	ErrStoreDamaged    = store.ErrDamaged
	ErrReadOnly        = store.ErrReadOnly
	ErrClosed          = errors.New("engine is closed")
)
