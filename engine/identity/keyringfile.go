package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/crypto/argon2"
)

// The file, CHAIN 9:
//
//	20  "opentalk secrets 1\n" and a mode byte
//	 n  mode 0: the contents in CBOR
//	    mode 1: salt of 16 bytes, AES-256-GCM of the contents under Argon2id(passphrase, salt), with the 20 bytes above
//	    as additional data
//	32  SHA-256 of all before: damage is told from a wrong passphrase
const (
	keyringMagic  = "opentalk secrets 1\n"
	modePlain     = 0
	modeSealed    = 1
	saltSize      = 16
	argonTime     = 3
	argonMemory   = 64 << 10 // KiB
	argonThreads  = 4
	argonKeyBytes = 32
	maxKeyring    = 16 << 20 // 64 rounds' genesis blocks of 64 KiB, thrice over
)

type keyringFile struct {
	_          struct{} `cbor:",toarray"`
	Identity   []byte   // PKCS#1 DER
	Sign       []byte   // Ed25519 seed
	HPKE       []byte   // X-Wing seed
	Credential []byte
	Store      []byte
	Rounds     []roundFile
}

type roundFile struct {
	_       struct{} `cbor:",toarray"`
	ID      []byte
	Genesis []byte // empty: not yet known
	First   []byte // empty: genesis, or not signed yet
}

// unwrapKeyring checks what can be checked without a passphrase.
func unwrapKeyring(raw []byte) (mode byte, body []byte, err error) {
	n := len(raw) - sha256.Size
	switch {
	case n < len(keyringMagic)+1 || string(raw[:len(keyringMagic)]) != keyringMagic:
		return 0, nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	case sha256.Sum256(raw[:n]) != [sha256.Size]byte(raw[n:]):
		return 0, nil, fmt.Errorf("%w: its checksum does not match", ErrDamaged)
	}
	mode, body = raw[len(keyringMagic)], raw[len(keyringMagic)+1:n]
	if mode != modePlain && mode != modeSealed {
		return 0, nil, fmt.Errorf("%w: unknown mode %d", ErrDamaged, mode)
	}
	return mode, body, nil
}

func keyringHead(mode byte) []byte { return append([]byte(keyringMagic), mode) }

func (k *Keyring) encode() ([]byte, error) {
	contents, err := k.contents()
	if err != nil {
		return nil, err
	}
	var raw []byte
	if k.passphrase == nil {
		raw = append(keyringHead(modePlain), contents...)
	} else {
		salt := make([]byte, saltSize)
		rand.Read(salt)
		aead := passphraseAEAD(k.passphrase(), salt)
		raw = append(keyringHead(modeSealed), salt...)
		raw = aead.Seal(raw, make([]byte, aead.NonceSize()), contents, keyringHead(modeSealed))
	}
	sum := sha256.Sum256(raw)
	return append(raw, sum[:]...), nil
}

func openSealed(body, passphrase []byte) ([]byte, error) {
	if len(body) < saltSize {
		return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	aead := passphraseAEAD(passphrase, body[:saltSize])
	contents, err := aead.Open(nil, make([]byte, aead.NonceSize()), body[saltSize:], keyringHead(modeSealed))
	if err != nil {
		return nil, ErrPassphrase
	}
	return contents, nil
}

// passphraseAEAD derives a key that is used once: every save draws a new salt, so the nonce may be zero.
func passphraseAEAD(passphrase, salt []byte) cipher.AEAD {
	key := argon2.IDKey(passphrase, salt, argonTime, argonMemory, argonThreads, argonKeyBytes)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has a fixed length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (k *Keyring) contents() ([]byte, error) {
	hpkeSeed, err := k.Device.keys().hpke.Bytes()
	if err != nil {
		return nil, errors.New("HPKE key cannot be encoded")
	}
	f := keyringFile{
		Identity:   x509.MarshalPKCS1PrivateKey(k.Identity.key()),
		Sign:       k.Device.keys().sign.Seed(),
		HPKE:       hpkeSeed,
		Credential: k.Credential.raw[:],
		Store:      k.Store.Bytes(),
		Rounds:     []roundFile{},
	}
	for _, r := range k.Rounds {
		f.Rounds = append(f.Rounds, roundFile{
			ID: r.ID.Bytes(), Genesis: append([]byte{}, r.Genesis()...), First: append([]byte{}, r.First...),
		})
	}
	raw, err := cbor.Marshal(f)
	if err != nil {
		return nil, errors.New("contents cannot be encoded") // the cause could quote a key
	}
	return raw, nil
}

// decode fills k from the contents and checks that its parts belong together.
func (k *Keyring) decode(contents []byte) error {
	var f keyringFile
	if err := cbor.Unmarshal(contents, &f); err != nil {
		return errors.New("its contents cannot be read") // the cause could quote a key
	}
	var err error
	if k.Identity, err = ParseIdentity(f.Identity); err != nil {
		return err
	}
	if k.Device, err = ParseDeviceKey(f.Sign, f.HPKE); err != nil {
		return err
	}
	if k.Credential, err = ParseCredential(f.Credential); err != nil {
		return err
	}
	if k.Credential.device != k.Device.Device() || k.Credential.fingerprint != k.Identity.Fingerprint() {
		return errors.New("its credential is for other keys")
	}
	if len(f.Store) != 32 {
		return fmt.Errorf("store key of %d bytes, want 32", len(f.Store))
	}
	k.Store = StoreKey{newSecret(f.Store)}
	for _, r := range f.Rounds {
		id, err := ParseRoundID(r.ID)
		if err != nil {
			return err
		}
		if len(r.Genesis) > 0 && !RoundIDOf(r.Genesis).Equal(id) {
			return errors.New("genesis block does not hash to its round id")
		}
		secret := NewRoundSecret(id, r.Genesis)
		secret.First = r.First
		k.Rounds = append(k.Rounds, secret)
	}
	return nil
}
