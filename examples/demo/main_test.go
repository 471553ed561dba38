package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDemo runs the demo with the real program: it ends well, in time, and tells the whole story.
func TestDemo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "opentalk")
	if out, err := exec.Command("go", "build", "-o", program, "opentalk").CombinedOutput(); err != nil {
		t.Fatalf("building opentalk: %v\n%s", err, out)
	}
	var out bytes.Buffer
	began := time.Now()
	if err := show(program, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the demo took %v", took)
	}
	last := 0
	for _, want := range []string{
		"/new friends", "alice  /join opentalk:", "carol  /join opentalk:", "hello", "read by bob and carol", "goes home",
		"waits: nobody is online", "is killed", "comes back", "read by carol", "held by 2 of 2", "dave   /join", "the same 6 messages",
	} {
		at := strings.Index(out.String(), want)
		if at < last {
			t.Errorf("%q is missing or out of place", want)
		}
		last = max(last, at)
	}
	t.Log("\n" + out.String())
}
