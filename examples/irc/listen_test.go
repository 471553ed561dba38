package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
)

// TestListen: without a password nobody outside of this machine comes in, whatever the address is called.
func TestListen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	const password = "secret"
	for _, c := range []struct {
		password string
		listen   []string
		refused  string
	}{
		{listen: []string{"127.0.0.1:0", "unix:" + socket}},
		{listen: []string{"unix:" + socket}}, // where nobody listens any more
		{listen: []string{"0.0.0.0:0"}, refused: "no password is set"},
		{listen: []string{"127.0.0.1:0", ":0"}, refused: "no password is set"},
		{listen: []string{"[::]:0"}, refused: "no password is set"},
		{listen: []string{"192.0.2.1:0"}, refused: "no password is set"},
		{listen: []string{"localhost:0"}, refused: "no password is set"}, // who knows what that is
		{listen: []string{"localhost:0"}, password: password},
		{listen: []string{"127.0.0.1"}, refused: "missing port"},
		{listen: []string{"unix:" + filepath.Join(socket, "s")}, refused: "unix"},
		{listen: []string{"unix:" + socket, "unix:" + socket}, refused: "somebody listens there"},
	} {
		l, err := listen(settings{Listen: c.listen}, c.password)
		if err != nil {
			var e *hook.Error
			if c.refused == "" || !strings.Contains(err.Error(), c.refused) || !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("%q, %q: %v", c.listen, c.password, err)
			}
			continue
		}
		if c.refused != "" {
			t.Errorf("%q, %q: it listens", c.listen, c.password)
		}
		if info, err := os.Stat(socket); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may use the socket: %v", info.Mode())
		}
		for _, one := range l.all {
			if unix, ok := one.(*net.UnixListener); ok {
				unix.SetUnlinkOnClose(false) // as a process that is killed leaves it
			}
		}
		l.close()
	}
}

// TestPasswordFile: a password that others could read is refused, and there is no other way to give one.
func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for _, c := range []struct {
		text          string
		mode          os.FileMode
		want, refused string
	}{
		{text: "secret\n", mode: 0o600, want: "secret"},
		{text: "two words\r\nand another line", mode: 0o400, want: "two words"},
		{text: "secret", mode: 0o640, refused: "others can read"},
		{text: "secret", mode: 0o604, refused: "others can read"},
		{text: "secret", mode: 0o620, refused: "others can read"},
		{text: "\nsecret", mode: 0o600, refused: "there is no password"},
		{refused: "no such file"},
	} {
		os.Remove(path)
		if c.mode != 0 {
			if err := errors.Join(os.WriteFile(path, []byte(c.text), 0o600), os.Chmod(path, c.mode)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := settings{PasswordFile: path}.readPassword()
		if runtime.GOOS == "windows" && c.refused == "others can read" {
			continue // which has no such modes
		}
		if got != c.want || (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%q, %v: %q, %v", c.text, c.mode, got, err)
		}
	}
	chat, err := sdktest.New(new(face).plugin(), sdktest.Options{Config: map[string]any{
		"listen": []string{"127.0.0.1:0"}, "password_file": "", "history": 1, "password": "secret",
	}})
	if err == nil {
		chat.Close()
		t.Error("a password stands in the settings")
	}
}
