package engine_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain: whatever an engine starts has ended when Close returns.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if longDir != "" {
			os.RemoveAll(longDir)
		}
		os.Exit(code)
	}))
}
