//go:build unix

package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"opentalk/engine/leaktest"
	"opentalk/engine/skiptest"
)

// dialVariable makes the test binary dial what it says and tell how that went.
const dialVariable = "SOCKET_TEST_DIAL"

func TestMain(m *testing.M) {
	addr := os.Getenv(dialVariable)
	if addr == "" {
		leaktest.Main(m)
	}
	c, err := (&System{}).Dial(context.Background(), addr)
	switch {
	case err == nil:
		c.Close()
		fmt.Print("linked")
	case errors.Is(err, fs.ErrPermission):
		fmt.Print("forbidden")
	default:
		fmt.Print(err)
	}
}

// TestT26OtherUsersAreRefused: a Unix socket that links come to is its owner's alone: a process of another user cannot dial
// it, though it may enter the folder. Were it for the mode alone, it could: so it does once the mode is another.
func TestT26OtherUsersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		skiptest.Because(t, "only root can start a process of another user")
	}
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, path := filepath.Join(dir, "dial"), filepath.Join(dir, "s")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, text, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	mask := syscall.Umask(0) // which would leave it open to all
	l, err := (&System{}).Listen("unix:" + path)
	syscall.Umask(mask)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func(uid uint32) string {
		c := exec.Command(program)
		c.Env, c.Dir = []string{dialVariable + "=unix:" + path}, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		return string(out)
	}
	const somebody = 65534
	if got := dial(somebody); got != "forbidden" {
		t.Errorf("another user: %s", got)
	}
	if got := dial(0); got != "linked" {
		t.Errorf("its owner: %s", got)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := dial(somebody); got != "linked" {
		t.Errorf("another user, of a socket that is open to all: %s", got)
	}
}
