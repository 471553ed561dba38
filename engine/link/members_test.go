package link

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net"
	"os"
	"sync"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/leaktest"
)

var update = flag.Bool("update", false, "write the vectors anew")

func TestMain(m *testing.M) { leaktest.Main(m) }

// hexBytes is bytes that JSON shows in hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// people are the members of these tests, one Verifier each. tablet is another device of alice's.
var people = sync.OnceValue(func() map[string]Self {
	all := map[string]Self{
		"alice":  {Key: identitytest.Device(0), Credential: identitytest.Credential(0)},
		"bob":    {Key: identitytest.Device(1), Credential: identitytest.Credential(1)},
		"carol":  {Key: identitytest.Device(2), Credential: identitytest.Credential(2)},
		"tablet": {Key: identitytest.Device(3), Credential: must(identitytest.Identity(0).Certify(identitytest.Device(3).Device(), identitytest.Created))},
	}
	for name, p := range all {
		p.Verifier = new(identity.Verifier)
		all[name] = p
	}
	return all
})

func as(t testing.TB, name string) Self {
	t.Helper()
	self, ok := people()[name]
	if !ok {
		t.Fatalf("no member %q", name)
	}
	return self
}

func writeJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// roundNamed returns the round whose id is 32 times b.
func roundNamed(b byte) *Round {
	id, err := identity.ParseRoundID(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		panic(err)
	}
	return NewRound(id.Tag(), id.LinkKey())
}

// gateFor opens for the given rounds.
func gateFor(rounds ...*Round) Gate {
	return Gate{Rounds: func() []*Round { return rounds }, Replay: new(Replay)}
}

var nobody identity.Fingerprint

// pair is a handshake of two machines without a socket, taken as far as a test wants.
type pair struct {
	i              *Initiator
	r              *Responder
	m1, m2, m3, m4 []byte
	ack            []byte
}

// begin is alice dialling bob, whom she wants.
func begin(t testing.TB) *pair {
	round, bob := roundNamed(1), as(t, "bob")
	i := newInitiator(as(t, "alice"), round, bob.Credential.Fingerprint(), fresh{})
	return &pair{i: i, r: newResponder(bob, gateFor(round), nil, fresh{})}
}

// greet gives m1 to r in the two steps it takes.
func greet(r *Responder, m1 []byte) ([]byte, error) {
	if out, err := r.Step(m1[:headSize]); err != nil {
		return out, err
	}
	return r.Step(m1[headSize:])
}

// upTo exchanges the first n messages, without giving the last to anybody.
func (p *pair) upTo(t testing.TB, n int) *pair {
	t.Helper()
	steps := []struct {
		out  *[]byte
		step func() ([]byte, error)
	}{
		{&p.m1, func() ([]byte, error) { return p.i.Step(nil) }},
		{&p.m2, func() ([]byte, error) { return greet(p.r, p.m1) }},
		{&p.m3, func() ([]byte, error) { return p.i.Step(p.m2) }},
		{&p.m4, func() ([]byte, error) { return p.r.Step(p.m3) }},
		{&p.ack, func() ([]byte, error) { return p.i.Step(p.m4) }},
		{new([]byte), func() ([]byte, error) { return p.r.Step(p.ack) }},
	}
	for k, s := range steps[:n] {
		var err error
		if *s.out, err = s.step(); err != nil {
			t.Fatalf("message %d: %v", k+1, err)
		}
	}
	return p
}

// linked returns both ends of a link, the initiator's first.
func linked(t testing.TB) (*Session, *Session) {
	t.Helper()
	p := begin(t).upTo(t, 6)
	return p.i.Session(), p.r.Session()
}

// feed gives s whole records.
func feed(s *Session, wire []byte) error {
	for len(wire) > 0 {
		n := min(s.Need(), len(wire))
		if n < s.Need() {
			return nil
		}
		if err := s.Open(bytes.Clone(wire[:n])); err != nil {
			return err
		}
		wire = wire[n:]
	}
	return nil
}

// drain returns the messages that have arrived.
func drain(t testing.TB, s *Session) (all []Message) {
	t.Helper()
	for {
		m, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			return all
		}
		all = append(all, m)
	}
}

// tcpPair is a loopback connection.
func tcpPair(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if dialled, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}
