package plugins

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"opentalk/plugins/hook"
)

// TestPlugin: what a well-behaved plugin does, from being found to being disabled.
func TestPlugin(t *testing.T) {
	w := newWorld(t)
	w.patient = true
	w.plugin("bell", "good", "[config]\nsound = \"ding\"\nvolume = 3")
	var volume atomic.Int64
	w.cfg.Settings = func(string) (map[string]any, error) { return map[string]any{"volume": volume.Load()}, nil }
	volume.Store(5)
	w.start()
	if o, _ := w.out("hi"); o.Text != "hi" {
		t.Errorf("a plugin that was never enabled: %+v", o)
	}
	if all := w.host.List(); len(all) != 1 || all[0].State != StateNew || all[0].Manifest.Exec != "plugin" {
		t.Errorf("list: %+v", all)
	}
	w.enable("bell")
	if o, _ := w.out("hi"); o.Text != "hi!" {
		t.Errorf("outgoing: %+v", o)
	}
	if o, _ := w.in("hi"); o.Text != "hi!" {
		t.Errorf("incoming: %+v", o)
	}
	c, ok := w.host.Command("test")
	if !ok || c.Full != "bell.test" {
		t.Fatalf("command: %+v, %v", c, ok)
	}
	volume.Store(6)
	lines, err := w.host.Run(t.Context(), c, hook.Call{Line: "a b", Person: true})
	if got := strings.Join(lines, " "); err != nil || got != `you said a b {"sound":"ding","volume":5} {"sound":"ding","volume":6}` {
		t.Errorf("run: %q, %v", got, err)
	}
	for range 2 * hook.Strikes {
		if _, err := w.host.Run(t.Context(), c, hook.Call{Line: "fail"}); !has(err, hook.CodeNotFound) {
			t.Errorf("an answer that is an error: %v", err)
		}
	}
	if err := w.host.Disable("bell"); err != nil {
		t.Fatal(err)
	}
	if o, _ := w.out("hi"); o.Text != "hi" || len(w.host.Commands()) != 0 {
		t.Errorf("disabled: %+v", o)
	}
	w.noFault()
	began := time.Now()
	w.host.Close()
	if took := time.Since(began); took > hook.StopBudget+slack {
		t.Errorf("closing took %v", took)
	}
}

// TestLeaks: nothing of a host runs on when it is closed, whatever became of its plugins.
func TestLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	w := newWorld(t)
	w.patient = true
	w.plugin("bell", "good")
	w.plugin("exits", "exits")
	w.start()
	w.enable("bell")
	w.host.Enable(t.Context(), "exits")
	w.fault()
	if _, err := w.host.Restart(t.Context(), "bell"); err != nil {
		t.Fatal(err)
	}
	w.out("hi")
	w.host.Close()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
