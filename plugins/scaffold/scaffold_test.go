package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"opentalk/plugins/scaffold"
)

// goTool runs the go tool in a folder, with no network to find anything in.
func goTool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestANewPluginBuildsAndPassesItsTest, outside the source tree.
func TestANewPluginBuildsAndPassesItsTest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my-plugin")
	if err := scaffold.New(dir, "../.."); err != nil {
		t.Fatal(err)
	}
	goTool(t, dir, "test", "-ldflags=-s -w", ".")
	if out, err := exec.Command("gofmt", "-l", dir).Output(); err != nil || len(out) > 0 {
		t.Errorf("gofmt would change %s, %v", out, err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "plugin.toml"))
	if err != nil || !strings.Contains(string(manifest), `exec = "my-plugin"`) {
		t.Errorf("%s, %v", manifest, err)
	}
	if err := scaffold.New(dir, "../.."); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("once more: %v", err)
	}
}

// TestWhatCannotBeLaidOut leaves nothing behind.
func TestWhatCannotBeLaidOut(t *testing.T) {
	for _, c := range []struct{ name, sdk, want string }{
		{"my plugin", "../..", "no name"},
		{"x", t.TempDir(), "source tree"},
	} {
		dir := filepath.Join(t.TempDir(), c.name)
		if err := scaffold.New(dir, c.sdk); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q with %q: %v", c.name, c.sdk, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is there", dir)
		}
	}
}

func TestCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bell")
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "one command"},
		{"old x", 2, "one command"},
		{"new", 2, "needs a name"},
		{"new x", 2, "--sdk is missing"},
		{"new x --sdk", 2, "--sdk"},
		{"new x y --sdk ../..", 2, "too many"},
		{"new x --sdk nowhere", 1, "source tree"},
		{"new " + dir + " --sdk ../..", 0, "go test"},
		{"new --sdk=../.. " + dir, 1, "there already"},
	} {
		var out strings.Builder
		if status := scaffold.Command(strings.Fields(c.args), &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%q: status %d, %q", c.args, status, out.String())
		}
	}
}
