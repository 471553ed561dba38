package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/skiptest"
)

// commands are what the test binary is, too, under other names: the program, so that nothing has to be built to run it as its
// users do, and what some tests need beside it.
var commands = map[string]func(){"opentalk": main, "besieger": besieger}

func TestMain(m *testing.M) { testscript.Main(m, commands) }

// TestConversations plays every conversation in testdata/script with real processes on loopback. Besides the commands of
// testscript these have:
//
//	home NAME             a home with an identity that exists, so that nobody waits for one to be made
//	peer NAME [FLAG…]     start opentalk --json on that home and wait until it listens
//	say NAME LINE…        a line of input
//	expect NAME EVENT [KEY=REGEXP…]
//	                      wait for an event with these keys; what is sent leaves its $id, a round its $tag, an invite
//	                      $invite
//	leave NAME [STATUS]   end its input, and wait for it to end with this exit status, 0 if none is given
//	term NAME [STATUS]    SIGTERM, and wait for it to end with this exit status
//	crash NAME            kill -9
//	stranger NAME HOW     a listener at $NAME that is no opentalk: refuse, close, talk or hang
//	caller ADDRESS KIND…  callers who are no members: http, outsider, leaver; each is hung up on without an answer
//	insider ADDRESS INVITE KIND…
//	                      callers who know the round: ahead has a clock an hour ahead, forger sends what is no block, overlong
//	                      what is no record
//	told NAME REGEXP      wait for a peer to write this to stderr
//	oddmember NAME ADDRESS APART
//	                      a member with a clock that is apart, who says that it cannot reach anybody; the home is not open
//	socks NAME USER PASS  a SOCKS5 proxy at $NAME that knows one host, friend.example, which is this machine
//	seal NAME PASSPHRASE  seal the secrets of a home
//	fill FILE N CHAR      a file of one line of N bytes
//	plugin NAME EXAMPLE…  lay out examples as plugins of a home
//	irc SOCKET >LINE|REGEXP…
//	                      be an IRC client: say a line, wait for one like the pattern, in this order; what it hears is in
//	                      the file "heard"
//	await FILE REGEXP     wait for a file to hold this
//	damage FILE           noise over a page of it, chosen at random
//
// The condition [namespaces] holds where a process can be put into a network of its own, [node] where Node and the libraries of
// the example in JavaScript are, [irssi] and [weechat] where these are.
func TestConversations(t *testing.T) {
	testscript.Run(t, conversations("testdata/script"))
}

func conversations(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Values["cast"] = &cast{peers: map[string]*process{}}
			examples, err := filepath.Abs("examples")
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", examples)
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Defer(func() { env.Values["cast"].(*cast).end() })
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"home": home, "peer": peer, "say": say, "expect": expect, "leave": leave, "crash": crash, "stranger": stranger,
			"fill": fill, "term": term, "socks": socks, "seal": sealHome, "oddmember": oddMember, "damage": damage,
			"plugin": layOut, "await": awaitText, "irc": ircClient, "caller": caller, "insider": insideCaller, "told": told,
		},
	}
}

// cast are the processes of one conversation.
type cast struct {
	peers  map[string]*process
	nextID int

	mu      sync.Mutex
	closers []io.Closer
}

// closeLater has something closed at the end.
func (c *cast) closeLater(l io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, l)
}

func (c *cast) end() {
	for _, p := range c.peers {
		p.kill()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.closers {
		l.Close()
	}
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
	flags := append([]string{"--home", ts.MkAbs(name)}, args[1:]...)
	if !slices.Contains(args, "--listen") {
		listen := loopback()
		if old := c.peers[name]; old != nil {
			listen = old.listen // a restart comes back where it was
		}
		flags = append(flags, "--listen", listen)
	}
	p, err := launch(name, ts.MkAbs("."), flags...)
	ts.Check(err)
	c.peers[name] = p
	if listen, ok := await(ts, p, "ready", nil)["listen"].([]any); ok && len(listen) > 0 {
		p.listen = listen[0].(string)
		ts.Setenv(name+"_address", p.listen)
		if _, port, err := net.SplitHostPort(p.listen); err == nil {
			ts.Setenv(name+"_port", port)
		}
	}
}

// loopback is where to listen for what is to come back to its port: no connection from 127.0.0.1 takes it meanwhile.
func loopback() string {
	if runtime.GOOS == "linux" {
		return "127.0.0.2:0"
	}
	return "127.0.0.1:0"
}

func say(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(theCast(ts).peer(ts, args[0]).say(strings.Join(args[1:], " ")))
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
	ev := await(ts, p, args[1], want)
	for key, kind := range map[string]string{"id": "sent", "tag": "round", "invite": "invite"} {
		if v, ok := ev[key].(string); ok && args[1] == kind {
			ts.Setenv(key, v)
		}
	}
}

// await takes events until one fits. A peer that ends meanwhile, or says nothing of the kind in time, fails the script.
func await(ts *testscript.TestScript, p *process, kind string, want map[string]*regexp.Regexp) (ev map[string]any) {
	ts.Check(p.until(kind+" event like that", func(line string) bool {
		ev = nil
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			ts.Fatalf("%s writes what is no JSON: %s", p.name, line)
		}
		return ev["event"] == kind && fits(ev, want)
	}))
	return ev
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
	ends(ts, p, args[1:])
}

func term(ts *testscript.TestScript, neg bool, args []string) {
	p := theCast(ts).peer(ts, args[0])
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	ends(ts, p, args[1:])
}

// ends waits for a process to end with a status.
func ends(ts *testscript.TestScript, p *process, status []string) {
	want := 0
	if len(status) > 0 {
		var err error
		want, err = strconv.Atoi(status[0])
		ts.Check(err)
	}
	got, err := p.wait()
	ts.Check(err)
	if got != want {
		ts.Fatalf("%s ended with status %d, want %d\n%s", p.name, got, want, p.story())
	}
}

func crash(ts *testscript.TestScript, neg bool, args []string) { theCast(ts).peer(ts, args[0]).kill() }

func sealHome(ts *testscript.TestScript, neg bool, args []string) {
	k, err := identity.OpenKeyring(filepath.Join(ts.MkAbs(args[0]), "secrets"), nil)
	ts.Check(err)
	k.SetPassphrase([]byte(args[1]))
	ts.Check(k.Save())
}

// damage writes noise over a page of a file, one of those that are used.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	raw, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	const page = 4096
	at := rand.IntN(len(bytes.TrimRight(raw, "\x00"))/page) * page
	for i := range page {
		raw[at+i] = byte(rand.Uint32())
	}
	ts.Logf("noise over page %d", at/page)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o600))
}

// fill writes a file of that many bytes of one character.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(bytes.Repeat([]byte(args[2]), n), '\n'), 0o600))
}

// stranger NAME HOW opens a listener at $NAME that is no opentalk: one that closes at once, or says something else, or refuses.
func stranger(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", loopback())
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	how := args[1]
	c := theCast(ts)
	if how == "refuse" {
		ts.Check(l.Close())
		return
	}
	c.closeLater(l)
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
			case "hang":
				c.closeLater(nc)
			case "talk":
				io.WriteString(nc, "SSH-2.0-OpenSSH_9.2\r\n"+strings.Repeat("x", 4096))
				io.Copy(io.Discard, nc)
			}
		}
	}()
}

// layOut puts examples where a person would.
func layOut(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		from, to := filepath.Join(ts.Getenv("EXAMPLES"), name), filepath.Join(ts.MkAbs(args[0]), "plugins", name)
		ts.Check(os.MkdirAll(to, 0o700))
		if _, err := os.Stat(filepath.Join(from, "main.go")); err == nil {
			out, err := exec.Command("go", "build", "-o", filepath.Join(to, name), from).CombinedOutput()
			if err != nil {
				ts.Fatalf("go build: %v\n%s", err, out)
			}
			text, err := os.ReadFile(filepath.Join(from, "plugin.toml"))
			ts.Check(err)
			ts.Check(os.WriteFile(filepath.Join(to, "plugin.toml"), text, 0o600))
			continue
		}
		ts.Check(os.CopyFS(to, os.DirFS(from)))
		proto, err := os.ReadFile(filepath.Join(from, "..", "..", "plugins", "wire", "opentalk.proto"))
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(to, "opentalk.proto"), proto, 0o600))
		ts.Check(os.Chmod(filepath.Join(to, "plugin.js"), 0o700))
	}
}

// awaitText waits for what another process writes.
func awaitText(ts *testscript.TestScript, neg bool, args []string) {
	awaitIn(ts, args[0], args[1], func() string {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		return string(text)
	})
}

// told waits for what a peer writes to stderr.
func told(ts *testscript.TestScript, neg bool, args []string) {
	awaitIn(ts, args[0], args[1], theCast(ts).peer(ts, args[0]).stderr.String)
}

func awaitIn(ts *testscript.TestScript, what, pattern string, text func() string) {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	for end := time.Now().Add(patience); !re.MatchString(text()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s holds %q", what, text())
		}
	}
}

// condition is what a conversation may ask of the machine. Where nothing may be left out, what is missing is an error.
func condition(cond string) (bool, error) {
	var err error
	switch cond {
	case "namespaces":
		return hasNamespaces(), nil
	case "node":
		if _, err = exec.LookPath("node"); err == nil {
			_, err = os.Stat("examples/seen-node/node_modules")
		}
	case "irssi", "weechat":
		_, err = exec.LookPath(cond)
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if err != nil && os.Getenv(skiptest.Variable) != "" {
		return false, err
	}
	return err == nil, nil
}

// ircClient connects until somebody listens, for the plugin may still be starting.
func ircClient(ts *testscript.TestScript, neg bool, args []string) {
	var conn net.Conn
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if conn, err = net.Dial("unix", ts.MkAbs(args[0])); err == nil {
			break
		}
	}
	ts.Check(err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	var heard strings.Builder
	lines := bufio.NewScanner(conn)
	for _, want := range args[1:] {
		if line, say := strings.CutPrefix(want, ">"); say {
			_, err := io.WriteString(conn, line+"\r\n")
			ts.Check(err)
			continue
		}
		re, err := regexp.Compile(want)
		ts.Check(err)
		for found := false; !found; {
			if !lines.Scan() {
				ts.Fatalf("no line like %q in\n%s", want, heard.String())
			}
			heard.WriteString(lines.Text() + "\n")
			found = re.MatchString(lines.Text())
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("heard"), []byte(heard.String()), 0o600))
}
