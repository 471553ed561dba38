package scripts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"pgregory.net/rapid"

	"opentalk/engine/leaktest"
	"opentalk/plugins/hook"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(bombEnv); text != "" {
		explode(text)
		return
	}
	tryPatience = 10 * patience
	leaktest.Main(m)
}

// start loads a script that has no mistake in it.
func start(t *testing.T, text string) *trial {
	t.Helper()
	tr, err := newTrial(write(t, "it", text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

// TestSandbox lists everything that a script can reach. Whatever is added to it, by a new version of the library too, has to
// be looked at.
func TestSandbox(t *testing.T) {
	l := newState()
	defer l.Close()
	var got []string
	l.G.Global.ForEach(func(k, v lua.LValue) {
		if lib, ok := v.(*lua.LTable); ok && k.String() != "_G" {
			lib.ForEach(func(name, _ lua.LValue) { got = append(got, k.String()+"."+name.String()) })
			return
		}
		got = append(got, k.String())
	})
	want := strings.Fields(`_G _GOPHER_LUA_VERSION _VERSION assert error getmetatable ipairs next pairs pcall rawequal rawget rawset
		select setmetatable tonumber tostring type unpack xpcall
		coroutine.create coroutine.resume coroutine.running coroutine.status coroutine.wrap coroutine.yield
		math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh math.deg math.exp math.floor math.fmod
		math.frexp math.huge math.ldexp math.log math.log10 math.max math.min math.mod math.modf math.pi math.pow math.rad
		math.random math.randomseed math.sin math.sinh math.sqrt math.tan math.tanh
		string.__index string.byte string.char string.dump string.find string.format string.gfind string.gmatch string.gsub string.len
		string.lower string.match string.rep string.reverse string.sub string.upper
		table.concat table.getn table.insert table.maxn table.remove table.sort`)
	slices.Sort(got)
	slices.Sort(want)
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s can be reached", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestMistakes: what is wrong with a script is told with its file and line, and in words that help.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"x = = 1", "it.lua line:1"},
		{"\nerror('no')", "it.lua:2: no"},
		{"local x = nil\nx.y = 1", "it.lua:2:"},
		{"ot.on('mesage', function() end)", `no event is called "mesage"`},
		{"ot.filter('out', function() end)", `no stage "out"`},
		{"ot.filter('incoming', function() end, { required = true })", "only outgoing filters can be required"},
		{"ot.filter('outgoing', function() end, { prority = 1 })", `"prority" means nothing here`},
		{"ot.register { needs = { 'sending' } }", `called "sending"`},
		{"ot.register { needs = 'send' }", "a table of words"},
		{"ot.command { name = 'x' }", "run is the function"},
		{"ot.command { name = 'Bad Name', run = function() end }", "Bad Name"},
		{"ot.send('friends', 'x')", `ot.on("start"`},
		{"ot.on('start', function() ot.send('friends', 'x') end)", `needs "send"`},
		{"ot.re.match('a', '(')", "missing closing )"},
		{"while true do end", "ran for longer than 500ms"},
		{"ot.config({ a = 1 })\nlocal function f() f() end f()", "stack overflow"},
		{"local t = {} t.t = t  ot.json.encode(t)", "nested"},
		{"ot.timer(0.01, function() end, { every = true })", "from 0.1"},
	} {
		err := Check(write(t, "it", c.text), &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "it.lua") {
			t.Errorf("%s\n\tgives %v\n\twant  %s", c.text, err, c.want)
		}
	}
}

// TestOverrun: a handler that never ends is ended, whatever it catches, and named; the script goes on.
func TestOverrun(t *testing.T) {
	tr := start(t, `
local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)
ot.command { name = "loop", run = function() while true do end end }
ot.command { name = "catch", run = function() while true do pcall(function() while true do end end) end end }
ot.command { name = "inside", run = function() coroutine.wrap(function() while true do end end)() end }
ot.command { name = "fine", run = function() return "fine " .. co() end }
`)
	if _, err := tr.chat.Type("/fine"); err != nil {
		t.Fatal("a coroutine of the file does not go on in a handler:", err)
	}
	for i, name := range []string{"loop", "catch", "inside"} {
		_, err := tr.chat.Type("/" + name)
		if want := fmt.Sprintf("it.lua:%d: the handler defined here ran for longer than 50ms", i+3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("/%s gives %v, want %s", name, err, want)
		}
	}
	if _, err := typeSettled(tr, "/script reload it"); err != nil {
		t.Error(err)
	}
	if r, err := tr.chat.Type("/fine"); err != nil || r.Lines[0] != "fine 1" {
		t.Errorf("afterwards %v, %v", r.Lines, err)
	}
}

// TestFaultIsToldOnce: with file and line, once, and again only after the script has new text.
func TestFaultIsToldOnce(t *testing.T) {
	tr := start(t, "ot.on('message', function(m)\n  local x = m.nothing.there\nend)\n")
	for range 3 {
		if _, err := tr.chat.Say("bob", "hello"); err == nil {
			t.Fatal("the chat is not told of the fault")
		}
	}
	tr.settle(nil)
	printed := tr.chat.Printed()
	if len(printed) != 1 || !strings.HasPrefix(printed[0].Text, "it.lua:2: attempt to index") {
		t.Errorf("printed %q", printed)
	}
	r, err := tr.chat.Type("/script errors it")
	if err != nil || len(r.Lines) < 2 || !strings.Contains(r.Lines[0], "(3 times)") || !strings.Contains(r.Lines[1], "it.lua:2") {
		t.Errorf("/script errors: %q, %v", r.Lines, err)
	}
}

// TestReload: new text takes over only if it loads; what runs stays otherwise, and what was set up by the old text is gone.
func TestReload(t *testing.T) {
	tr := start(t, `
ot.register { needs = { "storage" } }
ot.command { name = "old", run = function() return "old" end }
ot.timer(86400, function() print("old timer") end)
ot.on_unload(function() print("bye") end)
`)
	change := func(text string) {
		if err := os.WriteFile(filepath.Join(tr.host.shelf.folder, "it.lua"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload := func() ([]string, error) { return typeSettled(tr, "/script reload it") }

	change("this is not Lua")
	if _, err := reload(); err == nil {
		t.Error("nothing is said of text that does not load")
	}
	if r, err := tr.chat.Type("/old"); err != nil || r.Lines[0] != "old" {
		t.Errorf("the old script has gone: %v", err)
	}
	change(`ot.command { name = "new", run = function() return "new" end }`)
	if _, err := reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.chat.Type("/old"); err == nil {
		t.Error("/old is still there")
	}
	if r, err := tr.chat.Type("/new"); err != nil || r.Lines[0] != "new" {
		t.Errorf("/new gives %v, %v", r.Lines, err)
	}
	tr.settle(tr.chat.Advance(25 * time.Hour))
	var texts []string
	for _, line := range tr.chat.Printed() {
		texts = append(texts, line.Text)
	}
	if all := strings.Join(texts, "|"); strings.Count(all, "bye") != 1 || strings.Contains(all, "old timer") {
		t.Errorf("printed %q", all)
	}
}

// TestCallOverAReload: a call for a handler of before a reload reaches the one that has its place, whatever came before it in
// the file.
func TestCallOverAReload(t *testing.T) {
	tr := start(t, `ot.command { name = "roll", run = function() return "old" end }`)
	roll := tr.host.find("it").extension().Commands[0].Handler
	text := `ot.on("message", function() end)
ot.command { name = "help2", run = function() end }
ot.command { name = "roll", run = function() return "new" end }`
	if err := os.WriteFile(filepath.Join(tr.host.shelf.folder, "it.lua"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := typeSettled(tr, "/script reload it"); err != nil {
		t.Fatal(err)
	}
	lines, err := tr.host.Run(t.Context(), hook.Call{Target: hook.Target{Extension: "it", Handler: roll}})
	if err != nil || lines[0] != "new" {
		t.Errorf("%q, %v", lines, err)
	}
}

// typeSettled enters a line whose answer waits for something that the fake chat tells only afterwards.
func typeSettled(tr *trial, line string) ([]string, error) {
	type answer struct {
		lines []string
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		lines, err := tr.host.manage(context.Background(), hook.Call{Args: strings.Fields(line)[1:]})
		done <- answer{lines, err}
	}()
	for {
		select {
		case a := <-done:
			return a.lines, a.err
		default:
			tr.chat.Advance(time.Millisecond)
			tr.chat.Settle()
			runtime.Gosched()
		}
	}
}

// TestReloadsLeakNothing: a thousand reloads leave no goroutine, and no memory to speak of.
func TestReloadsLeakNothing(t *testing.T) {
	tr := start(t, `
local co = coroutine.wrap(function() while true do coroutine.yield() end end)
co()
ot.on("message", function() end)
ot.timer(10, function() end, { every = true })
`)
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range 50 {
		typeSettled(tr, "/script reload it")
	}
	before, goroutines := used(), runtime.NumGoroutine()
	for range 1000 {
		if _, err := typeSettled(tr, "/script reload it"); err != nil {
			t.Fatal(err)
		}
	}
	if after := used(); after > before+2<<20 {
		t.Errorf("%d KB before, %d KB after", before>>10, after>>10)
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("%d goroutines before, %d after", goroutines, n)
	}
}

// TestManage: what /script does, as a person sees it.
func TestManage(t *testing.T) {
	tr := start(t, `ot.register { version = "1.2", description = "says hi", needs = { "send" } }`)
	folder := tr.host.shelf.folder
	say := func(line, want string) {
		t.Helper()
		lines, err := typeSettled(tr, line)
		got := strings.ReplaceAll(strings.Join(lines, "\n"), folder, "…")
		if err != nil {
			got = "error: " + strings.ReplaceAll(err.Error(), folder, "…")
		}
		if got != want {
			t.Errorf("%s\n\tgives %s\n\twant  %s", line, got, want)
		}
	}
	say("/script list", "it: loaded 1.2, says hi, may use send")
	say("/script new two", "…/two.lua\n/script load two loads it, /script autoload two has it loaded at every start")
	say("/script new two", "error: …/two.lua is there already")
	say("/script list", "it: loaded 1.2, says hi, may use send\ntwo: not loaded")
	say("/script load two", "two: loaded 0.1, says hello, /two")
	say("/script autoload two", "two is loaded at every start")
	say("/script list", "it: loaded 1.2, says hi, may use send\ntwo: loaded 0.1, says hello, /two, at the start")
	say("/script autoload two off", "two is not loaded at the start any more")
	say("/script unload two", "two: unloaded")
	say("/script unload two", "error: two is not loaded")
	say("/script load three", "error: there is no three.lua in …")
	say("/script load ../it", `error: a script's name has up to 32 letters, digits, - and _, not "../it"`)
	say("/script errors", "no errors")
	say("/script frobnicate", `error: /script can list, load, unload, reload, new, errors, autoload, not "frobnicate"`)
	say("/script load", "error: usage: /script load NAME")
}

// TestJSONRoundTrip: what a script keeps is what it gets back.
func TestJSONRoundTrip(t *testing.T) {
	l := newState()
	defer l.Close()
	leaf := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) lua.LValue { return lua.LString(s) }),
		rapid.Map(rapid.Int32(), func(n int32) lua.LValue { return lua.LNumber(n) }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(n float64) lua.LValue { return lua.LNumber(n) }),
		rapid.Map(rapid.Bool(), func(b bool) lua.LValue { return lua.LBool(b) }),
	)
	var value func(depth int) *rapid.Generator[lua.LValue]
	value = func(depth int) *rapid.Generator[lua.LValue] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf, rapid.Custom(func(rt *rapid.T) lua.LValue {
			t := l.NewTable()
			for i, v := range rapid.SliceOfN(value(depth-1), 0, 4).Draw(rt, "array") {
				t.RawSetInt(i+1, v)
			}
			if t.Len() == 0 {
				for k, v := range rapid.MapOfN(rapid.StringMatching(`[a-z]+x`), value(depth-1), 0, 4).Draw(rt, "object") {
					t.RawSetString(k, v)
				}
			}
			return t
		}))
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := value(3).Draw(rt, "value")
		l.SetGlobal("v", v)
		l.Push(l.NewFunction(jsonAPI()["encode"]))
		l.Push(v)
		l.Call(1, 1)
		text := l.Get(-1).String()
		l.Pop(1)
		back, err := fromJSON(l, []byte(text))
		if err != nil {
			rt.Fatal(err)
		}
		if !same(v, back) {
			rt.Fatalf("%s is not what it was", text)
		}
	})
}

func same(a, b lua.LValue) bool {
	x, ok := a.(*lua.LTable)
	if !ok {
		return a == b
	}
	y, ok := b.(*lua.LTable)
	if !ok {
		return false
	}
	equal, n, m := true, 0, 0
	x.ForEach(func(k, v lua.LValue) { n++; equal = equal && same(v, y.RawGet(k)) })
	y.ForEach(func(_, _ lua.LValue) { m++ })
	return equal && n == m
}
