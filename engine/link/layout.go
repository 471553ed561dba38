package link

import (
	"crypto/mlkem"

	"opentalk/engine/identity"
)

// What every first message begins with. LINK 2.1.
const (
	magic   = "opentalk"
	version = 1
)

const (
	x25519Size   = 32
	kemKeySize   = mlkem.EncapsulationKeySize768 // 1184
	kemTextSize  = mlkem.CiphertextSize768       // 1088
	mac1Size     = 16
	wantSize     = 32
	signature    = identity.DeviceSignatureSize // 64
	credential   = identity.CredentialSize      // 822
	finishedSize = hashSize
)

// The first message, in clear. LINK 2.1.
//
//	  8  magic
//	  1  version
//	 32  X25519 share
//	1184 ML-KEM-768 encapsulation key
//	 16  mac1
const (
	headSize   = len(magic) + 1
	m1Share    = headSize
	m1KEM      = m1Share + x25519Size
	m1MAC      = m1KEM + kemKeySize
	m1Size     = m1MAC + mac1Size // 1241: one TCP segment, so that it arrives whole
	m1RestSize = m1Size - headSize
)

// The second message, in clear but for its proof. LINK 2.2.
//
//	 32  X25519 share
//	1088 ML-KEM-768 ciphertext
//	 16  AEAD of nothing
const (
	m2KEM   = x25519Size
	m2Proof = m2KEM + kemTextSize
	m2Size  = m2Proof + tagSize // 1136
)

// The third message: an AEAD of these. LINK 2.3.
//
//	822  credential
//	 32  fingerprint wanted, or zeros
//	 64  signature as RoleInitiator
//	 32  finished-MAC
const (
	m3Want     = credential
	m3Sig      = m3Want + wantSize
	m3Finished = m3Sig + signature
	m3Plain    = m3Finished + finishedSize
	m3Size     = m3Plain + tagSize // 966
)

// The fourth message: an AEAD of these. LINK 2.4.
//
//	822  credential
//	 64  signature as RoleResponder
//	 32  finished-MAC
const (
	m4Sig      = credential
	m4Finished = m4Sig + signature
	m4Plain    = m4Finished + finishedSize
	m4Size     = m4Plain + tagSize // 934
)

// The fifth message, ACK, is an AEAD of nothing. LINK 2.5.
const ackSize = tagSize

// The transcript hashes, each over the one before and what came since. LINK 3.2.

// th1Of covers both shares: the second message without its proof.
func th1Of(m1, m2 []byte) [hashSize]byte { return hash(labelTH1, m1, m2) }

// confirmedOf covers the responder's proof, too.
func confirmedOf(th1 [hashSize]byte, proof []byte) [hashSize]byte {
	return hash(labelConfirmed, th1[:], proof)
}

func th2Of(th1 [hashSize]byte, proof, m3 []byte) [hashSize]byte {
	return hash(labelTH2, th1[:], proof, m3)
}

func th3Of(th2 [hashSize]byte, m4 []byte) [hashSize]byte { return hash(labelTH3, th2[:], m4) }

// initiatorSigned is what the initiator signs. LINK 3.4.
func initiatorSigned(confirmed [hashSize]byte, tag identity.Tag, cred, want []byte) []byte {
	h := hash(labelCredential, cred)
	return concat(confirmed[:], tag[:], h[:], want)
}

// responderSigned is what the responder signs. LINK 3.4.
func responderSigned(th2 [hashSize]byte, tag identity.Tag, initiator, responder []byte) []byte {
	h := hash(labelCredentials, initiator, responder)
	return concat(th2[:], tag[:], h[:])
}

func concat(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
