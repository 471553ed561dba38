// Package skiptest is how a test says that this machine lacks what it needs. Where nothing may be left out, as in CI, that is
// a failure. Only tests may import it.
package skiptest

import (
	"os"
	"testing"
)

// Variable, set to anything, makes every skip a failure.
const Variable = "OPENTALK_NO_SKIP"

// Because ends a test that cannot run here, and says why: skipped, or failed where [Variable] is set.
func Because(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(Variable) != "" {
		t.Fatalf("nothing may be skipped, "+Variable+" is set: "+format, args...)
	}
	t.Skipf(format, args...)
}
