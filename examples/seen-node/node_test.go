package seen_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"opentalk/engine/skiptest"
	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
	"opentalk/plugins/wire"
)

// install returns the plugin's folder as it is installed.
func install(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		skiptest.Because(t, "node is not installed")
	}
	if _, err := os.Stat("node_modules"); err != nil {
		skiptest.Because(t, "the plugin's libraries are not there: npm ci --prefix examples/seen-node")
	}
	dir := filepath.Join(t.TempDir(), "seen-node")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	libraries, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(libraries, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"plugin.js", "serve.js", "go-plugin.proto", "health.proto", "../../plugins/wire/opentalk.proto"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start runs the plugin's process.
func start(t *testing.T, dir string) (hook.Extender, *plugin.Client, *os.File) {
	t.Helper()
	in, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("", "seen")
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	config := wire.ClientConfig(func() {})
	config.Cmd = exec.Command(filepath.Join(dir, "plugin.js"))
	config.Cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PLUGIN_UNIX_SOCKET_DIR=" + sockets}
	config.SkipHostEnv = true
	config.Stderr = &stderr
	config.Logger = hclog.NewNullLogger()
	client := plugin.NewClient(config)
	own := os.Stdin
	os.Stdin = in // go-plugin hands its own input to the child
	t.Cleanup(func() {
		client.Kill()
		os.Stdin = own
		in.Close()
		input.Close()
		os.RemoveAll(sockets)
	})
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	raw, err := protocol.Dispense(wire.Name)
	if err != nil {
		t.Fatal(err)
	}
	return raw.(hook.Extender), client, input
}

// TestThePlugin in a process of its own, against a chat that is none.
func TestThePlugin(t *testing.T) {
	e, client, _ := start(t, install(t))
	chat, err := sdktest.NewExtender("seen-node", e, sdktest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chat.Type("/seen bob")
	want := hook.Error{Code: hook.CodeNotFound, Text: "bob has not written here", Hint: "names are as /members shows them"}
	var got *hook.Error
	if !errors.As(err, &got) || *got != want {
		t.Errorf("before bob has written: %v", err)
	}
	for _, text := range []string{"hello", "good bye ü"} {
		if _, err := chat.Say("bob", text); err != nil {
			t.Fatal(err)
		}
	}
	r, err := chat.Type("/seen bob")
	if err != nil || len(r.Lines) != 1 || r.Lines[0] != `bob wrote "good bye ü" in friends on 2030-01-02T12:00:00.000Z` {
		t.Errorf("%q, %v", r.Lines, err)
	}
	if words, err := chat.Complete("/seen b"); err != nil || len(words) != 1 || words[0] != "bob" {
		t.Errorf("completion offers %q, %v", words, err)
	}
	if err := chat.Close(); err != nil {
		t.Error(err)
	}
	began := time.Now()
	client.Kill()
	if took := time.Since(began); took > 2*time.Second { // go-plugin has ended what did not end itself
		t.Errorf("it took %v to end", took)
	}
}

// TestItEndsWithTheChat, and tells an older one that it is older.
func TestItEndsWithTheChat(t *testing.T) {
	e, client, input := start(t, install(t))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := e.Start(ctx, hook.Hello{Version: hook.Version + 1, Name: "seen-node", Config: json.RawMessage("{}")}, nil)
	if !errors.Is(err, &hook.Error{Code: hook.CodeVersion}) {
		t.Errorf("another version: %v", err)
	}
	began := time.Now()
	input.Close()
	for !client.Exited() {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it lives on")
		}
		time.Sleep(time.Millisecond) // go-plugin tells of the end in no other way
	}
}
