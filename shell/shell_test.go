package shell

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"opentalk/engine"
	"opentalk/shell/line"
	"opentalk/shell/term"
)

// promised are the events of --json with the keys that each has at least.
const promised = `
ready     handle fingerprint device listen
round     round tag members blocks topic
invite    round invite
message   round id block from fingerprint text form auto private written received live late
history   line round id block from fingerprint text form auto private written received live late
sent      round id block text state
delivery  round id held members
waiting   round count
peer      round handle fingerprint device address state rtt_ms
member    round handle fingerprint change
topic     round topic from fingerprint
progress  round what done total
caught-up round
notice    text
error     text hint code line
reply     command line lines`

// hostile does what it can to a terminal, and to a reader.
const hostile = "a\x1b]0;title\a\x1b[2J\x1b]52;c;aGk=\x1b\\\u009b31m\x9b\u202eb\u200b\u2028c\r\x00\x7fd\xff\U000e0041\n00:00 alice: yes"

func TestJSONKeepsItsPromises(t *testing.T) {
	got := map[string]map[string]any{}
	synctest.Test(t, func(t *testing.T) {
		s := everything(t, "--json")
		for _, l := range strings.Split(strings.TrimSpace(s.out.take()), "\n") {
			var event map[string]any
			if err := json.Unmarshal([]byte(l), &event); err != nil {
				t.Fatalf("%v in %q", err, l)
			}
			if i := strings.IndexFunc(l, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q is not plain at %d", l, i)
			}
			if event["v"] != 1.0 {
				t.Errorf("no version in %q", l)
			}
			got[event["event"].(string)] = event
		}
	})
	for _, l := range strings.Split(strings.TrimSpace(promised), "\n") {
		fields := strings.Fields(l)
		event := got[fields[0]]
		for _, key := range fields[1:] {
			if _, ok := event[key]; !ok {
				t.Errorf("event %s has no %s: %v", fields[0], key, event)
			}
		}
		delete(got, fields[0])
	}
	if len(got) > 0 {
		t.Errorf("events that nobody promised: %v", slices.Collect(maps.Keys(got)))
	}
}

func TestJSONGivesTextAsItWas(t *testing.T) {
	valid := strings.ToValidUTF8(hostile, "?")
	var got struct{ Text string }
	encoded, err := json.Marshal(messageJSON{Text: valid})
	if err == nil {
		err = json.Unmarshal([]byte(escapeJSON(string(encoded))), &got)
	}
	if err != nil || got.Text != valid {
		t.Errorf("%q became %q: %v", valid, got.Text, err)
	}
}

// everything runs a session in which everything happens once, with hostile text wherever there is text.
func everything(t *testing.T, args ...string) *session {
	s := newSession(t, t.TempDir())
	s.args = args
	f := s.engine
	r := f.add(hostile)
	m := f.message(r.Tag, hostile, hostile)
	f.history = []engine.Message{m}
	s.start()
	person := someone(hostile)
	f.emit(engine.MessageEvent{Message: m}, engine.ProgressEvent{Round: r.Tag, What: hostile, Total: 9000}, engine.CaughtUpEvent{Round: r.Tag},
		engine.MemberEvent{Round: r.Tag, Person: person, Change: engine.Joined, Live: true}, engine.NoticeEvent{Text: hostile},
		engine.MemberEvent{Round: r.Tag, Person: person, Change: engine.Renamed, Was: hostile, Live: true},
		engine.TopicEvent{Round: r.Tag, Topic: hostile, By: person, Live: true},
		engine.PeerEvent{Round: r.Tag, Person: person, Address: hostile, State: engine.Online},
		engine.PeerEvent{Round: r.Tag, Person: person, Address: hostile, State: engine.Offline},
		engine.ErrorEvent{Round: r.Tag, Err: errors.New(hostile)})
	m.Form, m.Late = engine.Action, true
	f.emit(engine.MessageEvent{Message: m})
	m.Problem = hostile
	f.emit(engine.MessageEvent{Message: m})
	synctest.Wait()
	for _, l := range []string{"hello", "/invite", "/rounds", "/history", "/search a", "/ignore", "/set", "/peers", "/members", "/status", "/" + hostile, "/switch " + hostile, hostile} {
		s.line(strings.ReplaceAll(l, "\n", " "))
		synctest.Wait()
	}
	f.comes(hostile)
	time.Sleep(time.Second)
	synctest.Wait()
	return s
}

// TestNothingForeignReachesTheTerminal is T20 for everything that the shell prints: besides its own colours there is nothing
// but printable characters and newlines, and no line of others looks like one of the shell's.
func TestNothingForeignReachesTheTerminal(t *testing.T) {
	own := regexp.MustCompile(`\x1b\[[0-9;]+m`)
	for _, args := range [][]string{{"--color=always"}, {"--color=never"}} {
		synctest.Test(t, func(t *testing.T) {
			s := everything(t, args...)
			text := s.out.take() + s.err.take()
			if args[0] == "--color=always" {
				if !own.MatchString(text) {
					t.Error("there is no colour")
				}
				text = own.ReplaceAllString(text, "")
			}
			for _, l := range strings.Split(text, "\n") {
				if i := strings.IndexFunc(l, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%q is not plain at %d", l, i)
				}
				if strings.HasPrefix(l, "00:00 alice: yes") {
					t.Errorf("somebody put words into alice's mouth: %q", l)
				}
			}
		})
	}
}

func TestPromptIsSafe(t *testing.T) {
	s := &Shell{book: newBook()}
	s.book.rounds[engine.Tag{}] = engine.Round{Name: hostile}
	s.book.inRound = true
	for _, r := range term.NewProfile(term.Always, true, os.Getenv).Render(s.book.prompt()) {
		if !unicode.IsPrint(r) {
			t.Fatalf("%q is in the prompt", r)
		}
	}
}

// TestSecretsStayOut is T25 for what the shell prints and keeps.
func TestSecretsStayOut(t *testing.T) {
	invite := (&fake{}).invite().Token()
	for _, text := range []string{"/join " + invite, "/jion " + invite, invite, " /join " + invite, "/JOIN " + strings.ToUpper(invite),
		"/join 192.0.2.1:7654 " + secretID, "/jion 192.0.2.1:7654 " + secretID, "/join 192.0.2.1:7654 " + secretID[:63]} {
		if got := keep(text); got != line.Forget {
			t.Errorf("keep(%q) = %v", text, got)
		}
		if !carriesSecret(text) {
			t.Errorf("%q may be an argument", text)
		}
		if _, _, err := parse(text); err != nil {
			if r := newReport(err, 0); strings.Contains(r.text+r.hint, invite) || strings.Contains(r.text+r.hint, secretID) {
				t.Errorf("the error for %q holds the secret: %v", text, r)
			}
		}
	}
	for text, want := range map[string]line.Keep{
		"/passphrase now": line.Forget, "/new friends": line.Record, "/help join": line.Record, "hello": line.Recall, "/send hi": line.Recall, "/foo": line.Recall,
	} {
		if got := keep(text); got != want {
			t.Errorf("keep(%q) = %v, want %v", text, got, want)
		}
	}
	if proxy := "/set proxy socks5://me:hunter2@192.0.2.1:9050"; keep(proxy) != line.Forget || !carriesSecret(proxy) || strings.Contains(redact(proxy), "hunter2") {
		t.Error("the password of a proxy is kept, or shown")
	}
	if carriesSecret("/send commit 3f786850e387550fdab836ed7e6dc881de23001b") || carriesSecret("see opentalk: the README") {
		t.Error("harmless lines are refused")
	}
}

// TestCommandsExplainThemselves looks at the whole table: too few and too many arguments show the usage, /help knows each.
func TestCommandsExplainThemselves(t *testing.T) {
	for _, c := range commands() {
		if c.help == "" || c.run == nil || c.max < c.min || c.min > 0 && c.example == "" {
			t.Errorf("/%s is not complete", c.name)
		}
		if (c.args == "") != (c.max == 0) || strings.HasPrefix(c.args, "[") != (c.min == 0 && c.max > 0) {
			t.Errorf("/%s takes %d to %d arguments and says %q", c.name, c.min, c.max, c.args)
		}
		if width := len(c.usage()); width > 31 || len(c.help) > 80-33 {
			t.Errorf("/%s does not fit into a line of /help: %d and %d", c.name, width, len(c.help))
		}
		if c.example != "" {
			if _, _, err := parse(c.example); err != nil {
				t.Errorf("example %q: %v", c.example, err)
			}
		}
		wrong := []string{"/" + c.name + strings.Repeat(" x", c.max+1)}
		if c.text {
			wrong = nil
		}
		if c.min > 0 {
			wrong = append(wrong, "/"+c.name, "/"+c.name+"  ")
		}
		for _, l := range wrong {
			_, _, err := parse(l)
			if !errors.Is(err, errArity) || !strings.Contains(err.Error(), c.usage()) {
				t.Errorf("%q: %v", l, err)
			}
		}
		help := &call{args: []string{c.name}}
		if err := runHelp(help); err != nil || !strings.Contains(help.lines[0].String(), c.usage()) {
			t.Errorf("/help %s: %v %v", c.name, help.lines, err)
		}
	}
}

func TestEveryCodeIsOneError(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range codes {
		if seen[c.Name] || c.Hint == "" || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(c.Name) {
			t.Errorf("code %q is no good", c.Name)
		}
		seen[c.Name] = true
		for _, kind := range c.is {
			if got := code(fmt.Errorf("trying: %w", kind)); got.Name != c.Name {
				t.Errorf("%v is %s and %s", kind, c.Name, got.Name)
			}
		}
		if (len(c.is) == 0) != (i == len(codes)-1) {
			t.Errorf("%s: only the last code has no error of its own", c.Name)
		}
	}
	if code(errors.New("something")).Name != "failed" {
		t.Error("an error without a code of its own is not \"failed\"")
	}
}

// TestReadmeTellsEverything wants every flag, command, code and key in the README, each at the beginning of `code`.
func TestReadmeTellsEverything(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range options() {
		if o.flag != "" {
			all = append(all, o.flag)
		}
		if o.key != "" {
			all = append(all, o.key)
		}
	}
	for _, c := range Codes() {
		all = append(all, c.Name)
	}
	all = append(all, Commands()...)
	for _, name := range all {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(name) + "[` =]").Match(text) {
			t.Errorf("the README does not mention `%s`", name)
		}
	}
}

func TestPipeReadsLines(t *testing.T) {
	long := strings.Repeat("x", maxInput+10)
	var got []string
	readPipe(strings.NewReader("\ufeffone\r\n\n"+long+"\nthree\nno newline"), func(in input) bool {
		text := in.text
		switch {
		case in.err == errEnd:
			text = "end"
		case in.err != nil:
			text = newReport(in.err, 0).code
		}
		got = append(got, fmt.Sprintf("%d %s", in.number, text))
		return true
	})
	want := []string{"1 one", "3 too-long", "4 three", "5 no newline", "5 end"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutputThatFailsEndsTheShell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession(t, t.TempDir())
		s.engine.add("friends")
		s.start()
		s.shell.out.to = broken{}
		s.line("hello")
		synctest.Wait()
		s.exit(0, "1")
		if !strings.Contains(s.err.take(), "writing output: pipe is gone") {
			t.Error("nobody was told")
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe is gone") }

func TestCompletion(t *testing.T) {
	b := newBook()
	for i, name := range []string{"friends", "work"} {
		b.rounds[engine.Tag{byte(i)}] = engine.Round{Name: name}
	}
	for _, name := range []string{"alf", "bob", "Bert", "b\x1b[2J\u202eo"} {
		b.note(engine.PeerEvent{Person: someone(name)})
	}
	for _, name := range []string{"alf", "bob", "Bert", "bob"} {
		b.note(engine.MessageEvent{Message: engine.Message{From: someone(name)}})
	}
	for line, want := range map[string]string{
		"/jo": "1 join ", "/": "1 " + strings.Join(names{}.ofCommands(), " |") + " ", "/switch f": "8 friends ", "/switch friends w": "16 ",
		"/help hist": "6 history ", "b": "0 bob: |Bert: |b[2Jo: ", "hi bo": "3 bob ", "/me likes bo": "10 bob ", "/new b": "5 ", "": "0 ",
		"//jo": "0 ", "/verify bob ": "12 yes |no ", "/verify bob n": "12 no ", "/verify  bob": "9 bob ", "/nothing b": "9 ",
	} {
		from, found := b.names().complete(line, len(line))
		if got := fmt.Sprint(from, " ", strings.Join(found, "|")); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestStateAndLogAreTheOwnersOnly(t *testing.T) {
	dir := t.TempDir()
	p := paths{dir, dir}
	if err := (state{Round: "aa"}).write(p.state()); err != nil || readState(p.state()).Round != "aa" {
		t.Errorf("state is not kept: %v", err)
	}
	log, closer, err := openLog(Options{}, p, true, io.Discard, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("x", "text", hostile)
	closer.Close()
	for _, file := range []string{p.state(), p.log()} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
			t.Errorf("%s: %v %v", file, info.Mode(), err)
		}
	}
	text, _ := os.ReadFile(p.log())
	if strings.ContainsFunc(string(text), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("the log is not plain: %q", text)
	}
}

func TestCompletionOfFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"notes/old.txt", "notes/new.txt", ".hidden", "two words", "\x1b[2J", "ñ.txt"} {
		os.MkdirAll(filepath.Dir(name), 0o700)
		os.WriteFile(name, nil, 0o600)
	}
	for word, want := range map[string]string{
		"": "notes/|ñ.txt ", "n": "notes/", "notes/": "notes/new.txt |notes/old.txt ", "notes/o": "notes/old.txt ", ".": ".hidden ", "none/": "",
	} {
		n := names{word: word}
		if got := strings.Join(n.arguments(&command{complete: []source{names.ofFiles}}), "|"); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// FuzzLine gives any line to what reads lines: nothing panics, and no error quotes an invite.
func FuzzLine(f *testing.F) {
	invite := (&fake{}).invite().Token()
	for _, l := range []string{"hello", "/join " + invite, "//x", "/", "/send", "/me\nx", "/history 1e3", hostile, "/" + invite} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, l string) {
		keep(l)
		names{people: []string{l}}.complete(l, len(l)/2)
		c, args, err := parse(l)
		if err == nil && (len(args) < c.min || len(args) > c.max) {
			t.Errorf("%q: /%s with %d arguments", l, c.name, len(args))
		}
		if err != nil {
			if r := newReport(err, 1); inviteText().MatchString(r.text+r.hint) || r.code == "failed" {
				t.Errorf("%q: %+v", l, r)
			}
		}
	})
}
