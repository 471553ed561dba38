package identity

import (
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

// The cases of CHAIN 1.3 by name. The vectors of package chain hold many more.
func TestDeviceKeyMustBeAPointOfPrimeOrder(t *testing.T) {
	good := testDevice(t).Device()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	order8, err := new(edwards25519.Point).SetBytes(Device{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	}.bytes())
	if err != nil {
		t.Fatal(err)
	}
	p, _ := new(edwards25519.Point).SetBytes(good[:])
	for word, d := range map[string]Device{
		"not a point":    {2},
		"small order":    Device(order8.Bytes()),
		"prime order":    Device(new(edwards25519.Point).Add(p, order8).Bytes()),
		"not canonical":  {0xee, 31: 0x7f}, // y = p + 1
		"small order ":   {1},              // the identity
		"not canonical ": {1, 31: 0x80},    // the identity, with the sign of x set though x = 0
	} {
		for i := range d {
			if word == "not canonical" && i > 0 && i < 31 {
				d[i] = 0xff
			}
		}
		err := d.Check()
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(word)) {
			t.Errorf("%s: error %v, want one that says %q", d, err, word)
		}
		if _, err := testIdentity().Certify(d, testNow); err == nil {
			t.Errorf("%s: certified", d)
		}
	}
}

func (d Device) bytes() []byte { return d[:] }

func TestSignatureHoldsInItsRoleOnly(t *testing.T) {
	k := testDevice(t)
	sig := k.Sign("opentalk/1 a", []byte("text"))
	d := k.Device()
	if !d.Verify("opentalk/1 a", []byte("text"), sig) {
		t.Error("signature does not hold")
	}
	for _, wrong := range []struct {
		role Role
		text string
	}{{"opentalk/1 b", "text"}, {"opentalk/1 a", "texts"}, {"opentalk/1 ", "atext"}, {"opentalk/1 a\x00", "text"}, {"opentalk/1 at", "ext"}} {
		if d.Verify(wrong.role, []byte(wrong.text), sig) {
			t.Errorf("signature holds for role %q, text %q", wrong.role, wrong.text)
		}
	}
	if d.Verify("opentalk/1 a", []byte("text"), append(sig, 0)) || d.Verify("opentalk/1 a", []byte("text"), nil) {
		t.Error("signature of another length holds")
	}
}

func TestDeviceKeyComesBackFromItsSeeds(t *testing.T) {
	k := testDevice(t)
	hpke, err := k.keys().hpke.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseDeviceKey(k.keys().sign.Seed(), hpke)
	if err != nil {
		t.Fatal(err)
	}
	if again.Device() != k.Device() || string(again.HPKE()) != string(k.HPKE()) || len(k.HPKE()) != HPKESize {
		t.Error("another device came back")
	}
	if _, err := ParseDeviceKey(hpke[:31], hpke); err == nil {
		t.Error("a short seed is accepted")
	}
	if _, err := ParseDeviceKey(hpke, hpke[:31]); err == nil {
		t.Error("a short HPKE seed is accepted")
	}
}

// What CHAIN 1.2 and 9 say of the sealing key.
func TestSealingKeyIsXWing(t *testing.T) {
	raw, err := testDevice(t).keys().hpke.Bytes()
	if err != nil || len(raw) != 32 || kem.ID() != 0x647a {
		t.Errorf("private key of %d bytes, KEM %#x, %v", len(raw), kem.ID(), err)
	}
}
