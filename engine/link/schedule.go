package link

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"opentalk/engine/identity"
)

// Labels: each use of a hash or a key has its own. LINK 3.
const (
	labelMac1   = "opentalk/1 link mac1"
	labelSecret = "opentalk/1 link secret"

	labelM1          = "opentalk/1 link m1"
	labelTH1         = "opentalk/1 link th1"
	labelConfirmed   = "opentalk/1 link confirmed"
	labelTH2         = "opentalk/1 link th2"
	labelTH3         = "opentalk/1 link th3"
	labelCredential  = "opentalk/1 link credential"
	labelCredentials = "opentalk/1 link credentials"

	labelDH                = "opentalk/1 link dh"
	labelKEM               = "opentalk/1 link kem"
	labelInitiatorHello    = "opentalk/1 link initiator handshake"
	labelResponderHello    = "opentalk/1 link responder handshake"
	labelInitiatorFinished = "opentalk/1 link initiator finished"
	labelResponderFinished = "opentalk/1 link responder finished"
	labelAck               = "opentalk/1 link ack"
	labelInitiatorTraffic  = "opentalk/1 link initiator traffic"
	labelResponderTraffic  = "opentalk/1 link responder traffic"
	labelKey               = "opentalk/1 link key"
	labelIV                = "opentalk/1 link iv"
	labelRekey             = "opentalk/1 link rekey"

	labelFrontier = "opentalk/1 link frontier"
	labelRecords  = "opentalk/1 link records"
)

// What a device signs as. The roles differ, so a signature of one side is never one of the other. LINK 3.4.
const (
	RoleInitiator identity.Role = "opentalk/1 link initiator signature"
	RoleResponder identity.Role = "opentalk/1 link responder signature"
)

const (
	hashSize = sha256.Size
	keySize  = 16 // AES-128
	ivSize   = 12
	tagSize  = 16
)

// A type for each role that a key can have, so that none is used for another.
type (
	key struct {
		opaque
		b [hashSize]byte
	}
	mac1Key     struct{ key } // recognises a first message
	roundSecret struct{ key } // what members share, first in the schedule
	stage       struct{ key } // the schedule between two steps
	finishedKey struct{ key } // confirms one side's credential
	trafficKey  struct{ key } // one direction: gives key and iv, and the next trafficKey
)

// hash is SHA-256 over the label and the parts, each behind its length in four bytes. LINK 3.
func hash(label string, parts ...[]byte) (sum [hashSize]byte) {
	h := sha256.New()
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(label)))
	h.Write(n[:])
	h.Write([]byte(label))
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// mac is HMAC-SHA-256.
func mac(k key, message []byte) (sum [hashSize]byte) {
	h := hmac.New(sha256.New, k.b[:])
	h.Write(message)
	h.Sum(sum[:0])
	return sum
}

// derive is HKDF-SHA-256 with an empty salt.
func derive(secret []byte, label string) key {
	b, err := hkdf.Key(sha256.New, secret, nil, label, hashSize)
	return key{b: [hashSize]byte(must(b, err))}
}

// extract is HKDF-Extract: it mixes secret into the schedule.
func extract(salt, secret []byte) stage {
	b, err := hkdf.Extract(sha256.New, secret, salt)
	return stage{key{b: [hashSize]byte(must(b, err))}}
}

// expand is HKDF-Expand with info = label ‖ 0 ‖ context; the context is a transcript hash or nothing.
func expand(k key, label string, context []byte, size int) []byte {
	return must(hkdf.Expand(sha256.New, k.b[:], label+"\x00"+string(context), size))
}

func expandKey(k key, label string, context []byte) key {
	return key{b: [hashSize]byte(expand(k, label, context, hashSize))}
}

// schedule is what both sides hold once both secrets are agreed. LINK 3.3.
type schedule struct {
	opaque
	master stage
}

// agree runs the schedule: the round's secret first, then X25519's, then ML-KEM's, each step bound to th1.
func agree(round *Round, th1 [hashSize]byte, dh, kem []byte) schedule {
	s := extract(th1[:], round.secret.b[:])
	s = extract(expand(s.key, labelDH, th1[:], hashSize), dh)
	s = extract(expand(s.key, labelKEM, th1[:], hashSize), kem)
	return schedule{master: s}
}

// aead gives the AES-128-GCM and the nonce of one handshake message, the only one under this key.
func (s *schedule) aead(label string, th [hashSize]byte) (cipher.AEAD, []byte) {
	k := expandKey(s.master.key, label, th[:])
	return newAEAD(k)
}

func (s *schedule) seal(label string, th [hashSize]byte, plain []byte) []byte {
	aead, nonce := s.aead(label, th)
	return aead.Seal(nil, nonce, plain, nil)
}

func (s *schedule) open(label string, th [hashSize]byte, sealed []byte) ([]byte, bool) {
	aead, nonce := s.aead(label, th)
	plain, err := aead.Open(nil, nonce, sealed, nil)
	return plain, err == nil
}

// finished is the MAC with which a side confirms what it said of itself. LINK 3.4.
func (s *schedule) finished(label string, th [hashSize]byte, said []byte) [hashSize]byte {
	k := finishedKey{expandKey(s.master.key, label, th[:])}
	return mac(k.key, said)
}

func (s *schedule) traffic(label string, th3 [hashSize]byte) trafficKey {
	return trafficKey{expandKey(s.master.key, label, th3[:])}
}

// newAEAD derives key and iv from k.
func newAEAD(k key) (cipher.AEAD, []byte) {
	secret := expand(k, labelKey, nil, keySize)
	defer clear(secret)
	block := must(aes.NewCipher(secret))
	return must(cipher.NewGCM(block)), expand(k, labelIV, nil, ivSize)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only for lengths and options that are constants here
	}
	return v
}
