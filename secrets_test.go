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
	"strconv"
	"strings"
	"sync"
	"testing"

	"opentalk/engine"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/skiptest"
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
	extend(t, filepath.Join(dir, "alice"))
	alice := spawn(t, dir, "alice", 0)
	alice.say("/plugin enable notes")
	first(t, alice, `"event":"reply".*(notes runs)`)
	alice.say("/note add tea")
	first(t, alice, `"event":"reply".*(noted as 1)`)
	alice.say("/new friends")
	alice.say("/invite")
	token := first(t, alice, `"event":"invite".*"invite":"(opentalk:[a-z2-7]+)"`)
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
	first(t, bob, `"event":"round".*"(friends)"`)
	bob.say("/join " + wire.Addr().String() + " " + inv.RoundID()) // an error that must not quote it
	first(t, bob, `"event":"error".*"code":"(already-joined)"`)
	bob.say("/join " + token + "x")
	first(t, bob, `"event":"error".*"code":"(bad-invite)"`)
	bob.say("/frobnicate " + token)
	first(t, bob, `"event":"error".*"code":"(unknown-command)"`)
	bob.say("hello")
	first(t, alice, `"event":"message".*"text":"(hello)"`)
	for _, line := range []string{"/status", "/peers", "/members", "/history", "/pending", "/help"} {
		alice.say(line)
		first(t, alice, `"event":"reply".*"command":"(`+line+`)"`)
	}

	look := func(what string, text []byte) {
		t.Helper()
		if how := finds(secret, text); how != "" {
			t.Errorf("the round id is in %s as %s", what, how)
		}
	}
	pids := children(alice.cmd.Process.Pid)
	tells := len(pids) > 0
	if tells && len(pids) != 2 {
		t.Errorf("alice has %d processes for a plugin and the scripts", len(pids))
	}
	for _, pid := range append(pids, alice.cmd.Process.Pid, bob.cmd.Process.Pid) {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			look(fmt.Sprintf("the %s of %d", file, pid), text)
			tells = tells && err == nil
		}
	}
	for _, p := range []*process{bob, alice} {
		p.stdin.Close()
		if _, err := p.wait(); err != nil {
			t.Fatal(err)
		}
	}
	look("the packets", wire.log.Bytes())
	for _, p := range []*process{alice, bob} {
		look(p.name+"'s stderr", []byte(p.stderr.String()))
		for _, line := range p.seen {
			if !strings.Contains(line, `"event":"invite"`) {
				look(p.name+"'s output", []byte(line))
			}
		}
	}
	files, seen := 0, map[string]bool{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		seen[d.Name()] = true
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
	for _, name := range []string{"extensions.db", "plugins.lock", "chatty.log"} {
		if !seen[name] {
			t.Errorf("there is no %s to search", name)
		}
	}
	if !tells {
		skiptest.Because(t, untold)
	}
}

// extend gives a home a plugin, and a script that writes down all that it is told.
func extend(t *testing.T, home string) {
	addPlugin(t, home, "notes")
	auto := filepath.Join(home, "scripts", "autoload")
	err := os.MkdirAll(auto, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(auto, "chatty.lua"), []byte(chatty), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// addPlugin builds an example in Go into a home.
func addPlugin(t testing.TB, home, name string) {
	plugin := filepath.Join(home, "plugins", name)
	if err := os.MkdirAll(plugin, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(plugin, name), "./examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	manifest, err := os.ReadFile("examples/" + name + "/plugin.toml")
	if err == nil {
		err = os.WriteFile(filepath.Join(plugin, "plugin.toml"), manifest, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const chatty = `ot.register { needs = { "storage", "history" } }
local function write(e)
  local all = ot.json.encode(e)
  for _, r in ipairs(ot.rounds()) do all = all .. ot.json.encode({ r, ot.members(r.tag), ot.peers(r.tag), ot.history(r.tag) }) end
  ot.log.info(all)
  ot.store.set("last", all:sub(1, 9999))
end
for _, kind in ipairs { "message", "sent", "peer", "member", "round" } do ot.on(kind, write) end
ot.filter("input", function(l) ot.log.info(l.text) end)
`

// children are the processes that one has started, where the system tells.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// spawn starts a process that logs everything, on a home with an identity that exists.
func spawn(t testing.TB, dir, name string, n int) *process {
	home := filepath.Join(dir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	identitytest.Keyring(t, home, n)
	p, err := launch(name, dir, "--home", home, "--handle", name, "--listen", "127.0.0.1:0",
		"--log", filepath.Join(home, "debug.log"), "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.listen = first(t, p, `"event":"ready".*"listen":\["([^"]+)"`)
	return p
}

// first waits for a line of output that fits and returns its first group.
func first(t testing.TB, p *process, pattern string) (group string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	err := p.until(pattern, func(line string) bool {
		m := re.FindStringSubmatch(line)
		if m != nil {
			group = m[1]
		}
		return m != nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return group
}
