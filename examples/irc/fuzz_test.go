package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzIRCLine: whatever lines a client sends, before it has registered and afterwards, each that it and another are sent is one
// line that IRC allows, and what is said in the chat is text and nothing else.
func FuzzIRCLine(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if _, line, sent := strings.Cut(strings.TrimSuffix(line, "\n"), "> "); sent {
				f.Add(unescape(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, lines string) {
		if len(lines) > maxRead {
			return
		}
		c := &conversation{t: t, clients: map[string]*session{}, settings: settings{History: 3}}
		for _, line := range []string{"CAP REQ :" + strings.Join(capabilities, " "), "NICK b", "USER b 0 * :B", "CAP END"} {
			c.client("b").line(line)
			c.settle()
		}
		c.client("b").line("PRIVMSG #friends :first")
		for line := range strings.SplitSeq(lines, "\n") {
			for _, name := range []string{"a", "b"} {
				c.client(name).line(strings.TrimSuffix(line, "\r"))
				c.settle()
			}
		}
		for name, s := range c.clients {
			s.disconnect()
			if c.settle(); len(s.jobs) > 0 || s.busy {
				t.Errorf("%s has %d jobs that nobody does", name, len(s.jobs))
			}
		}
		for _, m := range c.chat.Sent() {
			if !utf8.ValidString(m.Text) || strings.ContainsFunc(m.Text, unicode.IsControl) || m.Text == "" {
				t.Errorf("it says %q", m.Text)
			}
		}
	})
}
