package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"opentalk/plugins/sdk/sdktest"
)

// TestMain: the test binary is also the command that is run.
func TestMain(m *testing.M) {
	if file := os.Getenv("NOTIFY_TEST"); file != "" {
		os.WriteFile(file, []byte(os.Getenv("OPENTALK_TITLE")+": "+os.Getenv("OPENTALK_TEXT")), 0o600)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const want = `{"title":"bob in friends","message":"alice: $(rm) \"x\"\u0000"}` + "\n"

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryWay(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	t.Setenv("NOTIFY_TEST", ran)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	posted := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- string(body)
	}))
	defer server.Close()
	set := settings{Command: []string{exe}, File: filepath.Join(dir, "file"), Webhook: server.URL}
	sent := make(chan string, 1)
	if runtime.GOOS != "windows" {
		set.Socket = filepath.Join(dir, "s")
		listener, err := net.Listen("unix", set.Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				line, _ := bufio.NewReader(conn).ReadString('\n')
				sent <- line
			}
		}()
	}
	chat, err := sdktest.New(newPlugin(), sdktest.Options{Wire: true, Config: set})
	if err != nil {
		t.Fatal(err)
	}
	defer chat.Close()
	for _, text := range []string{"nobody is meant", "alice: $(rm) \"x\"\x00"} {
		if _, err := chat.Say("bob", text); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, ran); got != `bob in friends: alice: $(rm) "x"` {
		t.Errorf("the command gets %q", got)
	}
	if got := read(t, set.File); got != want {
		t.Errorf("the file has %q", got)
	}
	if got := <-posted; got != want {
		t.Errorf("the webhook gets %q", got)
	}
	if set.Socket != "" {
		if got := <-sent; got != want {
			t.Errorf("the socket gets %q", got)
		}
	}
}

func TestAWayThatFailsIsTold(t *testing.T) {
	chat, err := sdktest.New(newPlugin(), sdktest.Options{Config: settings{File: filepath.Join(t.TempDir(), "no", "file")}})
	if err != nil {
		t.Fatal(err)
	}
	defer chat.Close()
	if r, err := chat.Type("/notify try"); err == nil {
		t.Errorf("%q", r.Lines)
	}
}
