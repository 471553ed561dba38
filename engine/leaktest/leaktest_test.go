package leaktest

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// tests are what runs instead of a package's tests.
type tests func() int

func (f tests) Run() int { return f() }

// TestDescriptors: a file that is left open fails the run, and is named; one that was open before, or is closed, does not.
func TestDescriptors(t *testing.T) {
	open := func() *os.File {
		f, err := os.Open("leaktest.go")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	if code := (run{tests(func() int { open().Close(); return 0 }), time.Millisecond}).Run(); code != 0 {
		t.Error("a closed file is a leak")
	}
	var left *os.File
	code := (run{tests(func() int { left = open(); return 0 }), time.Millisecond}).Run()
	if want := map[bool]int{true: 1}[runtime.GOOS == "linux"]; code != want {
		t.Errorf("with a file left open the status is %d, not %d", code, want)
	}
	left.Close()
	f.Close()
}
