package shell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/engine"
	"opentalk/engine/skiptest"
)

// TestSearchAsksAfterAPage: a person is shown the newest hundred, and is asked whether to go on; a program gets everything.
func TestSearchAsksAfterAPage(t *testing.T) {
	for _, person := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newSession(t, t.TempDir())
			s.person, s.config = person, "history = 0\n"
			r := s.engine.add("friends")
			for i := range searchPage + 2 {
				s.engine.history = append(s.engine.history, s.engine.message(r.Tag, "bob", fmt.Sprintf("line %03d", i)))
			}
			s.start()
			s.line("/search line")
			time.Sleep(time.Second) // the screen keeps back what comes all at once
			first := s.output()
			if n := strings.Count(first, "bob: line"); person && n != searchPage || !person && n != searchPage+2 {
				t.Errorf("%d lines at first", n)
			}
			if !person {
				return
			}
			s.line("/search")
			time.Sleep(time.Second)
			if rest := s.output(); !strings.Contains(rest, "line 001") || !strings.Contains(rest, "line 000") || strings.Count(rest, "bob:") != 2 {
				t.Errorf("then:\n%s", rest)
			}
		})
	}
}

// TestEditConfig: what is not to be changed stays as it was, to the byte.
func TestEditConfig(t *testing.T) {
	for _, c := range []struct {
		before, key string
		value       any
		after       string
	}{
		{"", "wait", "5s", "wait = '5s'\n"},
		{"# mine\n", "wait", "5s", "# mine\nwait = '5s'\n"},
		{"handle = 'a'", "wait", "5s", "handle = 'a'\nwait = '5s'\n"},
		{"wait = '1s' # not long\r\n# end\n", "wait", "5s", "wait = '5s' # not long\n# end\n"},
		{"  wait=\"#1\"   # \"#2\"\nhandle = 'a'", "wait", "5s", "wait = '5s'   # \"#2\"\nhandle = 'a'"},
		{"listen = [ # all\n 'a', # one\n 'b',\n]\n\n# rest\nround = 'r'\n", "listen", []string{"none"}, "listen = ['none']\n\n# rest\nround = 'r'\n"},
		{"log = '''\nwait = 3\n'''\n", "wait", "5s", "log = '''\nwait = 3\n'''\nwait = '5s'\n"},
		{"\"wait\" = '1s'\nhistory = 3\n", "history", 7, "\"wait\" = '1s'\nhistory = 7\n"},
		{"a = 1\nwait = '1s' # why\nb = 2\n", "wait", nil, "a = 1\n# why\nb = 2\n"},
		{"a = 1\nwait = '1s'\nb = 2\n", "wait", nil, "a = 1\nb = 2\n"},
		{"a = 1\n", "wait", nil, "a = 1\n"},
		{"[scripts.a]\nwait = 1\n", "wait", "5s", "wait = '5s'\n\n[scripts.a]\nwait = 1\n"},
		{"a = 1 # one\n\n# mine\n[scripts.a]\nx = 1", "wait", "5s", "a = 1 # one\nwait = '5s'\n\n# mine\n[scripts.a]\nx = 1"},
		{"log = \"\"\"\n[no]\n# no\"\"\"\n  [plugins.'b c']\n", "wait", "5s", "log = \"\"\"\n[no]\n# no\"\"\"\nwait = '5s'\n  [plugins.'b c']\n"},
		{"wait = '1s'\n[scripts.a]\nwait = '2s'\nl = [\n[1],\n]\n[scripts.a.b]\n", "wait", nil, "[scripts.a]\nwait = '2s'\nl = [\n[1],\n]\n[scripts.a.b]\n"},
		{"scripts.a.b = 1\n", "wait", "5s", "scripts.a.b = 1\nwait = '5s'\n"},
		{"handle = 'a'\n", "handle", "\"q\"\\ \u202e\n", "handle = \"\\\"q\\\"\\\\ \u202e\\n\"\n"},
	} {
		got, err := editConfig(c.before, c.key, c.value)
		if err != nil || got != c.after {
			t.Errorf("%q with %s = %v: %v\ngot  %q\nwant %q", c.before, c.key, c.value, err, got, c.after)
		}
		before, err1 := parseTables(c.before)
		after, err2 := parseTables(got)
		if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q with %s = %v: %v, tables %v, before %v", c.before, c.key, c.value, err, after, before)
		}
	}
	if _, err := editConfig("wait = = 3", "wait", "1s"); err == nil {
		t.Error("a broken file was edited")
	}
}

// TestConfigIsTheFlags: whatever a key says is what its flag would, but a flag wins.
func TestConfigIsTheFlags(t *testing.T) {
	content := "listen = ['none']\nproxy = 'socks5://127.0.0.1:9050'\nhandle = 'file'\nround = 'r'\nwait = '1s'\nhistory = 0\ncolor = 'never'\nlog = 'l'\nlog_level = 'debug'\n" +
		"recall = false\nnotify = 'off'\nothers = 'inline'\n"
	want := defaults()
	var keys []string
	settings, err := parseConfig(content)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		o, err := findKey(s.key)
		if err != nil {
			t.Fatal(err)
		}
		if values, ok := o.kind.strings(s.value); !ok || !reflect.DeepEqual(s.value, o.kind.value(values)) && o.kind == text {
			t.Errorf("%s is %v, and back %v", s.key, s.value, values)
		}
		keys = append(keys, s.key)
	}
	for _, o := range options() {
		if o.key != "" && !strings.Contains(content, "\n"+o.key+" =") && !strings.HasPrefix(content, o.key+" =") {
			t.Errorf("%s is not tried", o.key)
		}
	}
	want.Handle, want.given = "flag", []string{"--handle"}
	got := want
	want.Listen, want.Proxy, want.Round, want.Wait = []string{"none"}, "socks5://127.0.0.1:9050", "r", 1e9
	want.History, want.Color, want.Log, want.LogLevel, want.kept = 0, 2, "l", "debug", keys
	want.Recall, want.Notify, want.Others = false, notifyOff, othersInline
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := got.readConfig(file); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
	}
}

// TestSettingsAreReadAnew: of extensions, while the shell runs; with a mistake in the file those of before stay.
func TestSettingsAreReadAnew(t *testing.T) {
	home := t.TempDir()
	s := &settings{paths: paths{home, home}}
	for _, c := range []struct{ content, volume, fault string }{
		{"[plugins.bell]\nvolume = 1\n", "map[volume:1]", ""},
		{"[plugins.bell]\nvolume = 2\n", "map[volume:2]", ""},
		{"[plugins.bell]\nvolume = 3 4\n", "map[volume:2]", "config.toml:2: "},
		{"unheard = 1\n[plugins.bell]\nvolume = 5\n", "map[volume:2]", "config.toml:1: "},
		{"", "map[]", ""},
	} {
		if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.of("bell")
		if fmt.Sprint(got) != c.volume || (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: %v, %v", c.content, got, err)
		}
	}
}

// TestConfigHasTablesForExtensions: any keys in them, no table for anybody else, and what is wrong is told with its line.
func TestConfigHasTablesForExtensions(t *testing.T) {
	content := `history = 3
scripts.dotted.n = 1

[scripts.pomodoro] # 25 minutes
minutes = 25
handle = "not the shell's"
lists = [
  [1, 2],
]
[plugins.irc.server]
host = 'h'
[scripts.pomodoro.deep]
yes = true
[plugins."two words"]
`
	want := defaults()
	want.History, want.kept = 3, []string{"history"}
	want.Scripts = map[string]map[string]any{
		"dotted": {"n": int64(1)},
		"pomodoro": {"minutes": int64(25), "handle": "not the shell's", "lists": []any{[]any{int64(1), int64(2)}},
			"deep": map[string]any{"yes": true}},
	}
	want.Plugins = map[string]map[string]any{"irc": {"server": map[string]any{"host": "h"}}, "two words": {}}
	got := defaults()
	if err := got.read(content); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
	}
	for content, fault := range map[string]string{
		"wait = '1s'\n[script.a]\n":             `:2: unknown table "script" (did you mean [scripts.NAME]?)`,
		"[scripts.a]\n[[plugin.b]]\n":           `:2: unknown table "plugin" (did you mean [plugins.NAME]?)`,
		"[wait]\n":                              `:1: unknown table "wait" (/set lists the keys of config.toml)`,
		"\nscripts = 3\n":                       `:2: scripts is no table of an extension (mend the file, or move it away: opentalk runs without one)`,
		"[scripts.a]\n[scripts]\nb = 1\n":       `:3: scripts.b is no table of an extension (mend the file, or move it away: opentalk runs without one)`,
		"[plugins.a]\nx = 1\n[[plugins.b]]\n":   `:3: plugins.b is no table of an extension (mend the file, or move it away: opentalk runs without one)`,
		"[plugins.a]\nx = 1\nx = 2\n":           "",
		"plugins = [{a = 1}]\n":                 `:1: plugins is no table of an extension (mend the file, or move it away: opentalk runs without one)`,
		"[plugins.a]\n\nhandle = 'x'\nno\n":     "",
		"[Scripts.a]\n":                         `:1: unknown table "Scripts" (did you mean [scripts.NAME]?)`,
		"[scripts.a]\n[other]\n[scripts.b]\n":   `:2: unknown table "other" (/set lists the keys of config.toml)`,
		"unheard = 1\n[scripts.a]\n[scripts.b]": `:1: unknown key "unheard" (/set lists the keys of config.toml)`,
	} {
		o := defaults()
		err := located("", o.read(content))
		if err == nil {
			t.Errorf("%q is read", content)
			continue
		}
		if r := newReport(err, 0); fault != "" && r.text+" ("+r.hint+")" != fault {
			t.Errorf("%q\ngot  %s (%s)\nwant %s", content, r.text, r.hint, fault)
		}
	}
}

// TestConfigIsWrittenAsAFileOfOnesOwn: all or nothing, with the mode that it had, and through a link to where it really is.
func TestConfigIsWrittenAsAFileOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "config.toml")
	if err := writeFile(file, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("new: %v %v", info.Mode(), err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		skiptest.Because(t, "no symbolic links here: %v", err)
	}
	if err := writeFile(link, []byte("b")); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(file)
	info, _ := os.Lstat(link)
	real, _ := os.Stat(file)
	if string(content) != "b" || info.Mode().Type() != os.ModeSymlink || os.PathSeparator == '/' && real.Mode().Perm() != 0o640 {
		t.Errorf("%q, link %v, file %v", content, info.Mode(), real.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// TestExportStaysInItsFolder is T24 for exports: a link that leads out is not followed, and files are the owner's alone.
func TestExportStaysInItsFolder(t *testing.T) {
	outside := t.TempDir()
	t.Chdir(t.TempDir())
	if err := os.Symlink(outside, "out"); err != nil {
		skiptest.Because(t, "no symbolic links here: %v", err)
	}
	target := filepath.Join(outside, "target")
	os.Symlink(target, "dangling")
	f := newFake()
	r := f.add("friends")
	f.history = []engine.Message{f.message(r.Tag, "bob", "hi")}
	for _, name := range []string{"out/x", "../x", "/x", "a\x00b", "dangling", ".", "", "out/../../x", "inside"} {
		c := &call{Context: t.Context(), Engine: f, args: []string{name}, round: r, inRound: true, look: look{zone: time.UTC}}
		err := runExport(c)
		if (err == nil) != (name == "inside") {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && code(err).Name != "bad-file" {
			t.Errorf("%q: code %s", name, code(err).Name)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
	if info, err := os.Stat("inside"); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
		t.Errorf("inside: %v %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob("*.part*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}
