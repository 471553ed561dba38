package link

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/mlkem"
	"fmt"

	"opentalk/engine/identity"
)

// Initiator is the dialling side of a handshake. LINK 2.
//
// Until Session is not nil: read exactly Need bytes, none the first time, give them to Step, and send what it returns. An
// error is final, and nothing may be sent after it. One goroutine owns it.
type Initiator struct {
	opaque
	self  Self
	round *Round
	want  identity.Fingerprint
	keys  ephemerals

	next    func(*Initiator, []byte) ([]byte, error)
	need    int
	err     error
	session *Session

	// What only the steps between need.
	share   *ecdh.PrivateKey
	kem     *mlkem.DecapsulationKey768
	m1      [m1Size]byte
	secrets schedule
	th2     [hashSize]byte
}

// NewInitiator begins a handshake with whoever is there, in this round. A want that is not zero must be the fingerprint
// of the far side, or the handshake fails.
func NewInitiator(self Self, round *Round, want identity.Fingerprint) (*Initiator, error) {
	if err := self.check(); err != nil {
		return nil, err
	}
	return newInitiator(self, round, want, fresh{}), nil
}

func newInitiator(self Self, round *Round, want identity.Fingerprint, keys ephemerals) *Initiator {
	return &Initiator{self: self, round: round, want: want, keys: keys, next: (*Initiator).hello}
}

// Need is how many bytes Step takes next.
func (i *Initiator) Need() int { return i.need }

// Session is the link, once the handshake is done; it is nil until then.
func (i *Initiator) Session() *Session { return i.session }

// Step takes the next message of the far side and returns what to send.
func (i *Initiator) Step(in []byte) (out []byte, err error) {
	switch {
	case i.err != nil:
		return nil, i.err
	case i.next == nil:
		return nil, fmt.Errorf("handshake is done")
	case len(in) != i.need:
		return nil, fmt.Errorf("handshake step with %d bytes, want %d", len(in), i.need)
	}
	out, i.err = i.next(i, in)
	if i.err != nil {
		i.forget()
	}
	return out, i.err
}

// hello makes the first message. LINK 2.1.
func (i *Initiator) hello([]byte) (out []byte, err error) {
	if i.share, err = i.keys.x25519(); err != nil {
		return nil, fmt.Errorf("making an X25519 key: %w", err)
	}
	if i.kem, err = i.keys.decapsulator(); err != nil {
		return nil, fmt.Errorf("making an ML-KEM key: %w", err)
	}
	m1 := append([]byte(magic), version)
	m1 = append(m1, i.share.PublicKey().Bytes()...)
	m1 = append(m1, i.kem.EncapsulationKey().Bytes()...)
	mac1 := mac1Of(i.round, hash(labelM1, m1))
	m1 = append(m1, mac1[:]...)
	copy(i.m1[:], m1)
	i.next, i.need = (*Initiator).introduce, m2Size
	return m1, nil
}

// introduce checks that the responder is in the round and says who this is. LINK 2.2, 2.3.
func (i *Initiator) introduce(m2 []byte) ([]byte, error) {
	shares, proof := m2[:m2Proof], m2[m2Proof:]
	th1 := th1Of(i.m1[:], shares)
	dh, err := diffieHellman(i.share, m2[:m2KEM])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotOpentalk, err)
	}
	kem, err := i.kem.Decapsulate(m2[m2KEM:m2Proof])
	if err != nil {
		return nil, fmt.Errorf("%w: reading the ML-KEM ciphertext: %w", ErrNotOpentalk, err)
	}
	i.share, i.kem = nil, nil
	i.secrets = agree(i.round, th1, dh, kem)
	clear(dh)
	clear(kem)
	if _, ok := i.secrets.open(labelResponderHello, th1, proof); !ok {
		return nil, fmt.Errorf("%w: its answer does not open", ErrNotOpentalk)
	}

	confirmed := confirmedOf(th1, proof)
	own := i.self.Credential.Bytes()
	plain := concat(own, i.want[:], i.self.Key.Sign(RoleInitiator, initiatorSigned(confirmed, i.round.tag, own, i.want[:])))
	finished := i.secrets.finished(labelInitiatorFinished, confirmed, plain)
	m3 := i.secrets.seal(labelInitiatorHello, confirmed, append(plain, finished[:]...))
	i.th2 = th2Of(th1, proof, m3)
	i.next, i.need = (*Initiator).meet, m4Size
	return m3, nil
}

// meet checks who the responder is and completes the handshake. LINK 2.4, 2.5.
func (i *Initiator) meet(m4 []byte) ([]byte, error) {
	plain, ok := i.secrets.open(labelResponderHello, i.th2, m4)
	if !ok {
		return nil, violation("opening the fourth message: it was changed")
	}
	finished := i.secrets.finished(labelResponderFinished, i.th2, plain[:m4Finished])
	if !hmac.Equal(finished[:], plain[m4Finished:]) {
		return nil, violation("checking the fourth message: its MAC does not match")
	}
	peer, err := i.self.Verifier.Parse(plain[:m4Sig])
	if err != nil {
		return nil, violation("reading the responder's credential: %w", err)
	}
	own := i.self.Credential.Bytes()
	signed := responderSigned(i.th2, i.round.tag, own, peer.Bytes())
	switch {
	case !i.want.IsZero() && peer.Fingerprint() != i.want:
		return nil, fmt.Errorf("%w: want %s, there is %s", ErrWrongMember, i.want.Short(), peer.Fingerprint().Short())
	case peer.Device() == i.self.Key.Device():
		return nil, ErrSelf
	case !peer.Device().Verify(RoleResponder, signed, plain[m4Sig:m4Finished]):
		return nil, violation("checking the responder's signature: it does not match")
	}
	th3 := th3Of(i.th2, m4)
	ack := i.secrets.seal(labelAck, th3, nil)
	i.session = newSession(i.round.tag, peer, true, &i.secrets, th3)
	i.forget()
	i.next, i.need = nil, 0
	return ack, nil
}

// forget drops what only the handshake needed.
func (i *Initiator) forget() {
	i.share, i.kem, i.secrets = nil, nil, schedule{}
}

// mac1Of is what shows that a first message is by somebody who knows the round. LINK 2.1.
func mac1Of(r *Round, h [hashSize]byte) [mac1Size]byte {
	sum := mac(r.mac1.key, h[:])
	return [mac1Size]byte(sum[:mac1Size])
}
