package link

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"opentalk/engine/identity"
)

func TestHandshakeAgrees(t *testing.T) {
	for _, want := range []identity.Fingerprint{nobody, as(t, "bob").Credential.Fingerprint()} {
		p := begin(t)
		p.i.want = want
		p.upTo(t, 6)
		i, r := p.i.Session(), p.r.Session()
		if i.Tag() != r.Tag() || i.Tag() != roundNamed(1).Tag() {
			t.Error("sides are in different rounds")
		}
		if i.Peer().Fingerprint() != as(t, "bob").Credential.Fingerprint() || r.Peer().Fingerprint() != as(t, "alice").Credential.Fingerprint() {
			t.Error("sides do not know each other")
		}
		if !i.Initiated() || r.Initiated() {
			t.Error("sides disagree on who dialled")
		}
		for n, m := range [][]byte{p.m1, p.m2, p.m3, p.m4, p.ack} {
			if want := []int{1241, 1136, 966, 934, 16}[n]; len(m) != want {
				t.Errorf("message %d has %d bytes, want %d", n+1, len(m), want)
			}
		}
	}
}

// Two devices of one person may talk to each other.
func TestHandshakeOfOwnDevices(t *testing.T) {
	p := begin(t)
	p.i.want = as(t, "alice").Credential.Fingerprint()
	p.r.self = as(t, "tablet")
	p.upTo(t, 6)
}

// The thief has all of alice's keys and the round, and wants alice to take them for bob.
func TestT1StolenKeyDoesNotImpersonateOthers(t *testing.T) {
	alice, bob, round := as(t, "alice"), as(t, "bob"), roundNamed(1)
	thief := Self{Key: alice.Key, Credential: bob.Credential, Verifier: alice.Verifier}
	if _, err := NewInitiator(thief, round, nobody); err == nil {
		t.Error("initiator with a credential for another key")
	}

	t.Run("dialling", func(t *testing.T) {
		p := &pair{i: newInitiator(thief, round, nobody, fresh{}), r: newResponder(alice, gateFor(round), nil, fresh{})}
		p.upTo(t, 3)
		if out, err := p.r.Step(p.m3); !errors.Is(err, ErrViolation) || len(out) > 0 {
			t.Errorf("alice answers the thief with %d bytes, %v", len(out), err)
		}
	})
	t.Run("answering", func(t *testing.T) {
		p := &pair{i: newInitiator(alice, round, bob.Credential.Fingerprint(), fresh{}), r: newResponder(thief, gateFor(round), nil, fresh{})}
		p.upTo(t, 3)
		p.r.peer = alice.Credential // the thief does not mind that it is its own
		if out, err := p.i.Step(p.r.introduce(p.m3)); !errors.Is(err, ErrViolation) || len(out) > 0 || p.i.Session() != nil {
			t.Errorf("alice acknowledges the thief with %d bytes, %v", len(out), err)
		}
	})
}

func TestT2AnotherMemberAnswers(t *testing.T) {
	t.Run("honest", func(t *testing.T) {
		p := begin(t)
		p.r.self = as(t, "carol")
		p.upTo(t, 3)
		if out, err := p.r.Step(p.m3); !errors.Is(err, ErrWrongMember) || len(out) > 0 {
			t.Errorf("carol answers with %d bytes, %v", len(out), err)
		}
	})
	t.Run("lying", func(t *testing.T) {
		p := begin(t)
		p.r.self = as(t, "carol")
		p.i.want = nobody // what carol is told
		p.upTo(t, 4)
		p.i.want = as(t, "bob").Credential.Fingerprint()
		if out, err := p.i.Step(p.m4); !errors.Is(err, ErrWrongMember) || len(out) > 0 || p.i.Session() != nil {
			t.Errorf("alice takes carol for bob: %d bytes, %v", len(out), err)
		}
	})
	t.Run("passed on", func(t *testing.T) {
		// Carol, a member, sits between: alice's third message is of no use to her towards bob.
		round := roundNamed(1)
		toCarol := begin(t)
		toCarol.r.self = as(t, "carol")
		toCarol.upTo(t, 3)
		toBob := begin(t)
		toBob.i = newInitiator(as(t, "carol"), round, nobody, fresh{})
		toBob.upTo(t, 2)
		if _, err := toBob.r.Step(toCarol.m3); !errors.Is(err, ErrViolation) {
			t.Errorf("bob takes what alice said to carol: %v", err)
		}
	})
}

// A member who passes on what another said, under keys of its own, fails at the signature.
func TestT2SignatureCoversTranscript(t *testing.T) {
	round := roundNamed(1)
	toCarol := begin(t)
	toCarol.r.self = as(t, "carol")
	toCarol.upTo(t, 3)
	plain, ok := toCarol.r.secrets.open(labelInitiatorHello, toCarol.r.confirmed, toCarol.m3)
	if !ok {
		t.Fatal("carol cannot read what was sent to her")
	}
	toBob := begin(t)
	toBob.i = newInitiator(as(t, "carol"), round, nobody, fresh{})
	toBob.upTo(t, 2)
	r := toBob.r
	finished := r.secrets.finished(labelInitiatorFinished, r.confirmed, plain[:m3Finished])
	m3 := r.secrets.seal(labelInitiatorHello, r.confirmed, concat(plain[:m3Finished], finished[:]))
	if _, err := r.Step(m3); !errors.Is(err, ErrViolation) || !strings.Contains(err.Error(), "signature") {
		t.Errorf("bob takes carol for alice: %v", err)
	}
}

func TestT3NoAnswerWithoutTheRound(t *testing.T) {
	keys := &counting{}
	r := newResponder(as(t, "bob"), gateFor(roundNamed(2), roundNamed(3)), nil, keys)
	p := begin(t).upTo(t, 1)
	if out, err := greet(r, p.m1); !errors.Is(err, ErrUnknownRound) || len(out) > 0 {
		t.Errorf("answered with %d bytes, %v", len(out), err)
	}
	if keys.n != 0 {
		t.Errorf("%d keys made", keys.n)
	}
}

// The impostor knows the protocol, and not the round: it sees the first message, which holds nothing of the round that it
// could try against anything but the whole id, and the dialler is silent from there.
func TestT3ImpostorGetsFirstMessageOnly(t *testing.T) {
	p := begin(t).upTo(t, 1)
	id := bytes.Repeat([]byte{1}, 32)
	tag := roundNamed(1).Tag()
	for _, secret := range [][]byte{id, tag[:], p.i.self.Credential.Bytes()[:64], p.i.want[:]} {
		if bytes.Contains(p.m1, secret) {
			t.Error("first message names the round or a member")
		}
	}
	impostor := newResponder(as(t, "carol"), gateFor(roundNamed(2)), nil, fresh{})
	other := newInitiator(as(t, "carol"), roundNamed(2), nobody, fresh{})
	m1, _ := other.Step(nil)
	m2, err := greet(impostor, m1) // right in form, wrong in the round
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.i.Step(m2); !errors.Is(err, ErrNotOpentalk) || len(out) > 0 {
		t.Errorf("dialler goes on with %d bytes, %v", len(out), err)
	}
	if out, err := p.i.Step(m2); !errors.Is(err, ErrNotOpentalk) || len(out) > 0 {
		t.Errorf("dialler tries again: %d bytes, %v", len(out), err)
	}
}

// An impostor that somehow takes every first message for one of its round still has not the secret for an answer.
func TestT3AnswerNeedsTheSecret(t *testing.T) {
	p := begin(t).upTo(t, 1)
	half := roundNamed(2)
	half.mac1 = roundNamed(1).mac1
	m2, err := greet(newResponder(as(t, "bob"), gateFor(half), nil, fresh{}), p.m1)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.i.Step(m2); !errors.Is(err, ErrNotOpentalk) || len(out) > 0 {
		t.Errorf("dialler goes on with %d bytes, %v", len(out), err)
	}
}

// Each of the secrets counts: with one of them another, nothing opens.
func TestScheduleNeedsEverySecret(t *testing.T) {
	round, th1, dh, kem := roundNamed(1), hash("a"), seed("dh", 32), seed("kem", 32)
	good := agree(round, th1, dh, kem)
	for name, s := range map[string]schedule{
		"round":      agree(roundNamed(2), th1, dh, kem),
		"transcript": agree(round, hash("b"), dh, kem),
		"X25519":     agree(round, th1, seed("other", 32), kem),
		"ML-KEM":     agree(round, th1, dh, seed("other", 32)),
	} {
		if s.master.b == good.master.b {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestT4DialOneself(t *testing.T) {
	p := begin(t)
	p.r.self = as(t, "alice")
	p.i.want = nobody
	p.upTo(t, 3)
	if out, err := p.r.Step(p.m3); !errors.Is(err, ErrSelf) || len(out) > 0 {
		t.Errorf("answered oneself with %d bytes, %v", len(out), err)
	}
}

func TestT4Reflection(t *testing.T) {
	t.Run("first message", func(t *testing.T) {
		p := begin(t).upTo(t, 1)
		if out, err := p.i.Step(p.m1[:m2Size]); err == nil || len(out) > 0 {
			t.Errorf("echo accepted: %d bytes", len(out))
		}
	})
	t.Run("shares", func(t *testing.T) {
		p := begin(t).upTo(t, 2)
		copy(p.m2, p.m1[m1Share:m1KEM]) // one's own share as the other's
		if out, err := p.i.Step(p.m2); err == nil || len(out) > 0 {
			t.Errorf("own share accepted: %d bytes", len(out))
		}
	})
	t.Run("third message", func(t *testing.T) {
		p := begin(t).upTo(t, 3)
		if _, err := p.i.Step(p.m3[:m4Size]); !errors.Is(err, ErrViolation) {
			t.Errorf("echo accepted: %v", err)
		}
	})
	t.Run("own credential", func(t *testing.T) {
		p := begin(t)
		p.i.want = nobody
		p.upTo(t, 2)
		p.r.self = as(t, "alice") // answers as alice to alice
		r := p.r
		m3, err := p.i.Step(p.m2)
		if err != nil {
			t.Fatal(err)
		}
		r.peer = as(t, "alice").Credential
		if out, err := p.i.Step(r.introduce(m3)); !errors.Is(err, ErrSelf) || len(out) > 0 {
			t.Errorf("linked to oneself: %d bytes, %v", len(out), err)
		}
	})
	t.Run("signature of the other role", func(t *testing.T) {
		if RoleInitiator == RoleResponder {
			t.Fatal("both roles are one")
		}
		p := begin(t).upTo(t, 3)
		signed := initiatorSigned(p.r.confirmed, p.r.round.tag, p.i.self.Credential.Bytes(), p.i.want[:])
		own := p.i.self
		forged := concat(own.Credential.Bytes(), p.i.want[:], own.Key.Sign(RoleResponder, signed))
		if err := stepForged(p.r, forged); !errors.Is(err, ErrViolation) {
			t.Errorf("responder's signature taken for an initiator's: %v", err)
		}
	})
	t.Run("record", func(t *testing.T) {
		a, _ := linked(t)
		wire, err := a.Seal(nil, Ping{Nonce: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := feed(a, wire); !errors.Is(err, ErrViolation) {
			t.Errorf("own record accepted: %v", err)
		}
	})
}

// stepForged gives r a third message with a right MAC around what a member made up.
func stepForged(r *Responder, said []byte) error {
	finished := r.secrets.finished(labelInitiatorFinished, r.confirmed, said)
	_, err := r.Step(r.secrets.seal(labelInitiatorHello, r.confirmed, concat(said, finished[:])))
	return err
}

func TestBanned(t *testing.T) {
	p := begin(t)
	var asked []identity.Fingerprint
	p.r.gate.Banned = func(tag identity.Tag, c *identity.Credential) bool {
		asked = append(asked, c.Fingerprint())
		return tag == roundNamed(1).Tag()
	}
	p.upTo(t, 3)
	if out, err := p.r.Step(p.m3); !errors.Is(err, ErrBanned) || len(out) > 0 {
		t.Errorf("banned caller gets %d bytes, %v", len(out), err)
	}
	if len(asked) != 1 || asked[0] != as(t, "alice").Credential.Fingerprint() {
		t.Errorf("asked about %v", asked)
	}
}

// Each part of the third and fourth message is checked, even under a right MAC and AEAD.
func TestEveryPartIsChecked(t *testing.T) {
	for at := 0; at < m3Finished; at += 7 {
		p := begin(t).upTo(t, 3)
		plain, _ := p.r.secrets.open(labelInitiatorHello, p.r.confirmed, p.m3)
		plain[at] ^= 1
		if err := stepForged(p.r, plain[:m3Finished]); err == nil {
			t.Fatalf("third message with another byte %d accepted", at)
		}
	}
	for at := 0; at < m4Finished; at += 7 {
		p := begin(t).upTo(t, 4)
		plain, _ := p.i.secrets.open(labelResponderHello, p.i.th2, p.m4)
		plain[at] ^= 1
		finished := p.i.secrets.finished(labelResponderFinished, p.i.th2, plain[:m4Finished])
		m4 := p.i.secrets.seal(labelResponderHello, p.i.th2, concat(plain[:m4Finished], finished[:]))
		if _, err := p.i.Step(m4); err == nil {
			t.Fatalf("fourth message with another byte %d accepted", at)
		}
	}
	p := begin(t).upTo(t, 3)
	plain, _ := p.r.secrets.open(labelInitiatorHello, p.r.confirmed, p.m3)
	plain[m3Plain-1] ^= 1
	if _, err := p.r.Step(p.r.secrets.seal(labelInitiatorHello, p.r.confirmed, plain)); err == nil || !strings.Contains(err.Error(), "MAC") {
		t.Errorf("third message with another MAC: %v", err)
	}
	p = begin(t).upTo(t, 4)
	plain, _ = p.i.secrets.open(labelResponderHello, p.i.th2, p.m4)
	plain[m4Plain-1] ^= 1
	if _, err := p.i.Step(p.i.secrets.seal(labelResponderHello, p.i.th2, plain)); err == nil || !strings.Contains(err.Error(), "MAC") {
		t.Errorf("fourth message with another MAC: %v", err)
	}
}

// A member who knows the round, and sends a share of low order or an ML-KEM key that is none.
func TestBadPublicKeys(t *testing.T) {
	for name, spoil := range map[string]func(m1 []byte){
		"X25519 zero": func(m1 []byte) { clear(m1[m1Share:m1KEM]) },
		"X25519 one":  func(m1 []byte) { clear(m1[m1Share:m1KEM]); m1[m1Share] = 1 },
		"ML-KEM":      func(m1 []byte) { copy(m1[m1KEM:], bytes.Repeat([]byte{0xff}, 64)) },
	} {
		p := begin(t).upTo(t, 1)
		spoil(p.m1)
		mac1 := mac1Of(roundNamed(1), hash(labelM1, p.m1[:m1MAC]))
		copy(p.m1[m1MAC:], mac1[:])
		if out, err := greet(p.r, p.m1); !errors.Is(err, ErrViolation) || len(out) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	p := begin(t).upTo(t, 2)
	clear(p.m2[:m2KEM])
	if out, err := p.i.Step(p.m2); !errors.Is(err, ErrNotOpentalk) || len(out) > 0 {
		t.Errorf("share of low order: %d bytes, %v", len(out), err)
	}
}

func TestUnknownVersionAndMagic(t *testing.T) {
	for at, want := range map[int]error{0: ErrNotOpentalk, 7: ErrNotOpentalk, 8: ErrVersion} {
		p := begin(t).upTo(t, 1)
		p.m1[at]++
		if out, err := p.r.Step(p.m1[:headSize]); !errors.Is(err, want) || len(out) > 0 {
			t.Errorf("byte %d: %d bytes, %v", at, len(out), err)
		}
	}
}

// counting makes keys and counts them.
type counting struct {
	fresh
	n int
}

func (c *counting) x25519() (*ecdh.PrivateKey, error) { c.n++; return c.fresh.x25519() }
func (c *counting) encapsulate(k *mlkem.EncapsulationKey768) (shared, text []byte) {
	c.n++
	return c.fresh.encapsulate(k)
}

func TestT8JunkCostsNoPublicKeyOperation(t *testing.T) {
	rounds := make([]*Round, MaxRounds+1)
	for k := range rounds {
		rounds[k] = roundNamed(byte(k + 1))
	}
	admitted := 0
	admit := func() bool { admitted++; return true }
	try := func(round *Round, spoil bool) (*counting, error) {
		m1, err := newInitiator(as(t, "alice"), round, nobody, fresh{}).Step(nil)
		if err != nil {
			t.Fatal(err)
		}
		if spoil {
			m1[m1MAC] ^= 1
		}
		keys := &counting{}
		_, err = greet(newResponder(as(t, "bob"), gateFor(rounds...), admit, keys), m1)
		return keys, err
	}
	for k := range 20 {
		if keys, err := try(rounds[k], true); !errors.Is(err, ErrUnknownRound) || keys.n != 0 || admitted != 0 {
			t.Fatalf("junk cost %d keys and %d places: %v", keys.n, admitted, err)
		}
	}
	if keys, err := try(rounds[MaxRounds-1], false); err != nil || keys.n != 2 || admitted != 1 {
		t.Errorf("last round: %d keys, %d places, %v", keys.n, admitted, err)
	}
	if _, err := try(rounds[MaxRounds], false); !errors.Is(err, ErrUnknownRound) {
		t.Errorf("round past the limit: %v", err)
	}
}

func TestNotAdmitted(t *testing.T) {
	p := begin(t).upTo(t, 1)
	keys, open := &counting{}, false
	gate := gateFor(roundNamed(1))
	admit := func() bool { return open }
	if out, err := greet(newResponder(p.r.self, gate, admit, keys), p.m1); !errors.Is(err, ErrBusy) || len(out) > 0 || keys.n != 0 {
		t.Errorf("%d bytes, %d keys, %v", len(out), keys.n, err)
	}
	open = true // it was not answered, so it is no replay
	if _, err := greet(newResponder(p.r.self, gate, admit, keys), p.m1); err != nil {
		t.Error(err)
	}
}

func TestT5ReplayedFirstMessage(t *testing.T) {
	gate := gateFor(roundNamed(1))
	answer := func(m1 []byte) (int, error) {
		keys := &counting{}
		_, err := greet(newResponder(as(t, "bob"), gate, nil, keys), m1)
		return keys.n, err
	}
	p := begin(t).upTo(t, 1)
	if _, err := answer(p.m1); err != nil {
		t.Fatal(err)
	}
	if n, err := answer(p.m1); !errors.Is(err, ErrReplay) || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestReplayRemembersTheLast(t *testing.T) {
	var r Replay
	yes := func() bool { return true }
	name := func(n int) (m [mac1Size]byte) { copy(m[:], fmt.Sprint(n)); return m }
	for n := range MaxReplay + 10 {
		if err := r.accept(name(n), yes); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.seen) != MaxReplay || len(r.ring) != MaxReplay {
		t.Errorf("remembers %d and %d", len(r.seen), len(r.ring))
	}
	if err := r.accept(name(10), yes); !errors.Is(err, ErrReplay) {
		t.Errorf("oldest that must be remembered: %v", err)
	}
	if err := r.accept(name(9), yes); err != nil {
		t.Errorf("one older: %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	round := roundNamed(1)
	a, _ := linked(t)
	p := begin(t).upTo(t, 2)
	conn := &Conn{session: a}
	for _, v := range []any{round, *round, round.mac1, round.secret, a, *a, p.i, p.r, p.r.secrets, a.send, a.send.secret, conn} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != redacted {
				t.Errorf("%T prints as %.60q", v, got)
			}
		}
		if j, err := json.Marshal(v); err != nil || string(j) != `"[redacted]"` {
			t.Errorf("%T encodes as %.60q, %v", v, j, err)
		}
	}
}
