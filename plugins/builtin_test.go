package plugins

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"opentalk/plugins/hook"
)

// scripts is a host of scripts as the tests need it. Its config names what each does: "good", "spins" when a message says
// so, "dies" when it is loaded, "asks" the host for something that takes a while.
type scripts struct {
	mu   sync.Mutex
	host hook.Host
	all  map[string]hook.Extension
	does map[string]string
}

var scriptNames = []string{"a", "b", "c"}

func (s *scripts) Start(_ context.Context, hello hook.Hello, host hook.Host) (hook.Registration, error) {
	s.host, s.all, s.does = host, map[string]hook.Extension{}, map[string]string{}
	for _, n := range scriptNames {
		s.does[n] = "good"
		if _, does, ok := strings.Cut(string(hello.Config), fmt.Sprintf(`"%s":"`, n)); ok {
			s.does[n], _, _ = strings.Cut(does, `"`)
		}
		s.all[n] = hook.Extension{Name: n, Source: n + ".lua", Needs: hook.Capabilities(), Observes: []hook.Observer{{Handler: 1, Kind: hook.KindStart}}}
	}
	return s.registration(), nil
}

func (s *scripts) registration() hook.Registration {
	var r hook.Registration
	for _, n := range scriptNames {
		if e, ok := s.all[n]; ok {
			r.Extensions = append(r.Extensions, e)
		}
	}
	return r
}

func (s *scripts) Observe(ctx context.Context, to hook.Target, event hook.Event) error {
	if said, ok := event.(hook.MessageEvent); ok {
		return s.host.Print(ctx, to.Extension, "", said.Message.Text)
	}
	if s.does[to.Extension] == "dies" {
		time.Sleep(200 * time.Millisecond) // so that others are being loaded, too
		os.Exit(9)
	}
	if file, ok := strings.CutPrefix(s.does[to.Extension], "waits for "); ok {
		for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
			time.Sleep(5 * time.Millisecond) // nobody else tells
		}
	} else if s.does[to.Extension] != "good" {
		time.Sleep(300 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.all[to.Extension]
	e.Filters = []hook.Filter{{Handler: 2, Stage: hook.StageIncoming, Source: to.Extension + ".lua:7"}}
	e.Commands = []hook.Command{{Handler: 3, Name: "ask", Source: to.Extension + ".lua:9"}}
	e.Observes = append(e.Observes, hook.Observer{Handler: 4, Kind: hook.KindMessage})
	s.all[to.Extension] = e
	return s.host.Register(ctx, s.registration())
}

func (s *scripts) Filter(_ context.Context, to hook.Target, i hook.Item) (hook.Verdict, error) {
	if s.does[to.Extension] == "spins" && strings.Contains(i.Message.Text, "now") {
		select {} // without an end, and deaf to its context, as what a script computes is
	}
	if strings.Contains(i.Message.Text, "late") {
		time.Sleep(15 * lateBudget) // as if others kept the machine busy
		if s.does[to.Extension] == "fails late" {
			return hook.Verdict{}, fmt.Errorf("ran for too long")
		}
	}
	return hook.Verdict{Action: hook.Rewrite, Text: i.Message.Text + to.Extension}, nil
}

func (s *scripts) Run(ctx context.Context, c hook.Call) ([]string, error) {
	if c.Line == "reload" {
		s.mu.Lock()
		defer s.mu.Unlock()
		e := s.all[c.Args[0]]
		delete(s.all, c.Args[0])
		if err := s.host.Register(ctx, s.registration()); err != nil {
			return nil, err
		}
		e.Filters, e.Commands = nil, nil
		s.all[c.Args[0]], s.does[c.Args[0]] = e, "good"
		return nil, s.host.Register(ctx, s.registration())
	}
	_, err := s.host.History(ctx, c.Extension, hook.Query{Round: "slow", Limit: 1})
	return []string{"done"}, err
}
func (s *scripts) Complete(context.Context, hook.Completion) ([]string, error) { return nil, nil }
func (s *scripts) Stop(context.Context) error                                  { return nil }

// withScripts is a world with such a child, and with plugins that nobody has enabled.
func withScripts(t *testing.T, does map[string]any, folders ...string) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, name := range folders {
		w.plugin(name, "good")
	}
	w.cfg.Builtins = []Builtin{{Name: "scripts", Exec: self, Args: []string{"scripts"}}}
	w.cfg.Settings = func(string) (map[string]any, error) { return does, nil }
	w.patient = true
	w.start() // and so all are loaded
	return w
}

// filtered waits until a message is seen by just these.
func (w *world) filtered(by string) {
	w.t.Helper()
	w.until("it is seen by "+by, func() bool { o, _ := w.in("-"); return o.Text == "-"+by })
}

func (w *world) scriptBudget(d time.Duration) {
	w.host.mu.Lock()
	defer w.host.mu.Unlock()
	w.host.budgets.script = d
	w.host.rebuild()
}

// TestOverrun: what computes without an end is given up at its budget, and after a second ended, named and off; the others
// go on.
func TestOverrun(t *testing.T) {
	w := withScripts(t, map[string]any{"b": "spins"})
	w.filtered("abc")
	w.scriptBudget(hook.ScriptBudget)
	o, took := w.in("now")
	if took > hook.ScriptBudget+slack || !strings.HasPrefix(o.Text, "nowa") || len(o.Failed) == 0 || o.Failed[0] != "b" {
		t.Errorf("%+v after %v", o, took)
	}
	w.scriptBudget(20 * time.Second)
	began := time.Now()
	f := w.fault()
	if f.Extension != "b" || f.Again != "/plugin enable b" ||
		f.Text != `extension "b" (b.lua) was turned off: incoming filter (b.lua:7): it did not come back within 1s` {
		t.Errorf("%+v", f)
	}
	w.filtered("ac")
	t.Logf("the others are back after %v", time.Since(began))
	c, ok := w.host.Command("a.ask")
	if !ok {
		t.Fatal("no command")
	}
	if _, err := w.host.Run(t.Context(), c, hook.Call{Line: "reload", Args: []string{"b"}}); err != nil {
		t.Fatal(err)
	}
	w.filtered("abc")
	w.noFault()
}

// lateBudget is what TestLate gives a script.
const lateBudget = 20 * time.Millisecond

// TestLate: a script that is late because the machine is busy is not asked further, but nothing is held against it; one that
// answers late that it has computed for too long is turned off for that.
func TestLate(t *testing.T) {
	w := withScripts(t, map[string]any{"b": "fails late"})
	w.filtered("abc")
	w.scriptBudget(lateBudget)
	late := 0
	for range 2 * hook.Strikes {
		if o, _ := w.in("late"); slices.Contains(o.Failed, "a") {
			late++
		}
		w.until("b is asked no more, or free", func() bool { p := w.host.view.Load().extensions["b"].proc; return p.underWay() == 0 })
	}
	if late < hook.Strikes {
		t.Errorf("late %d times", late)
	}
	if f := w.fault(); f.Extension != "b" || !strings.Contains(f.Text, "ran for too long") {
		t.Errorf("%+v", f)
	}
	w.scriptBudget(20 * time.Second)
	w.filtered("ac")
	w.noFault()
}

// TestEnableExtension: the command that the line names turns one script on again.
func TestEnableExtension(t *testing.T) {
	w := withScripts(t, nil)
	w.filtered("abc")
	for range hook.Strikes {
		w.host.failed("b", 2, fmt.Errorf("no"))
	}
	w.fault()
	w.filtered("ac")
	w.enable("b")
	w.filtered("abc")
	w.noFault()
}

// TestSuspects: of several that were called when the process died, the one that does it is found, and the others go on.
func TestSuspects(t *testing.T) {
	w := withScripts(t, map[string]any{"a": "slow", "b": "dies", "c": "slow"})
	f := w.fault()
	if f.Extension != "b" || !strings.Contains(f.Text, "observer of start") || !strings.Contains(f.Text, "exit status 9") {
		t.Errorf("%+v", f)
	}
	w.filtered("ac")
	w.noFault()
}

// TestWaiting: what a script waits for the chat is not its own time.
func TestWaiting(t *testing.T) {
	w := withScripts(t, nil)
	if o, _ := w.in("-"); o.Text != "-abc" {
		t.Errorf("settled, but not loaded: %+v", o)
	}
	w.chat.slow = 2 * scriptOverrun
	c, _ := w.host.Command("a.ask")
	if lines, err := w.host.Run(t.Context(), c, hook.Call{}); err != nil || len(lines) != 1 {
		t.Errorf("%q, %v", lines, err)
	}
	w.noFault()
}

func (p *process) underWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// TestRestart: a command that is given while the process is started again waits for it, and what happens meanwhile is told
// afterwards, in order, even if it ends once more before it has come up. Commands stay what can be typed.
func TestRestart(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	open := func() { os.WriteFile(gate, nil, 0o600) }
	open()
	w := withScripts(t, map[string]any{"a": "waits for " + gate, "b": "waits for " + gate, "c": "waits for " + gate})
	told := 0
	tell := func() {
		told++
		w.host.Observe(hook.MessageEvent{Message: hook.Message{Text: fmt.Sprint(told), Live: true}})
	}
	proc := func() *process {
		w.host.mu.Lock()
		defer w.host.mu.Unlock()
		return w.host.guests["scripts"].proc
	}
	c, _ := w.host.Command("a.ask")
	first := proc()
	tell()
	w.until("the first is told", func() bool { return len(w.chat.all()) == 3 && first.underWay() == 0 })
	os.Remove(gate)
	first.child.Kill(t.Context())
	<-first.child.exited
	tell()
	w.until("all are being loaded", func() bool {
		p := proc()
		return p != nil && p != first && p.underWay() == 3
	})
	tell()
	second := proc()
	second.child.Kill(t.Context())
	<-second.child.exited
	tell()
	open()
	if again, ok := w.host.Command("ask"); !ok || again.Extension != "a" {
		t.Errorf("what can be typed: %v, %v", again, ok)
	}
	if lines, err := w.host.Run(t.Context(), c, hook.Call{}); err != nil || len(lines) != 1 {
		t.Errorf("a command meanwhile: %q, %v", lines, err)
	}
	tell()
	for _, name := range scriptNames {
		w.until(name+" is told everything", func() bool {
			var got []string
			for _, line := range w.chat.all() {
				if from, text, _ := strings.Cut(line, ": "); from == name {
					got = append(got, text)
				}
			}
			for i, text := range got {
				if text != fmt.Sprint(i+1) {
					t.Fatalf("%s is told %q", name, got)
				}
			}
			return len(got) == told
		})
	}
	w.noFault()
}

// TestNameTaken: one script with the name of a plugin does not keep the others away.
func TestNameTaken(t *testing.T) {
	w := withScripts(t, nil, "b")
	f := w.fault()
	if f.Text != `extension "b" (b.lua) was left out: "b" is the name of a plugin` || f.Again != "/plugin enable scripts" {
		t.Errorf("%+v", f)
	}
	w.filtered("ac")
	w.noFault()
}
