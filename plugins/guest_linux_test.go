package plugins

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"opentalk/engine/skiptest"
)

// surviveParent takes back that the system ends this process with its parent.
func surviveParent() { unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) }

func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// session says whose session this process is in.
func session() string {
	if sid, err := unix.Getsid(0); err != nil || sid != os.Getpid() {
		return "the session of somebody else"
	}
	return "a session of its own"
}

// TestOtherUser: another user can neither reach the socket of a plugin nor pass for one.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		skiptest.Because(t, "only root can be somebody else")
	}
	w := wrong(t, "good")
	sockets, err := filepath.Glob(filepath.Join(w.host.left.Sockets, "*", "*"))
	if err != nil || len(sockets) == 0 {
		t.Fatalf("no socket: %v", err)
	}
	dir, err := os.MkdirTemp("", "ot") // that others can enter, as a test's own cannot be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o777), os.WriteFile(filepath.Join(dir, "other"), self, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "other"), sockets[0], filepath.Join(dir, "s"))
	cmd.Env = []string{otherEnv + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "permission denied") {
		t.Errorf("reaching a plugin as somebody else: %q, %v", line, err)
	}
	conn, err := dial(t.Context(), &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "s")})
	if err == nil || !strings.Contains(err.Error(), "served by user 65534") {
		t.Errorf("a plugin of somebody else: %v, %v", conn, err)
	}
	in.Close()
	cmd.Wait()
}
