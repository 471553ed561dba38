package shell

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzConfig: any file is read or refused with a code of its own; and whatever is in it, setting a key changes that key and
// nothing else, and taking it out again does, too.
func FuzzConfig(f *testing.F) {
	for _, content := range []string{
		"", "handle = 'x' # who\nlisten = [\n  'none', # nowhere\n]\n", "# a\n\n[plugins.irc]\nport = 6667\n[scripts.digest]\nat = 18:00:00\n",
		"wait = \"5s\"\r\nrecall = false\r\n", "handle = '''\na\n#b'''", "[x]\n", "nix = 1", "handle = 3", "plugins = 3", "[[plugins]]", "\ufeffhandle='x'",
	} {
		f.Add(content, "bob")
	}
	f.Fuzz(func(t *testing.T, content, value string) {
		o := defaults()
		if err := o.read(content); err != nil {
			if r := newReport(err, 1); r.code == "failed" {
				t.Errorf("%q: %+v", content, r)
			}
			return
		}
		was, value := settingsOf(t, content), strings.ToValidUTF8(value, "") // as it has come through the reader of lines
		edited, err := editConfig(content, "handle", value)
		if err != nil {
			t.Fatalf("%q: setting a key: %v", content, err)
		}
		want := map[string]any{"handle": value}
		for key, v := range was {
			if key != "handle" {
				want[key] = v
			}
		}
		if got := settingsOf(t, edited); !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q: %v, want %v", content, edited, got, want)
		}
		without, err := editConfig(edited, "handle", nil)
		if err != nil {
			t.Fatalf("%q: taking a key out: %v", edited, err)
		}
		delete(want, "handle")
		if got := settingsOf(t, without); !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q: %v, want %v", edited, without, got, want)
		}
	})
}

// settingsOf are all values of a file, those in tables, too.
func settingsOf(t *testing.T, content string) map[string]any {
	t.Helper()
	values, err := parseLines([]string{content})
	if err != nil {
		t.Fatalf("%q: %v", content, err)
	}
	if values == nil {
		values = map[string]any{}
	}
	return values
}

// FuzzArguments gives any command line to what reads flags: each error has a code of its own and tells no secret, and what
// is given is known.
func FuzzArguments(f *testing.F) {
	invite := (&fake{}).invite().Token()
	for _, l := range []string{
		"--home\nx\n--json", "--listen=127.0.0.1:0\n--listen\nnone", "--wait\n-1s", "-e\n/join " + invite, "-e\nhello", "--hom\nx", "--json=1", invite,
		"--proxy\nsocks5://u:p@h:1", "--passphrase-fd\n3", "--color\nred", "--", "-", "--log-level=loud", "--help", "--round\n" + hostile,
	} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, l string) {
		o, err := Parse(strings.Split(l, "\n"))
		if err != nil {
			if r := newReport(err, 0); inviteText().MatchString(r.text+r.hint) || r.code == "failed" {
				t.Errorf("%q: %+v", l, r)
			}
			return
		}
		for _, flag := range o.given {
			if !slices.ContainsFunc(strings.Split(l, "\n"), func(arg string) bool {
				name, _, _ := strings.Cut(arg, "=")
				f, err := findFlag(name)
				return err == nil && f.flag == flag
			}) {
				t.Errorf("%q gives %s", l, flag)
			}
		}
	})
}
