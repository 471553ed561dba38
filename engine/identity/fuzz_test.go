package identity

import (
	"bytes"
	"testing"
)

// T10: whatever arrives, reading it neither panics nor takes memory or time out of proportion, and what is accepted comes
// back as the same bytes.
func FuzzParseCredential(f *testing.F) {
	good := testCredential(f).Bytes()
	f.Add(good)
	for _, c := range crafted(f) {
		f.Add(append(append([]byte{}, c.der...), good[min(len(good), len(c.der)):]...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCredential(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), raw) || c.Device().Check() != nil {
			t.Error("accepted credential is not what was read")
		}
		c.Created()
	})
}

func FuzzKeyringContents(f *testing.F) {
	k := testKeyring(f)
	k.Rounds = []RoundSecret{NewRoundSecret(RoundIDOf([]byte("x")), []byte("x"))}
	good, err := k.contents()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x86, 0x40, 0x40, 0x40, 0x40, 0x40, 0x80})
	f.Add([]byte{0x9a, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got Keyring
		if got.decode(raw) != nil {
			return
		}
		if got.Credential.Device() != got.Device.Device() || got.Credential.Fingerprint() != got.Identity.Fingerprint() {
			t.Error("accepted keyring of parts that do not belong together")
		}
		if _, err := got.encode(); err != nil {
			t.Errorf("accepted keyring cannot be saved: %v", err)
		}
	})
}

func FuzzUnwrapKeyring(f *testing.F) {
	k := testKeyring(f)
	raw, err := k.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(keyringMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if mode, body, err := unwrapKeyring(raw); err == nil && len(body)+len(keyringMagic)+1+32 != len(raw) {
			t.Errorf("mode %d, contents of %d bytes in a file of %d", mode, len(body), len(raw))
		}
	})
}

func BenchmarkParseCredential(b *testing.B) {
	raw := testCredential(b).Bytes()
	for b.Loop() {
		if _, err := ParseCredential(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifierParse(b *testing.B) {
	raw := testCredential(b).Bytes()
	var v Verifier
	for b.Loop() {
		if _, err := v.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeviceCheck(b *testing.B) {
	d := testDevice(b).Device()
	for b.Loop() {
		if err := d.Check(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCertify(b *testing.B) {
	d := testDevice(b).Device()
	for b.Loop() {
		if _, err := testIdentity().Certify(d, testNow); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenKeyring(b *testing.B) {
	k := testKeyring(b)
	for b.Loop() {
		if _, err := OpenKeyring(k.path, nil); err != nil {
			b.Fatal(err)
		}
	}
}
