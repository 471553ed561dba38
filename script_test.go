package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

// TestMain makes the test binary the program, too, so that nothing has to be built to run it as its users do.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"opentalk": main})
}

// TestConversations plays every conversation in testdata/script with real processes on loopback. Besides the commands of
// testscript these have:
//
//	home NAME             a home with an identity that exists, so that nobody waits for one to be made
//	peer NAME [FLAG…]     start opentalk --json on that home and wait until it listens
//	say NAME LINE…        a line of input
//	expect NAME EVENT [KEY=REGEXP…]
//	                      wait for an event with these keys; an invite is kept in $invite, an address in $NAME_address
//	leave NAME [STATUS]   end its input, and wait for it to end with this exit status, 0 if none is given
//	term NAME [STATUS]    SIGTERM, and wait for it to end with this exit status
//	crash NAME            kill -9
//	stranger NAME HOW     a listener at $NAME that is no opentalk: refuse, close, talk or silent
//	socks NAME USER PASS  a SOCKS5 proxy at $NAME that knows one host, friend.example, which is this machine
//	seal NAME PASSPHRASE  seal the secrets of a home
//	fill FILE N CHAR      a file of one line of N bytes
func TestConversations(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Values["cast"] = &cast{peers: map[string]*process{}}
			env.Defer(func() { env.Values["cast"].(*cast).end() })
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"home": home, "peer": peer, "say": say, "expect": expect, "leave": leave, "crash": crash, "stranger": stranger,
			"fill": fill, "term": term, "socks": socks, "seal": sealHome,
		},
	})
}

// patience bounds every wait of a conversation.
const patience = 20 * time.Second

// cast are the processes of one conversation.
type cast struct {
	peers   map[string]*process
	nextID  int
	closers []io.Closer
}

func (c *cast) end() {
	for _, p := range c.peers {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	for _, l := range c.closers {
		l.Close()
	}
}

// process is one running opentalk.
type process struct {
	name   string
	listen string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan map[string]any
	stderr bytes.Buffer
	seen   []string
	ended  chan struct{}
}

func theCast(ts *testscript.TestScript) *cast { return ts.Value("cast").(*cast) }

func (c *cast) peer(ts *testscript.TestScript, name string) *process {
	p := c.peers[name]
	if p == nil {
		ts.Fatalf("there is no peer %s", name)
	}
	return p
}

func home(ts *testscript.TestScript, neg bool, args []string) {
	c := theCast(ts)
	for _, name := range args {
		dir := ts.MkAbs(name)
		ts.Check(os.MkdirAll(dir, 0o700))
		k := identitytest.Keyring(keyringT{ts: ts}, dir, c.nextID)
		ts.Check(os.WriteFile(filepath.Join(dir, "handle"), []byte(name), 0o600))
		ts.Setenv(name+"_fingerprint", k.Identity.Fingerprint().String())
		c.nextID++
	}
}

// keyringT lets identitytest fail a script.
type keyringT struct {
	testing.TB
	ts *testscript.TestScript
}

func (k keyringT) Helper()                           {}
func (k keyringT) Fatal(args ...any)                 { k.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (k keyringT) Fatalf(format string, args ...any) { k.ts.Fatalf(format, args...) }

func peer(ts *testscript.TestScript, neg bool, args []string) {
	c, name := theCast(ts), args[0]
	p := &process{name: name, listen: "127.0.0.1:0", events: make(chan map[string]any, 4096), ended: make(chan struct{})}
	if old := c.peers[name]; old != nil {
		p.listen = old.listen // a restart comes back where it was
	}
	flags := []string{"--home", ts.MkAbs(name), "--json", "--wait", "0"}
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		flags = append(flags, "--listen", p.listen)
	}
	p.cmd = exec.Command("opentalk", append(flags, args[1:]...)...)
	path, err := exec.LookPath("opentalk")
	ts.Check(err)
	p.cmd.Path, p.cmd.Dir, p.cmd.Stderr = path, ts.MkAbs("."), &p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	ts.Check(err)
	stdout, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	c.peers[name] = p
	go p.read(stdout)
	ready := p.wait(ts, "ready", nil)
	for i, a := range ready["listen"].([]any) {
		if i == 0 {
			p.listen = a.(string)
			ts.Setenv(name+"_address", p.listen)
			if _, port, err := net.SplitHostPort(p.listen); err == nil {
				ts.Setenv(name+"_port", port)
			}
		}
	}
}

func (p *process) read(stdout io.Reader) {
	defer close(p.ended)
	defer close(p.events)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var ev map[string]any
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			ev = map[string]any{"event": "not JSON: " + lines.Text()}
		}
		p.events <- ev
	}
}

func say(ts *testscript.TestScript, neg bool, args []string) {
	_, err := fmt.Fprintln(theCast(ts).peer(ts, args[0]).stdin, strings.Join(args[1:], " "))
	ts.Check(err)
}

func expect(ts *testscript.TestScript, neg bool, args []string) {
	p := theCast(ts).peer(ts, args[0])
	want := map[string]*regexp.Regexp{}
	for _, pair := range args[2:] {
		key, pattern, ok := strings.Cut(pair, "=")
		if !ok {
			ts.Fatalf("%q is not KEY=REGEXP", pair)
		}
		re, err := regexp.Compile("^(?s:" + pattern + ")$")
		ts.Check(err)
		want[key] = re
	}
	ev := p.wait(ts, args[1], want)
	if inv, ok := ev["invite"].(string); ok {
		ts.Setenv("invite", inv)
	}
	for _, key := range []string{"id", "tag"} {
		if v, ok := ev[key].(string); ok {
			ts.Setenv(key, v)
		}
	}
}

// wait takes events until one fits. A peer that ends meanwhile, or says nothing of the kind in time, fails the script.
func (p *process) wait(ts *testscript.TestScript, kind string, want map[string]*regexp.Regexp) map[string]any {
	for late := time.After(patience); ; {
		select {
		case ev, ok := <-p.events:
			if !ok {
				ts.Fatalf("%s ended before a %s event\n%s\n%s", p.name, kind, strings.Join(p.seen, "\n"), p.stderr.String())
			}
			line, _ := json.Marshal(ev)
			p.seen = append(p.seen, string(line))
			if ev["event"] == kind && fits(ev, want) {
				ts.Logf("%s: %s", p.name, line)
				return ev
			}
		case <-late:
			ts.Fatalf("%s has no %s event like that:\n%s\n%s", p.name, kind, strings.Join(p.seen, "\n"), p.stderr.String())
		}
	}
}

func fits(ev map[string]any, want map[string]*regexp.Regexp) bool {
	for key, re := range want {
		v, ok := ev[key]
		if !ok || !re.MatchString(text(v)) {
			return false
		}
	}
	return true
}

// text is a value as a script writes it: a list is its parts on a line each.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = text(v[i])
		}
		return strings.Join(parts, "\n")
	}
	return fmt.Sprint(v)
}

func leave(ts *testscript.TestScript, neg bool, args []string) {
	p := theCast(ts).peer(ts, args[0])
	p.stdin.Close()
	p.ends(ts, args[1:])
}

func term(ts *testscript.TestScript, neg bool, args []string) {
	p := theCast(ts).peer(ts, args[0])
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	p.ends(ts, args[1:])
}

// ends waits for a process to end with a status.
func (p *process) ends(ts *testscript.TestScript, status []string) {
	want := 0
	if len(status) > 0 {
		var err error
		want, err = strconv.Atoi(status[0])
		ts.Check(err)
	}
	go func() {
		for range p.events {
		}
	}()
	select {
	case <-p.ended:
	case <-time.After(patience):
		ts.Fatalf("%s does not end", p.name)
	}
	p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s ended with status %d, want %d\n%s\n%s", p.name, got, want, strings.Join(p.seen, "\n"), p.stderr.String())
	}
}

func crash(ts *testscript.TestScript, neg bool, args []string) {
	p := theCast(ts).peer(ts, args[0])
	ts.Check(p.cmd.Process.Kill())
	go func() {
		for range p.events {
		}
	}()
	p.cmd.Wait()
}

func sealHome(ts *testscript.TestScript, neg bool, args []string) {
	k, err := identity.OpenKeyring(filepath.Join(ts.MkAbs(args[0]), "secrets"), nil)
	ts.Check(err)
	k.SetPassphrase([]byte(args[1]))
	ts.Check(k.Save())
}

// fill writes a file of that many bytes of one character.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(bytes.Repeat([]byte(args[2]), n), '\n'), 0o600))
}

// stranger NAME HOW opens a listener at $NAME that is no opentalk: one that closes at once, is silent, or says something.
func stranger(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	how := args[1]
	c := theCast(ts)
	if how == "refuse" {
		ts.Check(l.Close())
		return
	}
	c.closers = append(c.closers, l)
	var once sync.Once
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			switch how {
			case "close":
				io.CopyN(io.Discard, nc, 1)
				nc.Close()
			case "talk":
				io.WriteString(nc, "SSH-2.0-OpenSSH_9.2\r\n"+strings.Repeat("x", 4096))
				io.Copy(io.Discard, nc)
			case "silent":
				once.Do(func() {})
			}
		}
	}()
}
