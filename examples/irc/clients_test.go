package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"opentalk/engine/skiptest"
	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
)

// person sits at an IRC client in a terminal.
type person struct {
	t      *testing.T
	socket string
	chat   *sdktest.Chat
}

// sits starts a client, in a folder of its own.
func sits(t *testing.T, chat *sdktest.Chat, command string) *person {
	t.Helper()
	dir, err := os.MkdirTemp("", "irc") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, socket: filepath.Join(dir, "tmux"), chat: chat}
	p.tmux("new-session", "-d", "-x", "110", "-y", "40", strings.ReplaceAll(command, "DIR", dir))
	t.Cleanup(func() {
		p.tmux("kill-server")
		os.RemoveAll(dir)
	})
	return p
}

func (p *person) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-f", os.DevNull, "-S", p.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TERM=screen-256color", "TMUX=", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// types enters a line.
func (p *person) types(line string) {
	p.t.Helper()
	p.tmux("send-keys", "-l", line)
	p.tmux("send-keys", "Enter")
}

// reads waits until all of the texts are on the screen.
func (p *person) reads(texts ...string) {
	p.t.Helper()
	var screen string
	p.until(fmt.Sprintf("%q on the screen", texts), func() bool {
		screen = p.tmux("capture-pane", "-p")
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	}, &screen)
}

// goes looks at a channel, which may not be there yet: it is when the line that tells where one is says so.
func (p *person) goes(line string) {
	p.t.Helper()
	_, channel, _ := strings.Cut(line, "#")
	there := regexp.MustCompile(`[/:]#` + channel + `\b`)
	var screen string
	var typed time.Time
	p.until("one is in #"+channel, func() bool {
		if time.Since(typed) > time.Second {
			p.types(line)
			typed = time.Now()
		}
		screen = p.tmux("capture-pane", "-p")
		return there.MatchString(screen)
	}, &screen)
}

// until looks again and again, while the chat tells what has happened.
func (p *person) until(what string, is func() bool, screen *string) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not within 30 s: %s\n%s", what, *screen)
		}
		p.does(p.chat.Settle())
	}
}

func (p *person) does(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) hears(who, text string) {
	p.t.Helper()
	_, err := p.chat.Say(who, text)
	p.does(err)
}

// freePort returns one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestClients: people live in irssi and in WeeChat, as the distribution has them.
func TestClients(t *testing.T) {
	for _, client := range []struct {
		name, start string
		first       []string
		look        string
		replies     string // where it shows what it was told
	}{
		{"irssi", "irssi --home=DIR/irssi", []string{
			"/network add -cmdspeed 1 -cmdmax 1000 chat", "/server add -network chat 127.0.0.1 PORT", "/connect chat",
		}, "/window goto #", "/window goto 1"},
		{"weechat", "weechat -d DIR/weechat -r '/server add chat 127.0.0.1/PORT' -r '/set irc.look.smart_filter off' -r '/set weechat.look.paste_max_lines -1' -r '/set irc.msgbuffer.whois current' -r '/connect chat'", nil, "/buffer #", "/buffer #tea"},
	} {
		t.Run(client.name, func(t *testing.T) {
			for _, need := range []string{"tmux", client.name} {
				if _, err := exec.LookPath(need); err != nil {
					skiptest.Because(t, "%s is not installed", need)
				}
			}
			port := freePort(t)
			chat, err := sdktest.New(newPlugin(), sdktest.Options{
				Now: time.Now(), Config: settings{Listen: []string{"127.0.0.1:" + port}, History: 50},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer chat.Close()
			chat.Say("bob", "said before anybody looked")
			p := sits(t, chat, strings.ReplaceAll(client.start, "PORT", port))
			for _, line := range client.first {
				p.types(strings.ReplaceAll(line, "PORT", port))
			}
			live(p, client.look, client.replies)
		})
	}
}

// live does what people do.
func live(p *person, look, replies string) {
	chat, screen := p.chat, ""
	p.goes(look + "friends")
	p.reads("said before anybody looked")

	p.types("hello from a client")
	p.until("it is said", func() bool {
		sent := chat.Sent()
		return len(sent) == 1 && sent[0].Text == "hello from a client" && !sent[0].Auto && sent[0].Round == "friends"
	}, &screen)
	p.hears("bob", "hello to a client")
	p.reads("hello from a client", "hello to a client")
	p.types("/me waves")
	p.until("it is done", func() bool { s := chat.Sent(); return len(s) == 2 && s[1].Form == hook.FormAction }, &screen)
	_, err := chat.Hear(hook.Message{From: chat.Person("bob"), Text: "waves back", Form: hook.FormAction, Live: true})
	p.does(err)
	p.reads("alice waves", "bob waves back")

	p.does(chat.Retitle("bob", "what to drink"))
	p.reads("what to drink")
	p.types("/topic what to eat")
	p.until("the topic is changed", func() bool { return chat.Current().Topic == "what to eat" }, &screen)
	p.does(chat.Rename("bob", "robert"))
	p.does(chat.Enter("carol"))
	p.reads("what to eat", "robert", "carol")
	p.types("/nick ada")
	p.until("the name is changed", func() bool { return chat.Current().Handle == "ada" }, &screen)
	p.hears("robert", "who is ada?")
	p.reads("who is ada?", "ada")

	p.types("/join opentalk:tea")
	p.goes(look + "tea")
	chat.Switch("tea")
	p.hears("dave", "welcome to the tea")
	p.reads("welcome to the tea")
	p.types("long " + strings.Repeat("word ", 300) + "end")
	p.until("a long message is one", func() bool {
		sent := chat.Sent()
		last := sent[len(sent)-1]
		screen = fmt.Sprint(sent[2:])
		return last.Text == "long "+strings.Repeat("word ", 300)+"end" && last.Round == "tea"
	}, &screen)
	p.types("/whois dave")
	p.types(replies)
	p.reads("is not verified")
}
