package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/identity/identitytest"
)

// needles are the ways in which a secret could show: raw, hex, and base32 and base64 at every alignment within what it
// might be a part of.
func needles(secret []byte) map[string][]byte {
	all := map[string][]byte{"raw": secret, "hex": []byte(hex.EncodeToString(secret))}
	for skip := range 5 {
		// The first and last characters depend on what is around.
		part := secret[skip : skip+(len(secret)-skip)/5*5]
		all[fmt.Sprint("base32/", skip)] = []byte(strings.ToLower(base32.StdEncoding.EncodeToString(part)))
	}
	for skip := range 3 {
		part := secret[skip : skip+(len(secret)-skip)/3*3]
		all[fmt.Sprint("base64/", skip)] = []byte(base64.StdEncoding.EncodeToString(part))
		all[fmt.Sprint("base64url/", skip)] = []byte(base64.URLEncoding.EncodeToString(part))
	}
	return all
}

// finds returns how a secret shows in a text, empty if it does not.
func finds(secret, text []byte) string {
	lower := bytes.ToLower(text)
	for how, needle := range needles(secret) {
		in := text
		if how == "hex" || strings.HasPrefix(how, "base32") {
			in = lower
		}
		if bytes.Contains(in, needle) {
			return how
		}
	}
	return ""
}

// TestSearchFindsWhatIsPlanted: the search of TestT25 would find a round id if it were there.
func TestSearchFindsWhatIsPlanted(t *testing.T) {
	secret := bytes.Repeat([]byte{0xa7, 0x03, 0x5c, 0xee}, 8)
	for before := range 5 {
		around := func(b []byte) []byte { return append(append(bytes.Repeat([]byte{9}, before), b...), 1, 2, 3) }
		for how, text := range map[string]string{
			"raw":        string(around(secret)),
			"hex":        hex.EncodeToString(around(secret)),
			"HEX":        strings.ToUpper(hex.EncodeToString(around(secret))),
			"base32":     base32.StdEncoding.EncodeToString(around(secret)),
			"base64":     base64.StdEncoding.EncodeToString(around(secret)),
			"raw base64": base64.RawURLEncoding.EncodeToString(around(secret)),
		} {
			if finds(secret, []byte("log: "+text+"\n")) == "" {
				t.Errorf("planted as %s behind %d bytes, and not found", how, before)
			}
		}
	}
	if how := finds(secret, bytes.Repeat([]byte("nothing here "), 1000)); how != "" {
		t.Errorf("found as %s where it is not", how)
	}
}

// recorder is a relay that keeps every byte of both directions.
type recorder struct {
	net.Listener
	mu  sync.Mutex
	log bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(b)
}

func record(t *testing.T, to string) *recorder {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &recorder{Listener: l}
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
				go func() {
					io.Copy(way[0], io.TeeReader(way[1], r))
					way[0].Close()
				}()
			}
		}
	}()
	return r
}

// TestT25NoTraceOfTheRoundID: two real processes begin a round, invite, join, talk, part and come back, with everything
// logged. The round id is then in the secrets files and in what /invite printed, and nowhere else.
func TestT25NoTraceOfTheRoundID(t *testing.T) {
	dir := t.TempDir()
	alice := spawn(t, dir, "alice", 0)
	alice.say("/new friends")
	alice.say("/invite")
	token := alice.until(`"event":"invite".*"invite":"(opentalk:[a-z2-7]+)"`)
	inv, err := engine.ParseInvite(token)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(inv.RoundID())
	if err != nil {
		t.Fatal(err)
	}
	wire := record(t, alice.listen)

	bob := spawn(t, dir, "bob", 1)
	bob.say("/join " + wire.Addr().String() + " " + inv.RoundID())
	bob.until(`"event":"round".*"(friends)"`)
	bob.say("/join " + wire.Addr().String() + " " + inv.RoundID()) // an error that must not quote it
	bob.until(`"event":"error".*"code":"(already-joined)"`)
	bob.say("/join " + token + "x")
	bob.until(`"event":"error".*"code":"(bad-invite)"`)
	bob.say("/frobnicate " + token)
	bob.until(`"event":"error".*"code":"(unknown-command)"`)
	bob.say("hello")
	alice.until(`"event":"message".*"text":"(hello)"`)
	for _, line := range []string{"/status", "/peers", "/members", "/history", "/pending", "/help"} {
		alice.say(line)
		alice.until(`"event":"reply".*"command":"(` + line + `)"`)
	}

	look := func(what string, text []byte) {
		t.Helper()
		if how := finds(secret, text); how != "" {
			t.Errorf("the round id is in %s as %s", what, how)
		}
	}
	for _, p := range []*spawned{alice, bob} {
		for _, file := range []string{"cmdline", "environ"} {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)); err == nil {
				look(p.name+"'s "+file, text)
			}
		}
	}
	bob.end()
	alice.end()
	look("the packets", wire.log.Bytes())
	for _, p := range []*spawned{alice, bob} {
		look(p.name+"'s stderr", p.stderr.Bytes())
		for _, line := range p.lines {
			if !strings.Contains(line, `"event":"invite"`) {
				look(p.name+"'s output", []byte(line))
			}
		}
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if files++; d.Name() == "secrets" {
			if finds(secret, text) == "" {
				t.Errorf("%s does not hold the round id", path)
			}
		} else {
			look(path, text)
		}
		return err
	})
	if err != nil || files < 8 {
		t.Errorf("searched %d files, err %v", files, err)
	}
}

// spawned is a process of TestT25.
type spawned struct {
	t      *testing.T
	name   string
	listen string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    chan string
	lines  []string
	stderr bytes.Buffer
}

func spawn(t *testing.T, dir, name string, n int) *spawned {
	home := filepath.Join(dir, name)
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	identitytest.Keyring(t, home, n)
	path, err := exec.LookPath("opentalk")
	if err != nil {
		t.Fatal(err)
	}
	p := &spawned{t: t, name: name, out: make(chan string, 4096)}
	p.cmd = exec.Command(path, "--home", home, "--handle", name, "--json", "--listen", "127.0.0.1:0", "--wait", "0",
		"--log", filepath.Join(home, "debug.log"), "--log-level", "debug")
	p.cmd.Stderr = &p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	go func() {
		defer close(p.out)
		all, buf := []byte{}, make([]byte, 1<<16)
		for {
			n, err := stdout.Read(buf)
			all = append(all, buf[:n]...)
			for {
				line, rest, ok := bytes.Cut(all, []byte("\n"))
				if !ok {
					break
				}
				p.out <- string(line)
				all = rest
			}
			if err != nil {
				return
			}
		}
	}()
	p.listen = p.until(`"event":"ready".*"listen":\["([^"]+)"`)
	return p
}

func (p *spawned) say(line string) {
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a line of output that fits and returns its first group.
func (p *spawned) until(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.After(patience); ; {
		select {
		case line, ok := <-p.out:
			if !ok {
				p.t.Fatalf("%s ended; no %s", p.name, pattern)
			}
			p.lines = append(p.lines, line)
			if m := re.FindStringSubmatch(line); m != nil {
				return m[1]
			}
		case <-late:
			p.t.Fatalf("%s: no %s in\n%s", p.name, pattern, strings.Join(p.lines, "\n"))
		}
	}
}

func (p *spawned) end() {
	p.stdin.Close()
	for line := range p.out {
		p.lines = append(p.lines, line)
	}
	p.cmd.Wait()
}
