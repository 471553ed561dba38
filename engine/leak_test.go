package engine

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: whatever an engine starts has ended when Close returns.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
