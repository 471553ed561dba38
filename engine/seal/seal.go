// Package seal encrypts what only members may read: the bodies of blocks, and what a home keeps private from whoever gets
// hold of its database.
//
// It stands beside package chain, which sees bodies only as bytes and a hash, and above package identity, which derives the
// keys. The construction is in CHAIN.md, section 5.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"opentalk/engine/identity"
)

// Layout of a sealed body: salt ‖ commitment ‖ AES-128-GCM of the plaintext.
const (
	saltSize       = 32
	commitmentSize = 32
	tagSize        = 16
	keySize        = 16
	nonceSize      = 12

	// Overhead is what sealing adds to a plaintext.
	Overhead = saltSize + commitmentSize + tagSize
)

const (
	bodyLabel    = "opentalk/1 body"
	privateLabel = "opentalk/1 private"
)

// ErrUnreadable is given for whatever does not open: sealed for another place, under another key, or changed.
var ErrUnreadable = errors.New("sealed text does not open")

// Place is where in a round a body belongs. A body opens nowhere else. Of two blocks that an author signs at one place, a
// body opens in both: a fork shows itself otherwise.
type Place struct {
	Tag    identity.Tag
	Kind   uint64
	Epoch  [32]byte
	Author identity.Device
	Seq    uint64
}

// Body seals the plaintext of a block's body. CHAIN 5.1.
func Body(key identity.ContentKey, at Place, plain []byte) []byte {
	return sealWith(key.Bytes(), at.info(), plain)
}

// OpenBody returns the plaintext of a body, or [ErrUnreadable].
func OpenBody(key identity.ContentKey, at Place, body []byte) ([]byte, error) {
	return openWith(key.Bytes(), at.info(), body)
}

// info is label ‖ tag ‖ kind ‖ epoch ‖ author ‖ seq, numbers as 8 bytes big-endian.
func (p Place) info() string {
	b := make([]byte, 0, len(bodyLabel)+16+8+32+32+8)
	b = append(b, bodyLabel...)
	b = append(b, p.Tag[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Kind)
	b = append(b, p.Epoch[:]...)
	b = append(b, p.Author[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Seq)
	return string(b)
}

// Private seals what the store keeps under a name: it opens only under the same name. CHAIN 5.2.
func Private(key identity.StoreKey, name string, plain []byte) []byte {
	return sealWith(key.Bytes(), privateLabel+" "+name, plain)
}

// OpenPrivate returns what Private sealed, or [ErrUnreadable].
func OpenPrivate(key identity.StoreKey, name string, sealed []byte) ([]byte, error) {
	return openWith(key.Bytes(), privateLabel+" "+name, sealed)
}

func sealWith(secret []byte, info string, plain []byte) []byte {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return sealSalted(secret, salt, info, plain)
}

func sealSalted(secret, salt []byte, info string, plain []byte) []byte {
	aead, nonce, commitment := derive(secret, salt, info)
	out := make([]byte, 0, Overhead+len(plain))
	out = append(append(out, salt...), commitment...)
	return aead.Seal(out, nonce, plain, nil)
}

func openWith(secret []byte, info string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrUnreadable
	}
	salt, rest := sealed[:saltSize], sealed[saltSize:]
	aead, nonce, commitment := derive(secret, salt, info)
	// GCM alone does not commit to its key: one ciphertext could be made to open under two.
	if subtle.ConstantTimeCompare(commitment, rest[:commitmentSize]) != 1 {
		return nil, ErrUnreadable
	}
	plain, err := aead.Open(nil, nonce, rest[commitmentSize:], nil)
	if err != nil {
		return nil, ErrUnreadable
	}
	return plain, nil
}

// derive gives the key that a salt has for itself, so that the nonce is never used twice, and the commitment to it.
func derive(secret, salt []byte, info string) (aead cipher.AEAD, nonce, commitment []byte) {
	okm, err := hkdf.Key(sha256.New, secret, salt, info, keySize+nonceSize+commitmentSize)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	block, err := aes.NewCipher(okm[:keySize])
	if err != nil {
		panic(err) // the key has a fixed length
	}
	if aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	return aead, okm[keySize : keySize+nonceSize], okm[keySize+nonceSize:]
}
