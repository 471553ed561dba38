package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/skiptest"
)

func init() { children["steps"] = fewSteps }

// fewSteps prints the steps that were acknowledged, and, once one is not, whether that and the next say that the store is
// read-only and the next did not try.
func fewSteps(path string) {
	runtime.LockOSThread() // strace counts the calls of each thread
	s, err := Open(path)
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	defer s.Close()
	for n := uint64(0); n < 3; {
		next, err := crashNext(s, n)
		if err != nil {
			called := false
			again := s.Write(func(Tx) error { called = true; return nil })
			fmt.Println(errors.Is(err, ErrReadOnly), errors.Is(again, ErrReadOnly), !called)
			return
		}
		n = next
		fmt.Println(n)
	}
}

// changes are the calls by which a store changes its file.
var changes = []string{"pwrite64", "ftruncate", "fsync", "fdatasync"}

// needStrace skips the test where no process may be traced.
func needStrace(t *testing.T) {
	t.Helper()
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		skiptest.Because(t, "strace: %v", err)
	}
}

// traced runs fewSteps on a new store, with more flags for strace. It returns what that printed, and which of the calls it
// made.
func traced(t *testing.T, path string, flags ...string) (out []string, calls string) {
	t.Helper()
	log := path + ".strace"
	cmd := exec.Command("strace", slices.Concat([]string{"-f", "-q", "-y", "-o", log, "-e", "trace=" + strings.Join(changes, ",")}, flags,
		[]string{os.Args[0], path})...)
	cmd.Env = append(os.Environ(), childEnv+"=steps")
	raw, _ := cmd.Output() // its status says no more than what is printed
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(raw)), string(text)
}

// TestFlushesInOrder: a Write flushes what it has grown the file by, then its pages, and only then writes the root that leads to
// them, and flushes that before it returns; a small one that of the journal, and the rest later. [TestPowerCut] takes it for
// granted.
func TestFlushesInOrder(t *testing.T) {
	needStrace(t)
	out, calls := traced(t, filepath.Join(t.TempDir(), "store"))
	order := ""
	for _, call := range regexp.MustCompile(`(\w+)\(\d+<[^>]*?(\.journal)?>(?:, ".*, (\d+))?`).FindAllStringSubmatch(calls, -1) {
		switch {
		case call[2] != "":
			order += map[string]string{"pwrite64": "j", "fsync": "J"}[call[1]]
		case call[1] == "pwrite64" && len(call[3]) < 5 && call[3] != "8192": // 0 or 4096
			order += "R"
		default:
			order += map[string]string{"pwrite64": "p", "fdatasync": "s", "ftruncate": "g", "fsync": "S"}[call[1]]
		}
	}
	const write = "(gS)?p+sRs"
	if want := "^Rs" + write + "S" + write + "jJ(" + write + ")?jJ" + write + "$"; fmt.Sprint(out) != "[1 2 3]" || !regexp.MustCompile(want).MatchString(order) {
		t.Errorf("prints %v; the order is %s, not %s, in\n%s", out, order, want, calls)
	}
}

// TestEachCallFails: whichever write, growth or flush of a file fails, the step it belongs to is not acknowledged, unless the
// journal has it; nothing is written or flushed ever after, and all that was acknowledged is there when the store is opened again.
func TestEachCallFails(t *testing.T) {
	eachCall(t, "error=EIO", func(t *testing.T, out []string, after string) {
		if all := strings.Join(out, " "); !strings.HasPrefix(all, "open:") && !strings.HasSuffix(all, "true true true") && all != "1 2 3" {
			t.Errorf("prints %q", all)
		}
		if later := regexp.MustCompile(`(pwrite64|ftruncate|sync)\(`).FindString(after); later != "" {
			t.Errorf("goes on to write:\n%s", after)
		}
	})
}

// TestEachCallIsTheLast: wherever in a step the process is killed, what was acknowledged is there, and the step is done or not.
func TestEachCallIsTheLast(t *testing.T) {
	eachCall(t, "signal=KILL", func(*testing.T, []string, string) {})
}

// eachCall has something befall each call that changes the file, one at a time, and checks what that leaves.
func eachCall(t *testing.T, what string, check func(t *testing.T, out []string, after string)) {
	needStrace(t)
	tried := 0
	for _, call := range changes {
		for nth, befell := 1, true; befell; nth++ {
			t.Run(fmt.Sprint(call, " ", nth), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "store")
				out, calls := traced(t, path, "-e", fmt.Sprintf("inject=%s:%s:when=%d", call, what, nth))
				var after string
				_, after, befell = strings.Cut(calls, "(INJECTED)")
				if befell = befell || strings.Contains(calls, "killed by SIGKILL"); !befell {
					return
				}
				tried++
				check(t, out, after)
				var acknowledged uint64
				for _, word := range out {
					fmt.Sscan(word, &acknowledged)
				}
				afterKill(t, path, acknowledged)
			})
		}
	}
	if tried < 20 {
		t.Errorf("only %d calls", tried)
	}
}
