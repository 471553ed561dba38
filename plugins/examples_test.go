package plugins

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/skiptest"
	"opentalk/plugins/hook"
)

// copyInto copies files into a folder, with a mode that lets them be run.
func copyInto(t testing.TB, dir string, files ...string) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// example lays out one of the examples as its README or its manifest says.
func (w *world) example(name string, files ...string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, "plugins", name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	copyInto(w.t, dir, append(files, filepath.Join("..", "examples", name, "plugin.toml"))...)
	return dir
}

func (w *world) run(line string) string {
	w.t.Helper()
	name, rest, _ := strings.Cut(line, " ")
	c, ok := w.host.Command(name)
	if !ok {
		w.t.Fatalf("no command %q", name)
	}
	lines, err := w.host.Run(w.t.Context(), c, hook.Call{Round: "tea", Line: rest, Args: strings.Fields(rest), Person: true})
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// TestExamples runs those in Go under the host, as they are.
func TestExamples(t *testing.T) {
	names := []string{"guard", "notes", "notify", "shorten"}
	built := t.TempDir()
	args := []string{"build", "-ldflags=-s -w", "-o", built + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "../examples/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	w := newWorld(t)
	w.patient = true
	told := filepath.Join(w.dir, "told")
	w.cfg.Settings = func(name string) (map[string]any, error) {
		return map[string]map[string]any{"notify": {"file": told}, "shorten": {"lines": 1}}[name], nil
	}
	for _, name := range names {
		w.example(name, filepath.Join(built, name))
	}
	w.start()
	for _, name := range names {
		w.enable(name)
	}
	if o, _ := w.out("4111 1111 1111 1111"); !o.Dropped || o.By != "guard" {
		t.Errorf("a card number: %+v", o)
	}
	if o, _ := w.out("hello"); o.Text != "hello" {
		t.Errorf("a message: %+v", o)
	}
	if o, _ := w.in("one\ntwo"); o.Text != "one […]" {
		t.Errorf("a long message: %+v", o)
	}
	if got := w.run("note add buy tea") + "|" + w.run("note list"); got != "noted as 1|1  buy tea" {
		t.Errorf("notes: %q", got)
	}
	w.host.Observe(hook.MentionEvent{Message: hook.Message{From: hook.Person{Handle: "bob"}, Round: "tea", Text: "ada!", Live: true}})
	w.until("the mention is told", func() bool {
		text, _ := os.ReadFile(told)
		return string(text) == `{"title":"bob in tea","message":"ada!"}`+"\n"
	})
	w.noFault()
}

// TestNodeExample runs the one in JavaScript.
func TestNodeExample(t *testing.T) {
	libraries, err := filepath.Abs("../examples/seen-node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(libraries); err != nil {
		skiptest.Because(t, "the plugin's libraries are not there: npm ci --prefix examples/seen-node")
	}
	if _, err := exec.LookPath("node"); err != nil {
		skiptest.Because(t, "node is not installed")
	}
	w := newWorld(t)
	w.patient = true
	var files []string
	for _, file := range []string{"plugin.js", "serve.js", "go-plugin.proto", "health.proto"} {
		files = append(files, filepath.Join("../examples/seen-node", file))
	}
	dir := w.example("seen-node", append(files, "wire/opentalk.proto")...)
	if err := os.Symlink(libraries, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.enable("seen-node")
	w.host.Observe(hook.MessageEvent{Message: hook.Message{From: hook.Person{Handle: "bob"}, Round: "tea", Text: "hello", Live: true}})
	w.until("it has seen bob", func() bool { return strings.HasPrefix(w.run("seen bob"), `bob wrote "hello" in tea`) })
	c, _ := w.host.Command("seen-node.seen")
	words := w.host.Complete(t.Context(), c, hook.Completion{Args: []string{"b"}})
	if !slices.Equal(words, []string{"bob"}) {
		t.Errorf("completion offers %q", words)
	}
	w.noFault()
}
