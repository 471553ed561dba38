package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/skiptest"
	"opentalk/plugins/hook"
)

// TestStorage: what is kept is there later, of each extension its own, within a limit.
func TestStorage(t *testing.T) {
	dir := t.TempDir()
	s := newStorage(dir)
	big := make([]byte, hook.MaxValue)
	for _, k := range []string{"b", "a", "ab"} {
		if err := s.set("x", k, []byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := s.set("x", string(rune('0'+i)), big); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	if _, err := s.get("x", "a"); !has(err, hook.CodeClosed) {
		t.Errorf("after the end: %v", err)
	}
	s = newStorage(dir)
	defer s.close()
	if err := s.set("x", "3", big); !has(err, hook.CodeTooBig) {
		t.Errorf("over the limit: %v", err)
	}
	if err := s.delete("x", "0"); err != nil {
		t.Fatal(err)
	}
	if err := s.set("x", "3", big); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if v, err := s.get("x", "a"); err != nil || string(v) != "a" {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := s.get("y", "a"); err != nil || v != nil {
		t.Errorf("another's: %q, %v", v, err)
	}
	if keys, err := s.keys("x", "a"); err != nil || !slices.Equal(keys, []string{"a", "ab"}) {
		t.Errorf("%q, %v", keys, err)
	}
}

// TestManifest: what is wrong with a folder is refused, in words.
func TestManifest(t *testing.T) {
	if runtime.GOOS == "windows" {
		skiptest.Because(t, "Windows has no modes and no links to speak of")
	}
	const good = "name = \"bell\"\nversion = \"1\"\napi = 1\nexec = \"run\"\n"
	dir := filepath.Join(t.TempDir(), "plugins", "bell")
	write := func(text string) {
		os.RemoveAll(filepath.Dir(dir))
		if err := errors.Join(
			os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "plugin.toml"), []byte(text), 0o600),
			os.WriteFile(filepath.Join(dir, "run"), nil, 0o700),
		); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	if m, err := readManifest(dir); err != nil || m.Exec != "run" {
		t.Fatalf("%+v, %v", m, err)
	}
	outside := filepath.Join(t.TempDir(), "run")
	os.WriteFile(outside, nil, 0o700)
	for name, c := range map[string]struct {
		text string
		also func() error
		want string
	}{
		"unknown key":   {text: good + "exce = 1", want: `plugin.toml:5: unknown key "exce"`},
		"syntax":        {text: good + "args = [", want: "plugin.toml:5:"},
		"other name":    {text: strings.Replace(good, "bell", "ball", 1), want: `name "ball" is not that of the folder`},
		"other version": {text: strings.Replace(good, "api = 1", "api = 2", 1), want: "api 2: this chat has version 1"},
		"outside":       {text: strings.Replace(good, "run", "../run", 1), want: `exec "../run" is no file in the folder`},
		"absolute":      {text: strings.Replace(good, "run", "/bin/sh", 1), want: `exec "/bin/sh" is no file in the folder`},
		"no exec":       {text: strings.Replace(good, `exec = "run"`, "", 1), want: `exec "" is no file in the folder`},
		"capability":    {text: good + `capabilities = ["fly"]`, want: `unknown capability "fly"`},
		"link": {text: good, want: "run is a link", also: func() error {
			return errors.Join(os.Remove(filepath.Join(dir, "run")), os.Symlink(outside, filepath.Join(dir, "run")))
		}},
		"linked folder": {text: good, want: "bell is a link", also: func() error {
			return errors.Join(os.Rename(dir, dir+"x"), os.Symlink(dir+"x", dir))
		}},
		"program of others": {text: good, want: "run can be written by others", also: func() error {
			return os.Chmod(filepath.Join(dir, "run"), 0o722)
		}},
		"folder of others": {text: good, want: "bell can be written by others", also: func() error { return os.Chmod(dir, 0o777) }},
		"folders of others": {text: good, want: "plugins can be written by others", also: func() error {
			return os.Chmod(filepath.Dir(dir), 0o777)
		}},
		"too big": {text: good + "#" + strings.Repeat("x", maxManifest), want: "exceeds the limit"},
	} {
		write(c.text)
		if c.also != nil {
			if err := c.also(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readManifest(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	write(good + "exce = 1")
	_, err := readManifest(dir)
	if u := (*UnknownKeyError)(nil); !errors.As(err, &u) || u.Key != "exce" || !slices.Contains(u.Known, "exec") {
		t.Errorf("%#v", err)
	}
	_, err = Manifest{Name: "bell", Config: map[string]any{"sound": "ding"}}.settings(map[string]any{"sond": 1})
	if u := (*UnknownKeyError)(nil); !errors.As(err, &u) || u.Key != "sond" || !slices.Equal(u.Known, []string{"sound"}) {
		t.Errorf("%#v", err)
	}
}
