package identity

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var testNow = time.Unix(1_750_000_000, 0)

func testKeyring(t testing.TB) *Keyring {
	t.Helper()
	k, err := NewKeyringFor(filepath.Join(t.TempDir(), "secrets"), testIdentity(), testNow)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ask(passphrase string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(passphrase), nil }
}

func write(t *testing.T, path string, raw []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, raw, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestKeyringComesBackPlainAndSealed(t *testing.T) {
	genesis := []byte("a genesis block")
	for _, passphrase := range []string{"", "correct horse"} {
		k := testKeyring(t)
		k.Rounds = []RoundSecret{NewRoundSecret(RoundIDOf(genesis), genesis), NewRoundSecret(RoundIDOf(nil), nil)}
		k.SetPassphrase([]byte(passphrase))
		if err := k.Save(); err != nil {
			t.Fatal(err)
		}
		asked := 0
		got, err := OpenKeyring(k.path, func() ([]byte, error) { asked++; return []byte(passphrase), nil })
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case (asked > 0) != (passphrase != ""):
			t.Errorf("asked for the passphrase %d times", asked)
		case got.Identity.Fingerprint() != k.Identity.Fingerprint(), got.Device.Device() != k.Device.Device(),
			!bytes.Equal(got.Device.HPKE(), k.Device.HPKE()), !bytes.Equal(got.Credential.Bytes(), k.Credential.Bytes()),
			!got.Store.equal(k.Store.secret), len(got.Rounds) != 2:
			t.Error("another keyring came back")
		}
		first, second := got.Round(RoundIDOf(genesis).Tag()), got.Round(RoundIDOf(nil).Tag())
		if !bytes.Equal(first.Genesis(), genesis) || second.Genesis() != nil || got.Round(Tag{}) != nil {
			t.Error("other rounds came back")
		}
		if bytes.Contains(read(t, k.path), genesis) != (passphrase == "") {
			t.Error("genesis is in clear in a sealed file, or is not in a plain one")
		}
		if err := got.Save(); err != nil { // sealed again without asking
			t.Fatal(err)
		}
		if raw := read(t, k.path); (raw[len(keyringMagic)] == modeSealed) != (passphrase != "") {
			t.Error("saving changed whether the file is sealed")
		}
	}
}

func TestWrongPassphraseAndDamageAreToldApart(t *testing.T) {
	k := testKeyring(t)
	k.SetPassphrase([]byte("right"))
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyring(k.path, ask("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := OpenKeyring(k.path, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	cause := errors.New("cancelled")
	if _, err := OpenKeyring(k.path, func() ([]byte, error) { return nil, cause }); !errors.Is(err, cause) {
		t.Errorf("passphrase not given: %v", err)
	}
	raw := read(t, k.path)
	raw[len(raw)/2] ^= 1
	write(t, k.path, raw, 0o600)
	if _, err := OpenKeyring(k.path, ask("right")); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged file: %v", err)
	}
}

// A passphrase is asked, and its expensive key derived, only when the file is whole; so every damage here is cheap to find.
func TestKeyringDamagedAtAnyByteIsRefused(t *testing.T) {
	for _, passphrase := range []string{"", "right"} {
		k := testKeyring(t)
		k.SetPassphrase([]byte(passphrase))
		whole, err := k.encode()
		if err != nil {
			t.Fatal(err)
		}
		refuse := func(what string, i int, raw []byte) {
			if err := new(Keyring).open(raw, ask(passphrase)); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s at byte %d: %v", what, i, err)
			}
		}
		for i := range whole {
			bad := bytes.Clone(whole)
			bad[i] ^= 0x10
			refuse("flipped", i, bad)
			refuse("cut", i, whole[:i])
		}
		refuse("longer", len(whole), append(bytes.Clone(whole), 0))
	}
}

// What the checksum lets through is checked again: an attacker can compute a checksum.
func TestKeyringOfPartsThatDoNotBelongTogetherIsRefused(t *testing.T) {
	k, other := testKeyring(t), testKeyring(t)
	for what, change := range map[string]func(k *Keyring){
		"identity of another":   func(k *Keyring) { k.Identity = testIdentities()[1] },
		"device of another":     func(k *Keyring) { k.Device = other.Device },
		"credential of another": func(k *Keyring) { k.Credential = other.Credential },
		"genesis of another":    func(k *Keyring) { k.Rounds = []RoundSecret{NewRoundSecret(RoundIDOf(nil), []byte("x"))} },
		"no credential":         func(k *Keyring) { k.Credential = &Credential{} },
	} {
		bad := *k
		change(&bad)
		if err := bad.Save(); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyring(k.path, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A sealed file opened as a plain one, with a checksum to match, is not taken apart as one.
func TestModeOfTheFileIsAuthenticated(t *testing.T) {
	k := testKeyring(t)
	k.SetPassphrase([]byte("right"))
	raw, err := k.encode()
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[:len(raw)-sha256.Size]
	raw[len(keyringMagic)] = modePlain
	sum := sha256.Sum256(raw)
	write(t, k.path, append(raw, sum[:]...), 0o600)
	if _, err := OpenKeyring(k.path, ask("right")); !errors.Is(err, ErrDamaged) {
		t.Errorf("mode changed: %v", err)
	}
}

func TestKeyringThatOthersCanReadIsRefused(t *testing.T) {
	k := testKeyring(t)
	info, err := os.Stat(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("written with mode %o", info.Mode().Perm())
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601, 0o610} {
		if err := os.Chmod(k.path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyring(k.path, nil); !errors.Is(err, ErrExposed) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyring(k.path, nil); err != nil {
		t.Errorf("saving did not mend the mode: %v", err)
	}
}

func TestNewKeyringNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	file, dangling := filepath.Join(dir, "file"), filepath.Join(dir, "dangling")
	write(t, file, []byte("precious"), 0o600)
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dangling, dir} {
		if _, err := NewKeyringFor(path, testIdentity(), testNow); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", path, err)
		}
		// The same if it appears only while the keyring is written.
		if err := writePrivate(path, []byte("new"), placeNew); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s, placed: %v", path, err)
		}
	}
	if string(read(t, file)) != "precious" || names(t, dir) != "dangling file" {
		t.Errorf("folder holds %s", names(t, dir))
	}
}

// A link is neither read nor written through.
func TestKeyringDoesNotFollowLinks(t *testing.T) {
	k := testKeyring(t)
	link := filepath.Join(t.TempDir(), "secrets")
	if err := os.Symlink(k.path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyring(link, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("opening through a link: %v", err)
	}
	before := read(t, k.path)
	through := *k
	through.path = link
	through.Rounds = []RoundSecret{NewRoundSecret(RoundIDOf(nil), nil)}
	if err := through.Save(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, k.path), before) {
		t.Error("what the link led to was written")
	}
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Error("the link was not replaced by a file")
	}
}

func TestKeyringThatIsNoFileIsRefused(t *testing.T) {
	if _, err := OpenKeyring(t.TempDir(), nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("folder: %v", err)
	}
	if _, err := OpenKeyring(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// A save that fails at any step leaves the old file whole and nothing beside it; the next one removes what a crash left.
func TestSaveLeavesOldOrNew(t *testing.T) {
	k := testKeyring(t)
	dir, before := filepath.Dir(k.path), read(t, k.path)
	k.Rounds = []RoundSecret{NewRoundSecret(RoundIDOf(nil), nil)}

	failed := errors.New("no")
	if err := k.write(func(_, _ string) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("renaming failed: %v", err)
	}
	if !bytes.Equal(read(t, k.path), before) || names(t, dir) != "secrets" {
		t.Errorf("after a failed rename the folder holds %s", names(t, dir))
	}

	// A crash before the rename: the new file is whole under its first name, the old one untouched.
	func() {
		defer func() { recover() }()
		k.write(func(from, _ string) error {
			if len(read(t, from)) <= len(before) {
				t.Error("the file was not complete before it was renamed")
			}
			panic("crash")
		})
	}()
	if !bytes.Equal(read(t, k.path), before) || names(t, dir) == "secrets" {
		t.Errorf("after a crash the folder holds %s", names(t, dir))
	}
	if _, err := OpenKeyring(k.path, nil); err != nil {
		t.Errorf("after a crash: %v", err)
	}

	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	if names(t, dir) != "secrets" {
		t.Errorf("leftovers of a crash stay: %s", names(t, dir))
	}
	if got, err := OpenKeyring(k.path, nil); err != nil || len(got.Rounds) != 1 {
		t.Errorf("the new file was not written: %v", err)
	}
}

func TestSaveIntoAMissingFolderSaysSo(t *testing.T) {
	k := testKeyring(t)
	os.RemoveAll(filepath.Dir(k.path))
	if err := k.Save(); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "writing secrets: ") {
		t.Errorf("error %v", err)
	}
}
