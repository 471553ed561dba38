package link

import (
	"bytes"
	"slices"
	"testing"

	"opentalk/engine/identity"
)

// The handshake once more, as rows that two readers share: [TestModelIsTheCode] computes bytes with them and compares those
// with what the code sends, and the search of model_test.go computes terms. So the search is about what is really sent.

type operation int

const (
	joined    operation = iota // the parts behind one another
	hashed                     // H(label, parts…)
	extracted                  // HKDF-Extract(salt, secret)
	expanded                   // HKDF-Expand(key, label, context)
	macked                     // HMAC(key, the other parts)
	signed                     // by a device, in a role, over the other parts
	sealed                     // AEAD(key, the other parts)
)

// row computes one name from others. Where op takes a key, a salt or a signer, it is the first part.
type row struct {
	name  string
	op    operation
	label string
	parts []string
}

type table []row

// handshakeTable is LINK 2 and 3. What no row computes is what a side has or receives: see [side].
var handshakeTable = table{
	{"m1 begin", joined, "", []string{"magic", "share i", "kem key"}},
	{"m1 hash", hashed, labelM1, []string{"m1 begin"}},
	{"mac1", macked, "", []string{"mac1 key", "m1 hash"}},
	{"m1", joined, "", []string{"m1 begin", "mac1"}},
	{"m2 begin", joined, "", []string{"share r", "kem text"}},
	{"th1", hashed, labelTH1, []string{"m1", "m2 begin"}},

	{"s1", extracted, "", []string{"th1", "round secret"}},
	{"dh salt", expanded, labelDH, []string{"s1", "th1"}},
	{"s2", extracted, "", []string{"dh salt", "dh"}},
	{"kem salt", expanded, labelKEM, []string{"s2", "th1"}},
	{"master", extracted, "", []string{"kem salt", "kem"}},

	{"proof key", expanded, labelResponderHello, []string{"master", "th1"}},
	{"proof", sealed, "", []string{"proof key"}},
	{"m2", joined, "", []string{"m2 begin", "proof"}},
	{"confirmed", hashed, labelConfirmed, []string{"th1", "proof"}},

	{"initiator credential", hashed, labelCredential, []string{"credential i"}},
	{"initiator signed", joined, "", []string{"confirmed", "tag", "initiator credential", "want"}},
	{"initiator signature", signed, string(RoleInitiator), []string{"device i", "initiator signed"}},
	{"m3 said", joined, "", []string{"credential i", "want", "initiator signature"}},
	{"initiator finished key", expanded, labelInitiatorFinished, []string{"master", "confirmed"}},
	{"initiator finished", macked, "", []string{"initiator finished key", "m3 said"}},
	{"m3 plain", joined, "", []string{"m3 said", "initiator finished"}},
	{"m3 key", expanded, labelInitiatorHello, []string{"master", "confirmed"}},
	{"m3", sealed, "", []string{"m3 key", "m3 plain"}},
	{"th2", hashed, labelTH2, []string{"th1", "proof", "m3"}},

	{"both credentials", hashed, labelCredentials, []string{"credential i", "credential r"}},
	{"responder signed", joined, "", []string{"th2", "tag", "both credentials"}},
	{"responder signature", signed, string(RoleResponder), []string{"device r", "responder signed"}},
	{"m4 said", joined, "", []string{"credential r", "responder signature"}},
	{"responder finished key", expanded, labelResponderFinished, []string{"master", "th2"}},
	{"responder finished", macked, "", []string{"responder finished key", "m4 said"}},
	{"m4 plain", joined, "", []string{"m4 said", "responder finished"}},
	{"m4 key", expanded, labelResponderHello, []string{"master", "th2"}},
	{"m4", sealed, "", []string{"m4 key", "m4 plain"}},
	{"th3", hashed, labelTH3, []string{"th2", "m4"}},

	{"ack key", expanded, labelAck, []string{"master", "th3"}},
	{"ack", sealed, "", []string{"ack key"}},
	{"initiator traffic", expanded, labelInitiatorTraffic, []string{"master", "th3"}},
	{"responder traffic", expanded, labelResponderTraffic, []string{"master", "th3"}},
}

// edit returns t with one row changed.
func (t table) edit(name string, change func(*row)) table {
	t = slices.Clone(t)
	n := slices.IndexFunc(t, func(r row) bool { return r.name == name })
	t[n].parts = slices.Clone(t[n].parts)
	change(&t[n])
	return t
}

// without leaves a part out of a row.
func (t table) without(name, part string) table {
	return t.edit(name, func(r *row) {
		n := slices.Index(r.parts, part)
		r.parts = slices.Delete(r.parts, n, n+1)
	})
}

// unlabelled takes the labels of rows away.
func (t table) unlabelled(names ...string) table {
	for _, name := range names {
		t = t.edit(name, func(r *row) { r.label = "" })
	}
	return t
}

// reader computes what one row says, of bytes or of terms.
type reader[V any] interface{ compute(r row, parts []V) V }

// read computes name, and everything that it needs, into known.
func read[V any](t table, rd reader[V], known map[string]V, name string) V {
	if v, ok := known[name]; ok {
		return v
	}
	n := slices.IndexFunc(t, func(r row) bool { return r.name == name })
	if n < 0 {
		panic("nothing says what " + name + " is")
	}
	var parts []V
	for _, p := range t[n].parts {
		parts = append(parts, read(t, rd, known, p))
	}
	known[name] = rd.compute(t[n], parts)
	return known[name]
}

// byteReader reads the table with the code's own primitives. A signer's part is its public key.
type byteReader map[string]*identity.DeviceKey

func (b byteReader) compute(r row, parts [][]byte) []byte {
	switch r.op {
	case hashed:
		sum := hash(r.label, parts...)
		return sum[:]
	case extracted:
		s := extract(parts[0], parts[1])
		return s.b[:]
	case expanded:
		return expand(keyOf(parts[0]), r.label, parts[1], hashSize)
	case macked:
		sum := mac(keyOf(parts[0]), concat(parts[1:]...))
		if r.name == "mac1" {
			return sum[:mac1Size]
		}
		return sum[:]
	case signed:
		return b[string(parts[0])].Sign(identity.Role(r.label), concat(parts[1:]...))
	case sealed:
		aead, nonce := newAEAD(keyOf(parts[0]))
		return aead.Seal(nil, nonce, concat(parts[1:]...), nil)
	}
	return concat(parts...)
}

func keyOf(b []byte) key { return key{b: [hashSize]byte(b)} }

// The rows compute, byte for byte, what the code sends, signs and derives.
func TestModelIsTheCode(t *testing.T) {
	v, _, _ := loadHandshake(t).replay(t)
	signers := byteReader{}
	known := map[string][]byte{
		"magic": append([]byte(magic), version), "tag": v.Tag, "want": v.Want, "mac1 key": v.Mac1Key, "round secret": v.Secret,
		"share i": v.M1[m1Share:m1KEM], "kem key": v.M1[m1KEM:m1MAC], "share r": v.M2[:m2KEM], "kem text": v.M2[m2KEM:m2Proof],
		"dh": v.DH, "kem": v.KEM, "credential i": v.Initiator.Credential, "credential r": v.Responder.Credential,
	}
	for side, s := range map[string]Self{"i": v.Initiator.self(t), "r": v.Responder.self(t)} {
		device := s.Key.Device()
		known["device "+side], signers[string(device[:])] = device[:], s.Key
	}
	for name, want := range map[string]hexBytes{
		"m1": v.M1, "m2": v.M2, "m3 plain": v.M3Plain, "m3": v.M3, "m4 plain": v.M4Plain, "m4": v.M4, "ack": v.ACK,
		"th1": v.TH1, "confirmed": v.Confirmed, "th2": v.TH2, "th3": v.TH3, "master": v.Master,
		"initiator traffic": v.InitiatorTraffic.Secret, "responder traffic": v.ResponderTraffic.Secret,
	} {
		if got := read(handshakeTable, signers, known, name); !bytes.Equal(got, want) {
			t.Errorf("%s: the model has %x, the code %x", name, got, want)
		}
	}
}
