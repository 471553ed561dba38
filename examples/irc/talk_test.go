package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the conversations to what is said now")

// TestConversations plays the conversations in testdata: raw lines, and what comes back. In them
//
//	a> LINE        client a sends a line, and connects if it is not there
//	a< LINE        it gets one
//	a.             it is gone; as input: it hangs up
//	! COMMAND …    something happens in the chat: see [conversation.chatDoes]
//	* IN ROUND …   what a client has written arrives there
//
// where \x01 and the like is a byte, and {x*500} a text again and again.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, file, string(want), play(t, string(want)))
		})
	}
}

// compare holds a conversation against how its file says that it goes.
func compare(t *testing.T, file, want, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("the conversation goes\n%s", differences(want, got))
	}
}

func differences(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			return fmt.Sprintf("line %d: want %q\ngot\n%s", i+1, strings.Join(w[i:min(len(w), i+1)], ""), strings.Join(g[i:min(len(g), i+5)], "\n"))
		}
	}
	return "on: want " + strings.Join(w[len(g):], "\n")
}

// conversation is a server with a fake chat, all on the goroutine of the test.
type conversation struct {
	t        *testing.T
	chat     *sdktest.Chat
	server   *server
	host     *sdk.Host
	settings settings
	password string
	works    []work
	deaf     bool
	said     int // messages in the chat that are told
	clients  map[string]*session
	out      strings.Builder
}

func play(t *testing.T, script string) string {
	c := &conversation{t: t, clients: map[string]*session{}, settings: settings{History: 3}}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		name, rest, sends := strings.Cut(line, "> ")
		switch {
		case strings.HasPrefix(line, "!"):
			fmt.Fprintln(&c.out, line)
			c.chatDoes(strings.Fields(line[1:]))
		case sends && !strings.Contains(name, " ") && !strings.Contains(name, "<"):
			fmt.Fprintln(&c.out, line)
			c.client(name).line(unescape(rest))
		case strings.HasSuffix(line, ". hangs up"):
			fmt.Fprintln(&c.out, line)
			c.client(strings.TrimSuffix(line, ". hangs up")).disconnect()
		case line == "" || line[0] == '#':
			fmt.Fprintln(&c.out, line)
		}
		c.settle()
	}
	return c.out.String()
}

// open starts the chat and the server, once it is known what is special about them.
func (c *conversation) open() {
	if c.server != nil {
		return
	}
	plugin := new(face).plugin()
	plugin.Start = func(_ context.Context, chat *sdk.Host) error {
		c.host = chat
		return nil
	}
	plugin.Stop = nil
	plugin.Events = []sdk.Event{
		tell[hook.MessageEvent](c), tell[hook.SentEvent](c), tell[hook.DeliveryEvent](c), tell[hook.PeerEvent](c),
		tell[hook.MemberEvent](c), tell[hook.TopicEvent](c), tell[hook.RoundEvent](c), tell[hook.CaughtUp](c), tell[hook.Missed](c),
	}
	chat, err := sdktest.New(plugin, sdktest.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.chat = chat
	c.begin()
}

// begin begins a server.
func (c *conversation) begin() {
	log := slog.New(slog.NewTextHandler(complaints{c.t}, &slog.HandlerOptions{Level: slog.LevelError}))
	c.server = newServer(c.settings, c.password, log, c.chat.Now,
		func(w work) { c.works = append(c.works, w) })
	c.server.load(func() {})
	c.settle()
}

// complaints makes errors that are logged those of a test.
type complaints struct{ t *testing.T }

func (c complaints) Write(line []byte) (int, error) {
	c.t.Errorf("%s", line)
	return len(line), nil
}

func tell[E hook.Event](c *conversation) sdk.Event {
	return sdk.On(func(_ context.Context, _ *sdk.Host, e E) error {
		if !c.deaf {
			c.server.event(e)
		}
		return nil
	})
}

// settle does what is to be done until nothing is.
func (c *conversation) settle() {
	if c.chat == nil {
		return
	}
	for len(c.works) > 0 {
		w := c.works[0]
		c.works = c.works[1:]
		w(c.t.Context(), c.host)()
		if err := c.chat.Settle(); err != nil {
			c.t.Error(err)
		}
	}
	for _, m := range c.chat.Sent()[c.said:] {
		c.said++
		fmt.Fprintf(&c.out, "* in %s, %s, auto %v: %s\n", m.Round, m.Form, m.Auto, escape(m.Text))
	}
}

func (c *conversation) client(name string) *session {
	c.open()
	if s := c.clients[name]; s != nil {
		return s
	}
	s := c.server.connect(func(line []byte) {
		text := string(line)
		if !strings.HasSuffix(text, "\r\n") || strings.Count(text, "\n") != 1 || strings.Count(text, "\r") != 1 || strings.Contains(text, "\x00") {
			c.t.Errorf("this is not one line: %q", text)
		}
		body := text
		if body[0] == '@' {
			_, body, _ = strings.Cut(body, " ")
		}
		if len(body) > ircLine || !utf8.ValidString(text) {
			c.t.Errorf("a line of %d bytes: %q", len(body), body)
		}
		fmt.Fprintf(&c.out, "%s< %s\n", name, escape(inOrder(strings.TrimSuffix(text, "\r\n"))))
	}, func(string) {
		fmt.Fprintf(&c.out, "%s. is gone\n", name)
	})
	c.clients[name] = s
	return s
}

// chatDoes makes something happen in the chat.
func (c *conversation) chatDoes(words []string) {
	if words[0] == "password" {
		c.password = words[1]
		return
	}
	c.open()
	arg := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
	rest := func(n int) string { return unescape(strings.Join(words[min(n, len(words)):], " ")) }
	var err error
	switch words[0] {
	case "say": // WHO TEXT
		_, err = c.chat.Say(arg(1), rest(2))
	case "act":
		_, err = c.chat.Hear(hook.Message{From: c.chat.Person(arg(1)), Text: rest(2), Form: hook.FormAction, Live: true})
	case "auto":
		_, err = c.chat.Hear(hook.Message{From: c.chat.Person(arg(1)), Text: rest(2), Auto: true, Live: true})
	case "past": // HOURS WHO TEXT: brought by catching up
		hours, _ := strconv.Atoi(arg(1))
		_, err = c.chat.Hear(hook.Message{From: c.chat.Person(arg(2)), Text: rest(3), Written: c.chat.Now().Add(-time.Duration(hours) * time.Hour)})
	case "type": // TEXT: the person, in the chat itself
		_, err = c.chat.Type(rest(1))
	case "held": // N HELD MEMBERS: the newest message
		n, _ := strconv.Atoi(arg(1))
		held, _ := strconv.Atoi(arg(2))
		members, _ := strconv.Atoi(arg(3))
		r := c.chat.Current()
		err = c.chat.Happen(hook.DeliveryEvent{Round: r.Name, Tag: r.Tag, ID: hook.MessageID(fmt.Sprintf("%064x", n)), Held: held, Members: members})
	case "enter":
		err = c.chat.Enter(arg(1))
	case "depart":
		err = c.chat.Depart(arg(1))
	case "rename":
		err = c.chat.Rename(arg(1), rest(2))
	case "topic":
		err = c.chat.Retitle(arg(1), rest(2))
	case "verify":
		err = c.chat.Verify(arg(1))
	case "up", "down":
		err = c.chat.Connect(arg(1), words[0] == "up")
	case "round":
		c.chat.Switch(rest(1))
		err = c.chat.Happen(hook.RoundEvent{Round: c.chat.Current(), Change: hook.Joined})
	case "lost": // WHO TEXT: said, but the event was thrown away
		c.deaf = true
		_, err = c.chat.Say(arg(1), rest(2))
		c.deaf = false
		if err == nil {
			err = c.chat.Happen(hook.Missed{Count: 1})
		}
	case "restart": // the plugin, under the chat
		c.server.save()
		c.settle()
		c.clients = map[string]*session{}
		c.begin()
	case "wait":
		var d time.Duration
		if d, err = time.ParseDuration(arg(1)); err == nil {
			err = c.chat.Advance(d)
			c.server.tick()
		}
	default:
		err = fmt.Errorf("no such thing: %q", words)
	}
	if err != nil {
		c.t.Errorf("%q: %v", words, err)
	}
}

// inOrder has the tags of a line in alphabetical order.
func inOrder(line string) string {
	tags, rest, ok := strings.Cut(line, " ")
	if !ok || tags[0] != '@' {
		return line
	}
	all := strings.Split(tags[1:], ";")
	slices.Sort(all)
	return "@" + strings.Join(all, ";") + " " + rest
}

var (
	byteOf  = regexp.MustCompile(`\\x[0-9a-f]{2}`)
	again   = regexp.MustCompile(`\{(.+?)\*(\d+)\}`)
	control = regexp.MustCompile(`[\x00-\x1f\x7f]`)
)

func unescape(s string) string {
	s = again.ReplaceAllStringFunc(s, func(s string) string {
		m := again.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
	return byteOf.ReplaceAllStringFunc(s, func(s string) string {
		b, _ := strconv.ParseUint(s[2:], 16, 8)
		return string([]byte{byte(b)})
	})
}

func escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := 1
		for n < len(s) && s[n] == s[0] {
			n++
		}
		if n > 50 {
			fmt.Fprintf(&b, "{%c*%d}", s[0], n)
			s = s[n:]
			continue
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return control.ReplaceAllStringFunc(b.String(), func(s string) string { return fmt.Sprintf("\\x%02x", s[0]) })
}
