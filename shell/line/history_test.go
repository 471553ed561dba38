package line

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func reopen(t *testing.T, path string) *history {
	t.Helper()
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

func TestHistoryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte("old\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := reopen(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("an old file keeps its mode: %v, %v", info.Mode(), err)
	}
	lines := []string{"two\nlines", `back\slash \n`, "é\ttab"}
	for _, l := range lines {
		if err := h.record(l); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := reopen(t, path).entries, append([]string{"old"}, lines...); !slices.Equal(got, want) {
		t.Errorf("the file holds %q, want %q", got, want)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var b strings.Builder
	for i := range 3 * maxHistory {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h := reopen(t, path)
	if len(h.entries) != maxHistory || h.entries[maxHistory-1] != "line 1499" {
		t.Errorf("%d entries, the last %q", len(h.entries), h.entries[len(h.entries)-1])
	}
	h.record("new")
	data, _ := os.ReadFile(path)
	if n := strings.Count(string(data), "\n"); n != maxHistory+1 || !strings.HasSuffix(string(data), "line 1499\nnew\n") {
		t.Errorf("the file has %d lines", n)
	}
}

func TestHistoryErrors(t *testing.T) {
	if _, err := openHistory(t.TempDir()); err == nil {
		t.Error("a folder is a history")
	}
	h := reopen(t, "")
	if err := h.record("x"); err != nil {
		t.Errorf("recording without a file: %v", err)
	}
}

func TestHistoryMoves(t *testing.T) {
	h := &history{}
	if _, ok := h.move(-1, "draft"); ok {
		t.Error("an empty history has an entry")
	}
	for _, l := range []string{"a", "b", "b", "c"} {
		h.add(l)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(h.entries, want) {
		t.Errorf("entries are %q, want %q", h.entries, want)
	}
	for _, step := range []struct {
		by   int
		want string
		ok   bool
	}{{1, "", false}, {-1, "c", true}, {-1, "b", true}, {-1, "a", true}, {-1, "", false}, {1, "b", true}, {1, "c", true}, {1, "draft", true}} {
		if got, ok := h.move(step.by, "draft"); got != step.want || ok != step.ok {
			t.Errorf("moving by %d gives %q, %v, want %q", step.by, got, ok, step.want)
		}
	}
	for i := range maxHistory {
		h.add(fmt.Sprint(i))
	}
	if len(h.entries) != maxHistory || h.entries[0] != "0" {
		t.Errorf("%d entries from %q", len(h.entries), h.entries[0])
	}
}
