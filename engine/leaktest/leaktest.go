// Package leaktest is how the tests of a package find out what they leave behind: goroutines that have not ended, and, on
// Linux, descriptors that are open. It is the last thing that such a package's TestMain calls. Only tests may import it.
package leaktest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/goleak"
)

// patience is how long what is ending may take to end.
const patience = 5 * time.Second

// Main runs the tests of m and ends the process: with their status, or with 1 if goroutines are left, or, on Linux, open
// descriptors. The options are goleak's; goleak.Cleanup among them is called with the status instead of os.Exit.
func Main(m interface{ Run() int }, options ...goleak.Option) {
	goleak.VerifyTestMain(run{m, patience}, options...)
}

// run is tests that fail if they leave descriptors open.
type run struct {
	m        interface{ Run() int }
	patience time.Duration
}

func (r run) Run() int {
	before := descriptors()
	code := r.m.Run()
	var left []string
	for late := time.Now().Add(r.patience); ; time.Sleep(10 * time.Millisecond) {
		if left = beyond(descriptors(), before); len(left) == 0 {
			return code
		}
		if time.Now().After(late) {
			break
		}
	}
	if code == 0 {
		fmt.Fprintf(os.Stderr, "descriptors are left open: %s\n", strings.Join(left, ", "))
		code = 1
	}
	return code
}

// descriptors are what this process has open, each as what it leads to. There are none where the system does not tell. What the
// runtime opens for itself, once, is not among them.
func descriptors() (all []string) {
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(folder, e.Name()))
		if err == nil && !strings.HasPrefix(to, "anon_inode:") {
			all = append(all, to)
		}
	}
	return all
}

// beyond is what is in all more often than in known.
func beyond(all, known []string) (more []string) {
	known = slices.Clone(known)
	for _, d := range all {
		if i := slices.Index(known, d); i >= 0 {
			known = slices.Delete(known, i, i+1)
		} else {
			more = append(more, d)
		}
	}
	return more
}
