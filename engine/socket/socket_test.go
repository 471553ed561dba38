package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"opentalk/engine/skiptest"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{
		"127.0.0.1:1", "[::1]:65535", "example.org:7654", "unix:/run/x", "unix:x", "[fe80::1%eth0]:7654", "bücher.example:80",
	} {
		if err := Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "host", ":7654", "host:", "host:0", "host:65536", "host:-1", "host:http", "::1:7654", "unix:", "a\x00b:1", "a\nb:1",
		"\x1b[2Jhost:1", "host\u202e:1", strings.Repeat("a", 300) + ":1", "unix:" + strings.Repeat("/a", 200), "\xff:1",
	} {
		if err := Check(bad); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for addr, good := range map[string]bool{":7654": true, "host:0": true, "[::]:65535": true, "unix:x": true, "7654": false, ":": false, ":65536": false, "unix:": false} {
		if err := CheckListen(addr); good != (err == nil) {
			t.Errorf("listening on %q: %v", addr, err)
		}
	}
}

// carries shows that what is written at one end is read at the other.
func carries(t *testing.T, l net.Listener, addr string) {
	t.Helper()
	var n Network = &System{}
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	c, err := n.Dial(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := <-accepted
	defer s.Close()
	c.Write([]byte("x"))
	b := make([]byte, 1)
	if _, err := s.Read(b); err != nil || b[0] != 'x' {
		t.Error(b, err)
	}
}

func TestTCP(t *testing.T) {
	n := &System{}
	l, err := n.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := Address(l.Addr())
	carries(t, l, addr)
	if _, err := n.Listen(addr); !errors.Is(err, ErrTaken) {
		t.Errorf("listening twice: %v", err)
	}
	l.Close()
	if _, err := n.Dial(context.Background(), addr); !errors.Is(err, ErrRefused) {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := n.Dial(ctx, addr); !errors.Is(err, ErrTimeout) {
		t.Errorf("no time: %v", err)
	}
}

func TestUnix(t *testing.T) {
	if runtime.GOOS == "windows" {
		skiptest.Because(t, "modes of Unix sockets mean nothing on Windows")
	}
	n := &System{}
	dir, err := os.MkdirTemp("", "s") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := n.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, err %v", info.Mode(), err)
	}
	carries(t, l, "unix:"+path)
	if _, err := n.Listen("unix:" + path); !errors.Is(err, ErrTaken) {
		t.Errorf("in use: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := n.Dial(context.Background(), "unix:"+path); !errors.Is(err, ErrRefused) {
		t.Errorf("left behind: %v", err)
	}
	if l, err = n.Listen("unix:" + path); err != nil {
		t.Errorf("a socket that a crash left behind is in the way: %v", err)
	} else {
		l.Close()
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if _, err := n.Listen("unix:" + path); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is %q, err %v", b, err)
	}
}

func TestReachable(t *testing.T) {
	got := Reachable([]string{"127.0.0.1:5", "192.0.2.7:5", "unix:/s", "[::1]:5"})
	if want := []string{"192.0.2.7:5", "127.0.0.1:5", "unix:/s", "[::1]:5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	everywhere := Reachable([]string{"0.0.0.0:5"})
	if !slices.Contains(everywhere, "127.0.0.1:5") || everywhere[len(everywhere)-1] != "127.0.0.1:5" {
		t.Errorf("loopback is not the last of %q", everywhere)
	}
	for _, a := range everywhere {
		if Check(a) != nil || strings.Contains(a, "0.0.0.0") || strings.Contains(a, "::") {
			t.Errorf("%q cannot be dialled", a)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("127.0.0.1:7654")
	f.Add("unix:/a b")
	f.Fuzz(func(t *testing.T, addr string) {
		if Check(addr) == nil && (len(addr) > MaxAddress || strings.ContainsAny(addr, "\x00\n\x1b")) {
			t.Errorf("%q can be dialled", addr)
		}
	})
}
