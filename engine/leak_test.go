package engine_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"opentalk/engine/leaktest"
)

// children are what the test binary does instead of testing when the environment has the variable, with its value.
var children = map[string]func(string){}

// TestMain: whatever an engine starts has ended when Close returns, and what it opens is closed.
func TestMain(m *testing.M) {
	for name, child := range children {
		if value := os.Getenv(name); value != "" {
			child(value)
			return
		}
	}
	leaktest.Main(m, goleak.Cleanup(func(code int) {
		if longDir != "" {
			os.RemoveAll(longDir)
		}
		os.Exit(code)
	}))
}
