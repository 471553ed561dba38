package identity

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Errors of a keyring, for the front to explain.
var (
	ErrExposed    = errors.New("secrets file can be read by others")
	ErrDamaged    = errors.New("secrets file is damaged")
	ErrPassphrase = errors.New("passphrase does not open the secrets file")
)

// Keyring is everything a home must keep secret, in one file: the identity, the device's keys, the store's key, and the
// genesis block of each round, whose hash is the round id. One goroutine owns it.
type Keyring struct {
	opaque
	Identity   *Identity
	Device     *DeviceKey
	Credential *Credential
	Store      StoreKey
	Rounds     []RoundSecret

	path       string
	passphrase hidden[[]byte] // nil: the file is plain
}

// RoundSecret is what is kept of one round.
type RoundSecret struct {
	opaque
	ID RoundID
	// First is this device's first block in the round; empty when that is genesis, or not signed yet. It is no secret. It
	// is kept here because it must never be signed twice, not even by a home that has lost its store.
	First   []byte
	genesis hidden[[]byte] // nil: not yet known
}

// NewRoundSecret is the secret of a round. genesis is nil until a member has sent it.
func NewRoundSecret(id RoundID, genesis []byte) RoundSecret {
	r := RoundSecret{ID: id}
	r.SetGenesis(genesis)
	return r
}

// Genesis returns the genesis block, nil while there is none. The caller must not change it.
func (r *RoundSecret) Genesis() []byte {
	if r.genesis == nil {
		return nil
	}
	return r.genesis()
}

// SetGenesis keeps the genesis block, a copy of which it takes. The caller has checked that it hashes to the id.
func (r *RoundSecret) SetGenesis(raw []byte) {
	r.genesis = nil
	if len(raw) > 0 {
		r.genesis = hide(bytes.Clone(raw))
	}
}

// NewKeyring makes an identity and a device's keys and writes them to path, which must not exist. It takes as long as
// [New].
func NewKeyring(path string, now time.Time) (*Keyring, error) {
	id, err := New()
	if err != nil {
		return nil, err
	}
	return NewKeyringFor(path, id, now)
}

// NewKeyringFor is [NewKeyring] for an identity that exists. When there is anything at path, even a link to nothing, it
// stays and the error is fs.ErrExist.
func NewKeyringFor(path string, id *Identity, now time.Time) (*Keyring, error) {
	device, err := NewDeviceKey()
	if err != nil {
		return nil, err
	}
	cred, err := id.Certify(device.Device(), now)
	if err != nil {
		return nil, err
	}
	store := make([]byte, 32)
	rand.Read(store)
	k := &Keyring{Identity: id, Device: device, Credential: cred, Store: StoreKey{newSecret(store)}, path: path}
	if err := k.write(placeNew); err != nil {
		return nil, err
	}
	return k, nil
}

// OpenKeyring reads the keyring at path. passphrase is asked only when the file is sealed, and what it returns is kept.
//
// The errors are fs.ErrNotExist, [ErrExposed], [ErrDamaged], [ErrPassphrase], or what reading or passphrase gave. A
// symbolic link is not followed: Save would leave behind what it leads to.
func OpenKeyring(path string, passphrase func() ([]byte, error)) (*Keyring, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	k := &Keyring{path: path}
	if err := k.open(raw, passphrase); err != nil {
		return nil, err
	}
	return k, nil
}

// open fills k from the file's bytes.
func (k *Keyring) open(raw []byte, passphrase func() ([]byte, error)) error {
	mode, body, err := unwrapKeyring(raw)
	if err == nil && mode == modeSealed {
		body, err = k.unseal(body, passphrase)
	}
	if err != nil {
		return err
	}
	if err := k.decode(body); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

func (k *Keyring) unseal(sealed []byte, passphrase func() ([]byte, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, ErrPassphrase
	}
	p, err := passphrase()
	if err != nil {
		return nil, err
	}
	k.SetPassphrase(p)
	return openSealed(sealed, p)
}

// Retire gives the identity another device in this one's place: new keys, and in every round the first block that first signs
// with them, nil where it is not to be signed yet. All of it is written at once, as by Save; when anything fails, k stays as
// it was. The old device signs nothing any more: its keys are gone.
func (k *Keyring) Retire(now time.Time, first func(Tag, *DeviceKey, *Credential) ([]byte, error)) error {
	next := *k
	var err error
	if next.Device, err = NewDeviceKey(); err != nil {
		return err
	}
	if next.Credential, err = k.Identity.Certify(next.Device.Device(), now); err != nil {
		return err
	}
	next.Rounds = slices.Clone(k.Rounds)
	for i := range next.Rounds {
		r := &next.Rounds[i]
		if r.First, err = first(r.ID.Tag(), next.Device, next.Credential); err != nil {
			return err
		}
	}
	if err := next.Save(); err != nil {
		return err
	}
	*k = next
	return nil
}

// Round returns the secret of the round with this tag, nil if there is none. It is valid until Rounds changes.
func (k *Keyring) Round(tag Tag) *RoundSecret {
	for i := range k.Rounds {
		if k.Rounds[i].ID.Tag() == tag {
			return &k.Rounds[i]
		}
	}
	return nil
}

// SetPassphrase seals the file with a passphrase from the next Save on; an empty one leaves it plain.
func (k *Keyring) SetPassphrase(passphrase []byte) {
	k.passphrase = nil
	if len(passphrase) > 0 {
		k.passphrase = hide(bytes.Clone(passphrase))
	}
}

// Save writes the file: beside it first, flushed, then renamed over it, so that a crash leaves the old one or the new. What
// earlier crashes have left beside it is removed.
func (k *Keyring) Save() error { return k.write(os.Rename) }

func (k *Keyring) write(place func(from, to string) error) error {
	raw, err := k.encode()
	if err == nil {
		err = writePrivate(k.path, raw, place)
	}
	if err != nil {
		return fmt.Errorf("writing secrets: %w", err)
	}
	return nil
}
