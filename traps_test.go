package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"opentalk/engine/skiptest"
)

// traps are what a script can do to the process that it runs in. Some end that process, or are ended with it; the others are
// errors, of which it takes three.
var traps = []struct{ name, code string }{
	{"backtrack", `string.find(("a"):rep(40), ("a?"):rep(40) .. ("a"):rep(40))`},
	{"unpack", `unpack({}, 1, 1e8)`},
	{"string", `local s = ("x"):rep(512 * 1024 * 1024)`},
	{"coroutines", `local t = {} for i = 1, 1e5 do t[i] = coroutine.create(function() coroutine.yield() end) coroutine.resume(t[i]) end`},
	{"deep", `local function f(n) return n == 0 and 0 or 1 + f(n - 1) end f(200000)`},
	{"loop", `while true do end`},
	{"yield", `local f = coroutine.wrap(function() local _, b = coroutine.yield() return tostring(b) end) f() f()`},
	{"catch", `while true do pcall(function() while true do end end) end`},
}

const (
	pingScript = `ot.register { needs = { "send" } }
ot.on("message", function(m) if m.live and m.text:find("^!ping") then ot.reply((m.text:gsub("!ping", "pong"))) end end)
`
	filterScript = `ot.register {}
ot.filter("incoming", function(m)
  if m.text == "spring %[2]s" then
    %[1]s
  end
end)
`
	// trapTime is within how long an offender is off, and the others answer; on a machine that is too busy for that, the time of
	// trapLines lines that pass in peace.
	trapTime  = 3 * time.Second
	trapLines = 500
)

// TestTraps: whatever a script does, when it is loaded or in a filter, it is named with its file and the line where the
// handler is defined, and turned off; the other scripts answer, and the chat is as fast and as small as before.
func TestTraps(t *testing.T) {
	t.Run("loaded", func(t *testing.T) {
		w := newTrapped(t, "ot.register {}\n%[1]s -- %[2]s\n")
		w.all(w.bob, w.alice, func(name string) (line string, spring func()) {
			w.alice.say("/script load " + name)
			return `"event":"(?:error|notice)".*` + name + `\.lua`, func() {} // a notice, if another has ended the process before it answered
		})
	})
	t.Run("called", func(t *testing.T) {
		w := newTrapped(t, filterScript)
		for _, trap := range traps {
			w.alice.say("/script load " + trap.name)
			first(t, w.alice, `"event":"reply".*"lines":\["(`+trap.name+`): loaded`)
		}
		w.all(w.alice, w.bob, func(name string) (line string, spring func()) {
			return `"event":"error".*(` + name + `\.lua:2).*"code":"extension-off"`, func() { w.bob.say("spring " + name) }
		})
	})
}

// trapped are two who talk, one of whom has scripts.
type trapped struct {
	t          *testing.T
	alice, bob *process
	pings      int
}

func newTrapped(t *testing.T, script string) *trapped {
	dir := t.TempDir()
	files := map[string]string{"autoload/ping": pingScript}
	for _, trap := range traps {
		files[trap.name] = fmt.Sprintf(script, trap.code, trap.name)
	}
	for name, text := range files {
		path := filepath.Join(dir, "alice", "scripts", name+".lua")
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(filepath.Join(dir, "alice", "logs", "scripts.log")); t.Failed() && err == nil {
			t.Logf("scripts.log:\n%s", text[max(0, len(text)-8<<10):])
		}
	})
	w := &trapped{t: t}
	w.alice, w.bob = pair(t, dir)
	w.until(w.bob, `"text":"(pong )`, w.ping)
	return w
}

// all plays every trap. What goes from one to the other is measured meanwhile: what the filter sees is late by its budget, as
// it has to be, and so is a line behind one that takes its time.
func (w *trapped) all(from, to *process, play func(name string) (line string, spring func())) {
	before, memory := w.probes(from, to, "before", 140), rss(w.alice)
	slices.Sort(before)
	usual := before[len(before)*99/100]
	var during []time.Duration
	for _, trap := range traps {
		began, said := time.Now(), len(w.alice.seen)
		line, spring := play(trap.name)
		spring()
		during = append(during, w.probes(from, to, trap.name, 20)...)
		if named := regexp.MustCompile(line); !slices.ContainsFunc(w.alice.seen[said:], named.MatchString) {
			w.until(w.alice, line, spring)
		}
		w.until(w.bob, `"text":"(pong )`, w.ping)
		took := time.Since(began)
		if w.t.Logf("%s: %v", trap.name, took); took > max(trapTime, trapLines*usual) {
			w.t.Errorf("%s took %v", trap.name, took)
		}
	}
	slices.Sort(during)
	worst := during[len(during)*99/100]
	w.t.Logf("send to shown, p99: %v before, %v during; memory %d MB, %d MB", usual, worst, memory>>20, rss(w.alice)>>20)
	if worst > 4*usual+250*time.Millisecond {
		w.t.Errorf("send to shown takes %v, %v before", worst, usual)
	}
	if memory == 0 {
		skiptest.Because(w.t, untold)
	}
	if now := rss(w.alice); now > memory+memory/2+16<<20 {
		w.t.Errorf("the chat takes %d MB, %d MB before", now>>20, memory>>20)
	}
}

// probes says something n times, one after the other, and returns how long each takes until it is shown.
func (w *trapped) probes(from, to *process, what string, n int) (took []time.Duration) {
	for i := range n {
		text := fmt.Sprintf("%s %d", what, i)
		began := time.Now()
		from.say(text)
		if err := to.until(text, func(line string) bool {
			return strings.Contains(line, `"event":"message"`) && strings.Contains(line, `"text":"`+text+`"`)
		}); err != nil {
			w.t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

func (w *trapped) ping() {
	w.pings++
	w.bob.say(fmt.Sprintf("!ping %d", w.pings))
}

// until waits for the next line of p that is like this, and does something again and again until it comes.
func (w *trapped) until(p *process, pattern string, do func()) {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	late, again := time.After(patience), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	do()
	for {
		select {
		case line, ok := <-p.lines:
			p.seen = append(p.seen, line)
			if re.MatchString(line) {
				return
			}
			if !ok {
				w.t.Fatalf("%s has ended\n%s", p.name, p.story())
			}
		case <-again.C:
			do()
		case <-late:
			w.t.Fatalf("%s: no %s\n%s", p.name, pattern, p.story())
		}
	}
}
