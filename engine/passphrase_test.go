package engine_test

import (
	"errors"
	"path/filepath"
	"testing"

	"opentalk/engine"
	"opentalk/engine/identity"
)

// TestPassphrase: what a running engine is sealed with is asked for at the next start, as often as was said.
func TestPassphrase(t *testing.T) {
	p := start(t, 0)
	if err := p.engine.SetPassphrase([]byte("right")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.New("friends"); err != nil { // saves it again
		t.Fatal(err)
	}
	p.close()
	asked := 0
	try := func(tries int, answers ...string) error {
		asked = 0
		e, err := engine.Open(engine.Config{Dir: p.dir, Listen: []string{"none"}, Tries: tries, Passphrase: func() ([]byte, error) {
			if asked++; asked > len(answers) {
				return nil, engine.ErrPassphrase
			}
			return []byte(answers[asked-1]), nil
		}})
		if err == nil {
			p.engine = e
		}
		return err
	}
	if err := try(0, "wrong", "right"); !errors.Is(err, engine.ErrPassphrase) || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if err := try(3, "wrong"); !errors.Is(err, engine.ErrPassphrase) || asked != 2 {
		t.Errorf("asked %d times, though nobody answers: %v", asked, err)
	}
	if err := try(3, "a", "b", "c", "right"); !errors.Is(err, engine.ErrPassphrase) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if err := try(3, "a", "b", "right"); err != nil {
		t.Fatal(err)
	}
	if err := p.engine.SetPassphrase(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenKeyring(filepath.Join(p.dir, "secrets"), nil); err != nil {
		t.Errorf("without a passphrase the file is not plain: %v", err)
	}
}
