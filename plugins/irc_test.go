package plugins

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"opentalk/plugins/hook"
)

// storied is a chat with one round, which has a history.
type storied struct {
	*fake
	mu   sync.Mutex
	told []hook.Message
}

func (s *storied) say(text string) hook.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.told) + 1
	m := hook.Message{
		ID: hook.MessageID(fmt.Sprintf("%032d", n)), Cursor: hook.Cursor(fmt.Sprintf("%08d", n)), Round: "tea", Tag: "0123",
		From: hook.Person{Handle: "bob", Fingerprint: "b0b0b0b0"}, Text: text, Written: time.Now(),
	}
	s.told = append(s.told, m)
	m.Live = true
	return m
}

func (s *storied) Me(context.Context) (hook.Self, error) {
	return hook.Self{Handle: "ada", Fingerprint: "adaadaad"}, nil
}

func (s *storied) Rounds(context.Context) ([]hook.Round, error) {
	return []hook.Round{{Name: "tea", Tag: "0123", Handle: "ada"}}, nil
}

func (s *storied) History(_ context.Context, q hook.Query) (all []hook.Message, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.told {
		if m.Cursor > q.After {
			all = append(all, m)
		}
	}
	return all, nil
}

// TestIRCPluginIsStartedAnew: a client that comes back is shown what was said meanwhile, and nothing twice.
func TestIRCPluginIsStartedAnew(t *testing.T) {
	built := filepath.Join(t.TempDir(), "irc")
	if out, err := exec.Command("go", "build", "-o", built, "../examples/irc").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	dir, err := os.MkdirTemp("", "irc") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	w := newWorld(t)
	w.cfg.Settings = func(string) map[string]any { return map[string]any{"listen": []string{"unix:" + socket}} }
	w.example("irc", built)
	w.host = New(w.cfg)
	w.chat = &fake{host: w.host, faults: make(chan Fault, 100)}
	chat := &storied{fake: w.chat}
	if err := w.host.Start(chat); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.host.Close)
	chat.say("one")
	w.enable("irc")

	client := w.connects(socket)
	client.until("PRIVMSG #tea :one")
	w.host.Observe(hook.MessageEvent{Message: chat.say("two")})
	client.until("PRIVMSG #tea :two")
	fmt.Fprint(client.conn, "PRIVMSG #tea :said by ada\r\n")
	w.until("it is said, and not as by a program", func() bool {
		w.chat.mu.Lock()
		defer w.chat.mu.Unlock()
		return len(w.chat.sent) == 1 && w.chat.sent[0].Text == "said by ada" && !w.chat.sent[0].Auto
	})
	if _, err := w.host.Restart(t.Context(), "irc"); err != nil {
		t.Fatal(err)
	}
	client.until("ERROR ")
	chat.say("three")
	again := w.connects(socket).until("PRIVMSG #tea :three")
	if strings.Contains(again, ":one") || strings.Contains(again, ":two") {
		t.Errorf("it is told again\n%s", again)
	}
	w.noFault()
}

type ircClient struct {
	t     testing.TB
	conn  net.Conn
	lines *bufio.Reader
}

// connects comes in as soon as somebody listens.
func (w *world) connects(socket string) *ircClient {
	w.t.Helper()
	var conn net.Conn
	w.until("the plugin listens", func() (ok bool) {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(conn, "CAP REQ server-time\r\nNICK x\r\nUSER x 0 * :x\r\nCAP END\r\n")
	return &ircClient{w.t, conn, bufio.NewReader(conn)}
}

// until reads up to a line that holds text, and returns all.
func (c *ircClient) until(text string) string {
	c.t.Helper()
	var all strings.Builder
	for {
		line, err := c.lines.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			c.t.Fatalf("before %q: %v\n%s", text, err, all.String())
		}
		if strings.Contains(line, text) {
			return all.String()
		}
	}
}
