package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"opentalk/engine/skiptest"
)

func init() {
	children["hold"] = func(path string) {
		if _, err := Open(path); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("open")
		io.ReadAll(os.Stdin)
	}
}

// child starts this binary again.
func child(t *testing.T, name, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	cmd, out := child(t, "hold", path)
	if !out.Scan() || out.Text() != "open" {
		t.Fatal(out.Text())
	}
	_, err := Open(path)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != cmd.Process.Pid || !strings.Contains(err.Error(), fmt.Sprint(inUse.PID)) {
		t.Errorf("%v, and the holder is %d", err, cmd.Process.Pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	s := open(t, path) // and the file that says who had it does not matter
	if _, err := Open(path); !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Error(err)
	}
	s.Close()
	if _, err := os.Lstat(path + ".pid"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		skiptest.Because(t, "no permission bits")
	}
	path := filepath.Join(t.TempDir(), "store")
	for range 2 {
		s := fill(t, path, 0)
		for _, name := range []string{path, path + ".pid"} {
			info, err := os.Lstat(name)
			if err != nil || info.Mode() != 0o600 {
				t.Error(name, info.Mode(), err)
			}
		}
		s.Close()
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(path); err != nil {
			t.Error(err)
		} else if info, _ := os.Lstat(path); info.Mode() != 0o600 {
			t.Error(info.Mode())
		} else {
			s.Close()
		}
		os.Remove(path)
	}
}

func TestNotPlain(t *testing.T) {
	folder := t.TempDir()
	real := filepath.Join(folder, "real")
	fill(t, real, 1).Close()
	link, dangling, dir := filepath.Join(folder, "link"), filepath.Join(folder, "dangling"), filepath.Join(folder, "dir")
	if err := errors.Join(os.Symlink(real, link), os.Symlink(filepath.Join(folder, "nothing"), dangling), os.Mkdir(dir, 0o700)); err != nil {
		skiptest.Because(t, "%v", err)
	}
	for _, path := range []string{link, dangling, dir, filepath.Join(folder, "missing", "store"), filepath.Join(real, "store")} {
		_, err := Open(path)
		var pe *fs.PathError
		if !errors.As(err, &pe) || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(folder, "nothing")); err == nil {
		t.Error("created through a link")
	}
	// A link in the place of the file that says who has it is replaced, not followed.
	victim := filepath.Join(folder, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, real+".pid")); err != nil {
		t.Fatal(err)
	}
	open(t, real)
	if b, _ := os.ReadFile(victim); string(b) != "precious" {
		t.Errorf("%q", b)
	}
}

// TestForeign opens what is no store, or not ours.
func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for name, content := range map[string]string{
		"text": "hello\n", "zeros": string(make([]byte, 1<<15)), "long text": strings.Repeat("all work and no play\n", 5000),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != content {
			t.Errorf("%s was changed", name)
		}
		os.Remove(path)
	}
	about := place{bucket: aboutBucket, key: []byte(formatKey)}
	for want, name := range map[error]string{ErrNewer: aboutBucket, ErrDamaged: "something"} {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(btx *bbolt.Tx) error {
			b, err := btx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			return b.Put(about.key, about.seal([]byte{format + 1}))
		})
		db.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, want) {
			t.Errorf("bucket %q: %v, not %v", name, err, want)
		}
		os.Remove(path)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path) // an empty file is a new one
}
