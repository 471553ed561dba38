package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"opentalk/engine/skiptest"
)

// reloadPace keeps the four calls of the chat that each reload makes under the five hundred that it allows in a second.
const reloadPace = 9 * time.Millisecond

// reloaded has of everything that a script holds: a coroutine that never ends, handlers, a timer.
const reloaded = `ot.register {}
local keep = {}
for i = 1, 1000 do keep[i] = ("x"):rep(100) .. i end
local co = coroutine.wrap(function() while true do coroutine.yield(keep) end end)
co()
ot.on("message", function(m) co() end)
ot.filter("incoming", function(m) if ot.re.match("spring", m.text) then return false end end)
ot.command { name = "nothing", run = function() return #keep end }
ot.timer(3600, function() co() end, { every = true })
ot.on_unload(function() co() end)
`

// TestReloadsOfTheChild: a thousand reloads take neither memory nor descriptors nor threads, of the process that runs the
// scripts nor of the chat. The hundred before make what is made once, such as the heap that the collector allows.
func TestReloadsOfTheChild(t *testing.T) {
	dir := t.TempDir()
	auto := filepath.Join(dir, "alice", "scripts", "autoload")
	os.MkdirAll(auto, 0o700)
	if err := os.WriteFile(filepath.Join(auto, "it.lua"), []byte(reloaded), 0o600); err != nil {
		t.Fatal(err)
	}
	alice := spawn(t, dir, "alice", 0)
	kids := children(alice.cmd.Process.Pid)
	if len(kids) != 1 {
		skiptest.Because(t, untold)
	}
	pace := time.NewTicker(reloadPace)
	defer pace.Stop()
	reload := func(n int) {
		for range n {
			<-pace.C
			alice.say("/script reload it")
			first(t, alice, `"event":"(?:reply|error)".*(it: loaded)`)
		}
	}
	reload(100)
	before := [2]holding{held(kids[0]), held(alice.cmd.Process.Pid)}
	reload(1000)
	after := [2]holding{held(kids[0]), held(alice.cmd.Process.Pid)}
	t.Logf("the scripts' process: %v before, %v after; the chat: %v, %v", before[0], after[0], before[1], after[1])
	for i, who := range []string{"the scripts' process", "the chat"} {
		b, a := before[i], after[i]
		if a.memory > b.memory+growth || a.files > b.files+2 || a.threads > b.threads+4 {
			t.Errorf("%s: %v before, %v after", who, b, a)
		}
	}
	if now := children(alice.cmd.Process.Pid); len(now) != 1 || now[0] != kids[0] {
		t.Errorf("process %d runs the scripts before, %v after", kids[0], now)
	}
}

// holding is what a process has of the system's.
type holding struct{ memory, files, threads int }

func (h holding) String() string {
	return fmt.Sprintf("%d MB, %d descriptors, %d threads", h.memory>>20, h.files, h.threads)
}

func held(pid int) holding {
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return holding{rssOf(pid), len(files), len(threads)}
}
