package link

import (
	"crypto/hmac"
	"crypto/mlkem"
	"errors"
	"fmt"

	"opentalk/engine/identity"
)

// Gate is what a listener decides about its callers. All its links share it.
type Gate struct {
	// Rounds returns the rounds this device talks in. It is asked once a first message is complete; the first
	// [MaxRounds] are tried.
	Rounds func() []*Round
	// Replay remembers first messages. One for all listeners of the program.
	Replay *Replay
	// Banned says whom not to talk to. It is asked once the caller has proved to be this member; nil bans nobody.
	Banned func(identity.Tag, *identity.Credential) bool
}

// Responder is the listening side of a handshake, used as [Initiator] is. It sends nothing, and does no public-key
// operation, before a first message fits one of its rounds. LINK 2.
type Responder struct {
	opaque
	self  Self
	gate  Gate
	admit func() bool
	keys  ephemerals

	next    func(*Responder, []byte) ([]byte, error)
	need    int
	err     error
	session *Session

	// What only the steps between need.
	head      [headSize]byte
	round     *Round
	secrets   schedule
	th1       [hashSize]byte
	confirmed [hashSize]byte
	proof     [tagSize]byte
	th3       [hashSize]byte
	peer      *identity.Credential
}

// NewResponder waits for a first message. admit is asked whether to go on once that has shown that the caller knows a
// round; nil always goes on.
func NewResponder(self Self, gate Gate, admit func() bool) (*Responder, error) {
	if err := self.check(); err != nil {
		return nil, err
	}
	if gate.Rounds == nil || gate.Replay == nil {
		return nil, errors.New("gate without rounds or replay memory")
	}
	return newResponder(self, gate, admit, fresh{}), nil
}

func newResponder(self Self, gate Gate, admit func() bool, keys ephemerals) *Responder {
	if admit == nil {
		admit = func() bool { return true }
	}
	return &Responder{self: self, gate: gate, admit: admit, keys: keys, next: (*Responder).greet, need: headSize}
}

// Need is how many bytes Step takes next.
func (r *Responder) Need() int { return r.need }

// Session is the link, once the handshake is done; it is nil until then.
func (r *Responder) Session() *Session { return r.session }

// Step takes the next bytes of the far side and returns what to send, if anything.
func (r *Responder) Step(in []byte) (out []byte, err error) {
	switch {
	case r.err != nil:
		return nil, r.err
	case r.next == nil:
		return nil, fmt.Errorf("handshake is done")
	case len(in) != r.need:
		return nil, fmt.Errorf("handshake step with %d bytes, want %d", len(in), r.need)
	}
	out, r.err = r.next(r, in)
	if r.err != nil {
		r.forget()
	}
	return out, r.err
}

// greet looks at the beginning of the first message: another protocol is told by it, and need not be waited for.
func (r *Responder) greet(head []byte) ([]byte, error) {
	if string(head[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: first message begins with %q", ErrNotOpentalk, head[:len(magic)])
	}
	if head[len(magic)] != version {
		return nil, fmt.Errorf("%w: %d, want %d", ErrVersion, head[len(magic)], version)
	}
	copy(r.head[:], head)
	r.next, r.need = (*Responder).answer, m1RestSize
	return nil, nil
}

// answer finds the round and proves to be in it. LINK 2.1, 2.2.
func (r *Responder) answer(rest []byte) ([]byte, error) {
	m1 := concat(r.head[:], rest)
	if r.round = r.recognise(m1); r.round == nil {
		return nil, ErrUnknownRound
	}
	if err := r.gate.Replay.accept([mac1Size]byte(m1[m1MAC:]), r.admit); err != nil {
		return nil, err
	}

	share, err := r.keys.x25519()
	if err != nil {
		return nil, fmt.Errorf("making an X25519 key: %w", err)
	}
	dh, err := diffieHellman(share, m1[m1Share:m1KEM])
	if err != nil {
		return nil, err
	}
	theirs, err := mlkem.NewEncapsulationKey768(m1[m1KEM:m1MAC])
	if err != nil {
		return nil, violation("reading the ML-KEM key: %w", err)
	}
	kem, text := r.keys.encapsulate(theirs)
	m2 := concat(share.PublicKey().Bytes(), text)
	r.th1 = th1Of(m1, m2)
	r.secrets = agree(r.round, r.th1, dh, kem)
	clear(dh)
	clear(kem)
	m2 = append(m2, r.secrets.seal(labelResponderHello, r.th1, nil)...)
	r.proof = [tagSize]byte(m2[m2Proof:])
	r.confirmed = confirmedOf(r.th1, r.proof[:])
	r.next, r.need = (*Responder).meet, m3Size
	return m2, nil
}

// recognise tries the rounds: one HMAC each over a hash that is made once.
func (r *Responder) recognise(m1 []byte) *Round {
	h := hash(labelM1, m1[:m1MAC])
	rounds := r.gate.Rounds()
	for _, round := range rounds[:min(len(rounds), MaxRounds)] {
		if mac1 := mac1Of(round, h); hmac.Equal(mac1[:], m1[m1MAC:]) {
			return round
		}
	}
	return nil
}

// meet checks who the initiator is and whom it wants, and only then says who this is. LINK 2.3, 2.4.
func (r *Responder) meet(m3 []byte) ([]byte, error) {
	plain, ok := r.secrets.open(labelInitiatorHello, r.confirmed, m3)
	if !ok {
		return nil, violation("opening the third message: it was changed")
	}
	finished := r.secrets.finished(labelInitiatorFinished, r.confirmed, plain[:m3Finished])
	if !hmac.Equal(finished[:], plain[m3Finished:]) {
		return nil, violation("checking the third message: its MAC does not match")
	}
	want := identity.Fingerprint(plain[m3Want:m3Sig])
	if !want.IsZero() && want != r.self.Credential.Fingerprint() {
		return nil, fmt.Errorf("%w: the caller wants %s", ErrWrongMember, want.Short())
	}
	peer, err := r.self.Verifier.Parse(plain[:m3Want])
	if err != nil {
		return nil, violation("reading the initiator's credential: %w", err)
	}
	signed := initiatorSigned(r.confirmed, r.round.tag, peer.Bytes(), want[:])
	switch {
	case peer.Device() == r.self.Key.Device():
		return nil, ErrSelf
	case !peer.Device().Verify(RoleInitiator, signed, plain[m3Sig:m3Finished]):
		return nil, violation("checking the initiator's signature: it does not match")
	case r.gate.Banned != nil && r.gate.Banned(r.round.tag, peer):
		return nil, fmt.Errorf("%w: %s", ErrBanned, peer.Fingerprint().Short())
	}
	r.peer = peer
	return r.introduce(m3), nil
}

// introduce says who this is. LINK 2.4.
func (r *Responder) introduce(m3 []byte) []byte {
	th2 := th2Of(r.th1, r.proof[:], m3)
	own := r.self.Credential.Bytes()
	plain := concat(own, r.self.Key.Sign(RoleResponder, responderSigned(th2, r.round.tag, r.peer.Bytes(), own)))
	finished := r.secrets.finished(labelResponderFinished, th2, plain)
	m4 := r.secrets.seal(labelResponderHello, th2, append(plain, finished[:]...))
	r.th3 = th3Of(th2, m4)
	r.next, r.need = (*Responder).done, ackSize
	return m4
}

// done waits for the initiator's word that it has accepted. LINK 2.5.
func (r *Responder) done(ack []byte) ([]byte, error) {
	if _, ok := r.secrets.open(labelAck, r.th3, ack); !ok {
		return nil, violation("opening the acknowledgement: it was changed")
	}
	r.session = newSession(r.round.tag, r.peer, false, &r.secrets, r.th3)
	r.forget()
	r.next, r.need = nil, 0
	return nil, nil
}

// forget drops what only the handshake needed.
func (r *Responder) forget() {
	r.secrets = schedule{}
}
