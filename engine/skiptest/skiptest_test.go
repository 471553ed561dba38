package skiptest

import (
	"testing"
)

// stub notes how a test ends.
type stub struct {
	testing.TB
	failed, skipped bool
}

func (s *stub) Helper()               {}
func (s *stub) Fatalf(string, ...any) { s.failed = true; panic(s) }
func (s *stub) Skipf(string, ...any)  { s.skipped = true; panic(s) }

// TestBecause: the variable alone decides whether a test that cannot run is skipped or fails.
func TestBecause(t *testing.T) {
	for _, set := range []string{"", "1"} {
		t.Setenv(Variable, set)
		s := &stub{}
		func() {
			defer func() { recover() }()
			Because(s, "no %s", "luck")
		}()
		if s.failed != (set != "") || s.skipped != (set == "") {
			t.Errorf("with %q: failed %v, skipped %v", set, s.failed, s.skipped)
		}
	}
}
