package identitytest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"testing"

	"opentalk/engine/identity"
)

var generate = flag.Bool("generate", false, "make other identities; every vector with a credential must be updated then")

func TestIdentitiesAreDistinctAndCertify(t *testing.T) {
	if *generate {
		writeIdentities(t)
	}
	seen := make(map[identity.Fingerprint]bool)
	for i := range Count {
		c := Credential(i)
		seen[c.Fingerprint()] = true
		if _, err := identity.ParseCredential(c.Bytes()); err != nil {
			t.Errorf("identity %d: %v", i, err)
		}
	}
	if len(seen) != Count {
		t.Errorf("%d identities, want %d", len(seen), Count)
	}
	mixed := []int{Count, Count + 1, 2 * Count, 2*Count + 1, Most / 2, Most - 1}
	for _, i := range mixed {
		seen[Identity(i).Fingerprint()] = true
		if _, err := identity.ParseCredential(Credential(i).Bytes()); err != nil {
			t.Errorf("identity %d: %v", i, err)
		}
	}
	if want := Count + len(mixed); len(seen) != want {
		t.Errorf("%d identities, want %d", len(seen), want)
	}
	if Device(1).Device() == Device(2).Device() {
		t.Error("two devices are the same")
	}
}

func TestKeyringOpens(t *testing.T) {
	dir := t.TempDir()
	k := Keyring(t, dir, 3)
	got, err := identity.OpenKeyring(dir+"/secrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Device.Device() != k.Device.Device() || got.Identity.Fingerprint() != Identity(3).Fingerprint() {
		t.Error("another keyring was read than was written")
	}
}

func writeIdentities(t *testing.T) {
	var out []byte
	for range Count {
		key, err := rsa.GenerateKey(rand.Reader, identity.RSABits)
		if err != nil {
			t.Fatal(err)
		}
		block := &pem.Block{Type: "RSA TESTING KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		out = append(out, pem.EncodeToMemory(block)...)
	}
	if err := os.WriteFile("testdata/identities.pem", out, 0o644); err != nil {
		t.Fatal(err)
	}
	identities = out
}
