package engine

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/socket"
)

// FuzzInvite: what is read has one spelling, within the limits; an error is ErrInvite and holds nothing of the secret. Each
// input is taken as a token, and as what a token with a right checksum says.
func FuzzInvite(f *testing.F) {
	for _, address := range []string{"192.0.2.1:7654", "[2001:db8::1]:7654", "unix:/p"} {
		inv, err := InviteTo(address, strings.Repeat("0b", 32))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(inv.Token())
		said, err := inviteText.DecodeString(strings.TrimPrefix(inv.Token(), invitePrefix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(said[:len(said)-inviteSum]))
	}
	f.Add("opentalk:")
	f.Add("\x02newer")
	f.Fuzz(func(t *testing.T, text string) {
		said := []byte(text)
		for _, token := range []string{text, invitePrefix + inviteText.EncodeToString(append(said, checksum(said)...))} {
			inv, err := ParseInvite(token)
			switch {
			case err != nil && !errors.Is(err, ErrInvite):
				t.Errorf("%q: %v", token, err)
			case err != nil && len(token) > 40 && strings.Contains(err.Error(), token[9:]):
				t.Errorf("the error quotes the invite: %v", err)
			case err == nil && inv.Token() != strings.ToLower(strings.TrimSpace(token)):
				t.Errorf("%q is the same as %q", token, inv.Token())
			case err == nil && len(inv.Addresses) > maxInvite:
				t.Errorf("%d addresses", len(inv.Addresses))
			}
		}
	})
}

// FuzzAddressRecord: a member signs anything as a record of where it is. What is accepted is of this round and this member,
// newer, within the limits, and has addresses that can be dialled; and it is not accepted with any byte changed.
func FuzzAddressRecord(f *testing.F) {
	for _, addresses := range [][]string{nil, {"192.0.2.1:7654"}, {"unix:/p", "x"}, make([]string, maxRecordAddresses+1)} {
		raw, err := cbor.Marshal(addresses)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint64(1), int64(recordLife.Milliseconds()), uint(3))
		f.Add(raw, uint64(0), int64(-1), uint(700))
	}
	var s *sim
	f.Fuzz(func(t *testing.T, addresses []byte, number uint64, lasts int64, change uint) {
		if s == nil { // one for all inputs: reading a record changes nothing
			s = newSim(t, 1, 1)
			s.found()
		}
		r, key := s.nodes[0].core.rounds[s.tag], s.nodes[0].keys.Device
		said, err := cbor.Marshal([]any{r.tag, key.Device(), number, uint64(r.c.clock().UnixMilli()) + uint64(lasts), cbor.RawMessage(addresses)})
		if err != nil {
			said = addresses
		}
		raw := append(said, key.Sign(roleAddresses, said)...)
		rec, err := r.readRecord(raw)
		if err != nil {
			return
		}
		if rec.Tag != r.tag || rec.Device != key.Device() || rec.Number <= r.records[rec.Device].number || len(rec.Addresses) > maxRecordAddresses {
			t.Errorf("accepted %+v", rec)
		}
		for _, a := range rec.Addresses {
			if socket.Check(a) != nil {
				t.Errorf("accepted the address %q", a)
			}
		}
		raw[change%uint(len(raw))] ^= 1
		if _, err := r.readRecord(raw); err == nil {
			t.Error("accepted with a byte changed")
		}
		if _, err := r.readRecord(append(said, identitytest.Device(7).Sign(roleAddresses, said)...)); err == nil {
			t.Error("accepted with another's signature")
		}
		if _, err := r.readRecord(append(said, key.Sign(identity.Role("another"), said)...)); err == nil {
			t.Error("accepted with a signature for something else")
		}
	})
}

// FuzzDraft: what is read of a draft in the outbox has one encoding.
func FuzzDraft(f *testing.F) {
	name, err := chain.EncodeHandle("alice")
	if err != nil {
		f.Fatal(err)
	}
	f.Add((&draft{kind: chain.KindProfile, plain: name}).encode())
	f.Add((&draft{kind: chain.KindTopic, plain: []byte("today")}).encode())
	f.Add((&draft{Message: chain.Message{ID: MessageID{1}, Written: 1, Text: "hello"}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, said []byte) {
		if d, err := decodeDraft(MessageID{1}, said); err == nil && !bytes.Equal(d.encode(), said) {
			t.Errorf("%x is read as %+v", said, d)
		}
	})
}
