package link

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"testing"

	"opentalk/engine/identity"
)

// The vectors in testdata/vectors are for other implementations. LINK 10 says how to read them.

// fixed are ephemerals that are known beforehand.
type fixed struct{ scalar, kem hexBytes }

func (f fixed) x25519() (*ecdh.PrivateKey, error) { return ecdh.X25519().NewPrivateKey(f.scalar) }
func (f fixed) decapsulator() (*mlkem.DecapsulationKey768, error) {
	return mlkem.NewDecapsulationKey768(f.kem)
}
func (f fixed) encapsulate(k *mlkem.EncapsulationKey768) (shared, text []byte) {
	shared, text, err := mlkemtest.Encapsulate768(k, f.kem)
	if err != nil {
		panic(err)
	}
	return shared, text
}

type sideVector struct {
	DeviceSeed hexBytes `json:"device_seed"`
	Credential hexBytes `json:"credential"`
	X25519     hexBytes `json:"x25519_scalar"`
	KEM        hexBytes `json:"mlkem_seed"` // the initiator's key (d ‖ z), the responder's message m
}

type handshakeVector struct {
	RoundID   hexBytes   `json:"round_id"`
	LinkKey   hexBytes   `json:"link_key"`
	Tag       hexBytes   `json:"tag"`
	Mac1Key   hexBytes   `json:"mac1_key"`
	Secret    hexBytes   `json:"round_secret"`
	Want      hexBytes   `json:"want"`
	Initiator sideVector `json:"initiator"`
	Responder sideVector `json:"responder"`

	DH        hexBytes `json:"x25519_secret"`
	KEM       hexBytes `json:"mlkem_secret"`
	Master    hexBytes `json:"master"`
	M1        hexBytes `json:"m1"`
	M2        hexBytes `json:"m2"`
	M3Plain   hexBytes `json:"m3_plaintext"`
	M3        hexBytes `json:"m3"`
	M4Plain   hexBytes `json:"m4_plaintext"`
	M4        hexBytes `json:"m4"`
	ACK       hexBytes `json:"ack"`
	TH1       hexBytes `json:"th1"`
	Confirmed hexBytes `json:"confirmed"`
	TH2       hexBytes `json:"th2"`
	TH3       hexBytes `json:"th3"`

	InitiatorTraffic directionVector `json:"initiator_traffic"`
	ResponderTraffic directionVector `json:"responder_traffic"`
}

type directionVector struct {
	Secret hexBytes `json:"secret"`
	Key    hexBytes `json:"key"`
	IV     hexBytes `json:"iv"`
}

func directionOf(d *direction) directionVector {
	k := d.secret.key
	return directionVector{Secret: k.b[:], Key: expand(k, labelKey, nil, keySize), IV: d.iv}
}

const vectorFolder = "testdata/vectors/"

// vector reads a file into v; with -update it writes what make gives first.
func vector(t *testing.T, name string, v any, make func() any) {
	t.Helper()
	if *update {
		writeJSON(t, vectorFolder+name, make())
	}
	raw, err := os.ReadFile(vectorFolder + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// seed is bytes of which nobody can say that they were chosen.
func seed(name string, n int) hexBytes {
	var out hexBytes
	for ; len(out) < n; name += "'" {
		sum := sha256.Sum256([]byte("opentalk link vector " + name))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

func newSide(t *testing.T, who string, device string, kem int) sideVector {
	cred := as(t, who).Credential
	return sideVector{DeviceSeed: seedOf(device), Credential: cred.Bytes(), X25519: seed(who+" x25519", 32), KEM: seed(who+" mlkem", kem)}
}

// seedOf is how identitytest makes the Ed25519 seed of a device.
func seedOf(device string) hexBytes {
	sum := sha256.Sum256([]byte("opentalk test device " + device + " sign"))
	return sum[:]
}

func (v sideVector) self(t *testing.T) Self {
	t.Helper()
	key, err := identity.ParseDeviceKey(v.DeviceSeed, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	cred, err := identity.ParseCredential(v.Credential)
	if err != nil {
		t.Fatal(err)
	}
	s := Self{Key: key, Credential: cred, Verifier: new(identity.Verifier)}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	return s
}

// replay runs the handshake of v, notes everything in got, and returns both ends. It reads only v's inputs.
func (v handshakeVector) replay(t *testing.T) (got handshakeVector, a, b *Session) {
	t.Helper()
	id, err := identity.ParseRoundID(v.RoundID)
	if err != nil {
		t.Fatal(err)
	}
	tag, link, round := id.Tag(), id.LinkKey(), NewRound(id.Tag(), id.LinkKey())
	got = handshakeVector{
		RoundID: v.RoundID, Want: v.Want, Initiator: v.Initiator, Responder: v.Responder,
		LinkKey: link.Bytes(), Tag: tag[:], Mac1Key: round.mac1.b[:], Secret: round.secret.b[:],
	}
	i := newInitiator(v.Initiator.self(t), round, identity.Fingerprint(v.Want), fixed{v.Initiator.X25519, v.Initiator.KEM})
	r := newResponder(v.Responder.self(t), gateFor(round), nil, fixed{v.Responder.X25519, v.Responder.KEM})
	p := (&pair{i: i, r: r}).upTo(t, 1)
	got.DH = must(diffieHellman(must(i.keys.x25519()), must(r.keys.x25519()).PublicKey().Bytes()))
	got.KEM, _ = r.keys.encapsulate(i.kem.EncapsulationKey())
	p.m2 = must(greet(r, p.m1))
	got.TH1, got.Confirmed, got.Master = bytes.Clone(r.th1[:]), bytes.Clone(r.confirmed[:]), bytes.Clone(r.secrets.master.b[:])
	p.m3 = must(i.Step(p.m2))
	got.TH2 = bytes.Clone(i.th2[:])
	got.M3Plain, _ = r.secrets.open(labelInitiatorHello, r.confirmed, p.m3)
	p.m4 = must(r.Step(p.m3))
	got.TH3 = bytes.Clone(r.th3[:])
	got.M4Plain, _ = i.secrets.open(labelResponderHello, i.th2, p.m4)
	p.ack = must(i.Step(p.m4))
	must(r.Step(p.ack))
	got.M1, got.M2, got.M3, got.M4, got.ACK = p.m1, p.m2, p.m3, p.m4, p.ack
	a, b = i.Session(), r.Session()
	got.InitiatorTraffic, got.ResponderTraffic = directionOf(&a.send), directionOf(&a.recv)
	return got, a, b
}

func loadHandshake(t *testing.T) (v handshakeVector) {
	vector(t, "handshake.json", &v, func() any {
		want := as(t, "bob").Credential.Fingerprint()
		in := handshakeVector{
			RoundID:   seed("round", 32),
			Want:      want[:],
			Initiator: newSide(t, "alice", "0", mlkem.SeedSize),
			Responder: newSide(t, "bob", "1", 32),
		}
		out, _, _ := in.replay(t)
		return out
	})
	return v
}

func TestVectorHandshake(t *testing.T) {
	want := loadHandshake(t)
	got, a, b := want.replay(t)
	gv, wv := reflect.ValueOf(got), reflect.ValueOf(want)
	for n := range gv.NumField() {
		if !reflect.DeepEqual(gv.Field(n).Interface(), wv.Field(n).Interface()) {
			t.Errorf("%s differs", gv.Type().Field(n).Name)
		}
	}
	if directionOf(&a.send).Secret.differs(directionOf(&b.recv).Secret) || directionOf(&a.recv).Secret.differs(directionOf(&b.send).Secret) {
		t.Error("ends disagree on the keys")
	}
}

func (h hexBytes) differs(o hexBytes) bool { return !bytes.Equal(h, o) }

// Each side alone against the other's recorded messages.
func TestVectorHandshakeEachSideAlone(t *testing.T) {
	v := loadHandshake(t)
	id := must(identity.ParseRoundID(v.RoundID))
	round := NewRound(id.Tag(), id.LinkKey())
	i := newInitiator(v.Initiator.self(t), round, identity.Fingerprint(v.Want), fixed{v.Initiator.X25519, v.Initiator.KEM})
	for n, s := range []struct{ in, out hexBytes }{{nil, v.M1}, {v.M2, v.M3}, {v.M4, v.ACK}} {
		if out, err := i.Step(s.in); err != nil || !bytes.Equal(out, s.out) {
			t.Fatalf("initiator's step %d: %v", n, err)
		}
	}
	r := newResponder(v.Responder.self(t), gateFor(round), nil, fixed{v.Responder.X25519, v.Responder.KEM})
	for n, s := range []struct{ in, out hexBytes }{{v.M1[:headSize], nil}, {v.M1[headSize:], v.M2}, {v.M3, v.M4}, {v.ACK, nil}} {
		if out, err := r.Step(s.in); err != nil || !bytes.Equal(out, s.out) {
			t.Fatalf("responder's step %d: %v", n, err)
		}
	}
	if i.Session() == nil || r.Session() == nil {
		t.Error("not linked")
	}
}

type recordVector struct {
	Sender  string   `json:"sender"`
	Counter uint64   `json:"counter"`
	Type    byte     `json:"type"`
	Body    hexBytes `json:"body"`
	Record  hexBytes `json:"record"`
}

// recordsOf seals what the vectors hold, over a rekeying in both directions.
func recordsOf(a, b *Session, in []recordVector) (out []recordVector) {
	for _, v := range in {
		d := &a.send
		if v.Sender == "responder" {
			d = &b.send
		}
		d.skipTo(v.Counter)
		v.Record = d.seal(nil, v.Type, v.Body)
		out = append(out, v)
	}
	return out
}

// skipTo goes on as if records had been sealed up to counter.
func (d *direction) skipTo(counter uint64) {
	for next := (d.counter/RekeyInterval + 1) * RekeyInterval; next < counter; next += RekeyInterval {
		d.counter = next
		d.advance()
	}
	d.counter = counter
}

func TestVectorRecords(t *testing.T) {
	_, a, b := loadHandshake(t).replay(t)
	var list []recordVector
	vector(t, "records.json", &list, func() any {
		msg := must(a.frames(Ping{Nonce: 1, Clock: 2}))
		var in []recordVector
		for _, sender := range []string{"initiator", "responder"} {
			in = append(in,
				recordVector{Sender: sender, Counter: 0, Type: recordData, Body: msg},
				recordVector{Sender: sender, Counter: 1, Type: recordData, Body: blob(253)},
				recordVector{Sender: sender, Counter: 2, Type: recordData, Body: blob(254)},
				recordVector{Sender: sender, Counter: RekeyInterval - 1, Type: recordData, Body: msg},
				recordVector{Sender: sender, Counter: RekeyInterval, Type: recordData, Body: msg},
				recordVector{Sender: sender, Counter: 3*RekeyInterval + 7, Type: recordData, Body: msg},
				recordVector{Sender: sender, Counter: 3*RekeyInterval + 8, Type: recordClose, Body: []byte{byte(ReasonDone)}},
			)
		}
		_, x, y := loadHandshake(t).replay(t)
		return recordsOf(x, y, in)
	})
	_, x, y := loadHandshake(t).replay(t)
	if !reflect.DeepEqual(recordsOf(x, y, list), list) {
		t.Error("sealed otherwise")
	}
	for n, v := range list {
		d := &b.recv
		if v.Sender == "responder" {
			d = &a.recv
		}
		d.skipTo(v.Counter)
		size, err := sealedLength(v.Record[:recordHead])
		if err != nil || size != len(v.Record)-recordHead {
			t.Fatalf("record %d: %d bytes, %v", n, size, err)
		}
		plain, err := d.open(nil, v.Record[recordHead:])
		if err != nil {
			t.Fatal(err)
		}
		kind, body, err := parseRecord(plain)
		if err != nil || kind != v.Type || !bytes.Equal(body, v.Body) {
			t.Errorf("record %d: type %d, %v", n, kind, err)
		}
	}
}

// frames is the stream of messages before it is cut into records.
func (s *Session) frames(msgs ...Message) ([]byte, error) {
	var buf bytes.Buffer
	for _, m := range msgs {
		if err := appendFramed(&buf, m); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

type messageVector struct {
	Name    string   `json:"name"`
	Message any      `json:"message,omitempty"` // what it says, to read; absent when it must be refused
	Raw     hexBytes `json:"raw"`
}

type messageVectors struct {
	Accepted []messageVector `json:"accepted"`
	Refused  []messageVector `json:"refused"`
}

func TestVectorMessages(t *testing.T) {
	dev, id := identity.Device(seed("device", 32)), [32]byte(seed("id", 32))
	entry := Entry{Device: dev, Seq: 300, ID: id}
	msgs := []Message{
		Ready{HavePubKey: true, Clock: 1_800_000_000_000}, Ready{HaveGenesis: true, Clock: MaxNumber},
		Ready{HavePubKey: true, HaveGenesis: true, Clock: 1_800_000_000_000, Frontier: Digest(seed("frontier digest", 32)), Records: Digest(seed("records digest", 32))},
		Genesis{Block: seed("genesis", 40)},
		Blocks{Blocks: [][]byte{seed("one", 30)}}, Blocks{Request: 24, Blocks: [][]byte{seed("one", 30), seed("two", 300)}, Last: true}, Blocks{Request: 7, Last: true},
		Frontier{Last: true}, Frontier{Entries: []Entry{entry, {Seq: 0}}},
		Ack{Entries: []Entry{entry}},
		Want{Request: 1, Ranges: []Range{{Device: dev, From: 23, To: 65536}}},
		Fetch{Request: MaxNumber, IDs: [][32]byte{id}},
		Newest{Request: 3, Count: 100},
		Announce{IDs: [][32]byte{id, {}}},
		Addresses{Records: [][]byte{seed("record", 100)}},
		Proof{A: seed("a", 200), B: seed("b", 200)},
		Ping{Nonce: 1<<64 - 1, Clock: 0}, Pong{Nonce: 256, Clock: 255},
		Reach{Request: 5}, Reached{Request: 5, Entries: []ReachedAt{{Address: "192.0.2.1:7654"}, {Address: "[2001:db8::1]:7654", Outcome: OutcomeTimeout}}},
		Prune{Devices: []identity.Device{dev}},
		Unknown{Kind: 200, Body: seed("later", 10)}, Unknown{Kind: 0},
	}
	var list messageVectors
	vector(t, "messages.json", &list, func() any {
		var out messageVectors
		for _, m := range msgs {
			out.Accepted = append(out.Accepted, messageVector{Name: KindOf(m).String(), Message: readable(m), Raw: must(Encode(m))})
		}
		for _, r := range refused {
			out.Refused = append(out.Refused, messageVector{Name: r.Name, Raw: r.Raw})
		}
		return out
	})
	if len(list.Accepted) != len(msgs) || len(list.Refused) != len(refused) {
		t.Fatalf("%d and %d vectors, want %d and %d", len(list.Accepted), len(list.Refused), len(msgs), len(refused))
	}
	for n, v := range list.Accepted {
		if raw := must(Encode(msgs[n])); !bytes.Equal(raw, v.Raw) {
			t.Errorf("%d, %s: encoded otherwise", n, v.Name)
		}
		if m, err := Decode(v.Raw); err != nil || !bytes.Equal(must(Encode(m)), v.Raw) || m.kind() != msgs[n].kind() {
			t.Errorf("%d, %s: %v", n, v.Name, err)
		}
	}
	for _, v := range list.Refused {
		if _, err := Decode(v.Raw); err == nil {
			t.Errorf("%s was decoded", v.Name)
		}
	}
}

// readable is a message as names and values, bytes in hex.
func readable(v any) any {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Struct:
		out := make(map[string]any)
		for n := range rv.NumField() {
			if f := rv.Type().Field(n); f.IsExported() {
				out[f.Name] = readable(rv.Field(n).Interface())
			}
		}
		return out
	case reflect.Array, reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			b := make(hexBytes, rv.Len())
			reflect.Copy(reflect.ValueOf(b), rv)
			return b
		}
		out := make([]any, 0, rv.Len())
		for n := range rv.Len() {
			out = append(out, readable(rv.Index(n).Interface()))
		}
		return out
	case reflect.Uint64:
		if rv.Uint() > MaxNumber {
			return strconv.FormatUint(rv.Uint(), 10) // a JSON number could not hold it
		}
	}
	return v
}
