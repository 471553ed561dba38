//go:build unix

package plugins

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"opentalk/plugins/hook"
)

// Each test below is one thing that a plugin does wrong. It delays no message by more than its budget, shows one line, and
// comes back with the command that the line names.

// wrong makes a world with one plugin that is enabled.
func wrong(t *testing.T, kind string) *world {
	t.Helper()
	w := newWorld(t)
	w.patient = kind != "hang"
	w.plugin("bad", kind)
	w.start()
	w.enable("bad")
	return w
}

// say passes a message both ways, and complains if it was delayed or lost.
func (w *world) say(text string) {
	w.t.Helper()
	o, took := w.out(text)
	if took > hook.FilterBudget+slack || o.Dropped || !strings.HasPrefix(o.Text, text) {
		w.t.Errorf("sending took %v: %+v", took, o)
	}
	i, took := w.in(text)
	if took > hook.FilterBudget+slack || i.Dropped || !strings.HasPrefix(i.Text, text) {
		w.t.Errorf("receiving took %v: %+v", took, i)
	}
}

// offAndBack expects the line, that messages then pass at once, and that the command in the line brings the plugin back. With
// works, what it does then is looked at.
func (w *world) offAndBack(says string, works bool) {
	w.t.Helper()
	f := w.fault()
	if !regexp.MustCompile(says).MatchString(f.Text) || f.Extension != "bad" || f.Again != "/plugin enable bad" ||
		strings.ContainsAny(f.Text, "\n\r") {
		w.t.Errorf("the line: %+v", f)
	}
	w.until("off", func() bool { i, _ := w.host.Info("bad"); return i.State != StateRunning && i.PID == 0 })
	if o, took := w.out("now"); took > slack || o.Text != "now" {
		w.t.Errorf("with the plugin off: %+v after %v", o, took)
	}
	w.noFault()
	if !works {
		return
	}
	w.enable("bad")
	if o, _ := w.out("hi"); o.Text != "hi!" {
		w.t.Errorf("brought back: %+v", o)
	}
	w.noFault()
}

func TestPluginCrashes(t *testing.T) {
	w := wrong(t, "crash")
	for n := range hook.Strikes {
		w.until("it runs again", func() bool { i, _ := w.host.Info("bad"); return i.State == StateRunning && i.Starts == n+1 })
		if o, took := w.in("now"); took > hook.FilterBudget+slack || o.Text != "now" || len(o.Failed) != 1 {
			t.Errorf("%+v after %v", o, took)
		}
	}
	w.offAndBack(`^plugin "bad" ended 3 times .* turned off: exit status 3$`, true)
}

func TestPluginHangs(t *testing.T) {
	w := wrong(t, "hang")
	for range hook.Strikes {
		o, took := w.in("now")
		if took > hook.FilterBudget+slack || o.Text != "now" || len(o.Failed) != 1 {
			t.Errorf("%+v after %v", o, took)
		}
	}
	w.offAndBack(`^plugin "bad" \(plugin\) was turned off: 3 failures .* incoming filter \(kinds.go:1\): no answer within 250ms$`, true)
}

func TestPluginFails(t *testing.T) {
	w := wrong(t, "fails")
	for range hook.Strikes {
		w.say("x")
	}
	w.offAndBack(`incoming filter \(kinds.go:1\): this is .*wrong in two lines$`, false)
}

func TestPluginAnswersGarbage(t *testing.T) {
	for kind, says := range map[string]string{
		"garbage":   `its output begins with "hello, I am no plugin" rather than the line of a plugin$`,
		"gibberish": `^plugin "bad" ended 3 times`,
		"tcp":       `listens at tcp "127.0.0.1:1" rather than on a socket`,
		"denied":    `capability "send" is not granted`,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.plugin("bad", kind)
			w.start()
			if _, err := w.host.Enable(t.Context(), "bad"); err == nil {
				t.Error("it was started")
			}
			w.say("now")
			w.offAndBack(says, false)
		})
	}
}

func TestPluginExitsAtStart(t *testing.T) {
	w := newWorld(t)
	w.plugin("bad", "exits")
	w.start()
	if _, err := w.host.Enable(t.Context(), "bad"); err == nil || !strings.Contains(err.Error(), "it ended at its start: exit status 7") {
		t.Errorf("enable: %v", err)
	}
	w.offAndBack(`exit status 7$`, false)
	if got := w.log("bad"); strings.Count(got, "stderr I cannot start") != hook.Strikes {
		t.Errorf("log:\n%s", got)
	}
}

func TestPluginSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.plugin("bad", "silent")
	w.start()
	began := time.Now()
	if _, err := w.host.Enable(t.Context(), "bad"); err == nil || time.Since(began) > hook.StartBudget+time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	w.say("now")
}

func TestPluginFloods(t *testing.T) {
	w := newWorld(t)
	w.plugin("bad", "flood", `capabilities = ["send", "notify"]`)
	w.start()
	w.enable("bad")
	w.until("it floods", func() bool {
		w.chat.mu.Lock()
		defer w.chat.mu.Unlock()
		return len(w.chat.printed) >= printBurst && len(w.chat.sent) >= sendBurst
	})
	for range 50 { // it may well drown itself, and be turned off for not answering
		w.say("x")
	}
	w.chat.mu.Lock()
	sent, printed := len(w.chat.sent), len(w.chat.printed)
	w.chat.mu.Unlock()
	if most := sendBurst + 60*sendRate; sent > most {
		t.Errorf("%d messages, at most %d in that time", sent, most)
	}
	if most := printBurst + 60*printRate + notifyBurst + 60; printed > most {
		t.Errorf("%d texts, at most %d in that time", printed, most)
	}
	w.host.Close()
	if n := len(w.chat.faults); n > 1 {
		t.Errorf("%d lines", n)
	}
}

func TestPluginWritesToStdout(t *testing.T) {
	w := wrong(t, "stdout")
	for range 3 {
		w.say("now")
	}
	w.until("it is in the log", func() bool { return strings.Contains(w.log("bad"), "stdout xxx") })
	w.noFault()
}

func TestPluginReadsStdin(t *testing.T) {
	w := wrong(t, "stdin")
	c, _ := w.host.Command("test")
	lines, err := w.host.Run(t.Context(), c, hook.Call{})
	if err != nil || len(lines) != 1 || lines[0] != "no terminal, a session of its own, nothing to read" {
		t.Errorf("%q, %v", lines, err)
	}
	w.host.Close()
	if got := w.log("bad"); !strings.Contains(got, "read 0 EOF") {
		t.Errorf("its input did not end with the chat, or said something:\n%s", got)
	}
}

func TestPluginForks(t *testing.T) {
	w := wrong(t, "fork")
	w.say("now")
	forked := regexp.MustCompile(`forked (\d+) (\d+)`)
	w.until("it has forked", func() bool { return forked.MatchString(w.log("bad")) })
	pids := forked.FindStringSubmatch(w.log("bad"))
	pid, _ := strconv.Atoi(pids[1])
	daemon, _ := strconv.Atoi(pids[2]) // in a session of its own: it lives on, and must not keep anybody waiting
	defer syscall.Kill(daemon, syscall.SIGKILL)
	began := time.Now()
	if err := w.host.Disable("bad"); err != nil || time.Since(began) > 2*hook.StopBudget {
		t.Errorf("disabling: %v after %v", err, time.Since(began))
	}
	w.until("what it forked is gone", func() bool { return startOf(pid) == "" })
	w.noFault()
}

func TestPluginIgnoresSignals(t *testing.T) {
	w := wrong(t, "deaf")
	info, _ := w.host.Info("bad")
	syscall.Kill(info.PID, syscall.SIGTERM)
	w.say("x")
	began := time.Now()
	w.host.Close()
	if took := time.Since(began); took > 2*hook.StopBudget || startOf(info.PID) != "" {
		t.Errorf("closing took %v", took)
	}
}

func TestPluginHasChanged(t *testing.T) {
	w := wrong(t, "good")
	w.host.Close()
	dir := filepath.Join(w.dir, "plugins", "bad")
	text, err := os.ReadFile(filepath.Join(dir, "plugin"))
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "plugin"))
	if err := os.WriteFile(filepath.Join(dir, "plugin"), append(text, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.say("now")
	w.offAndBack(`^plugin "bad" was not started: its program changed since it was enabled$`, true)
}

// TestRequiredFails: what a required filter has to decide on is not sent without it, whatever became of it.
func TestRequiredFails(t *testing.T) {
	w := newWorld(t)
	w.patient = true
	w.plugin("bad", "guard")
	w.start()
	w.enable("bad")
	closed := func(when string) {
		t.Helper()
		if o, _ := w.out("hi"); !o.Dropped || !o.Closed || o.By != "bad" || o.Reason == "" {
			t.Errorf("%s: %+v", when, o)
		}
		if o, _ := w.in("hi"); o.Dropped {
			t.Errorf("%s, incoming: %+v", when, o)
		}
	}
	if o, _ := w.out("my secret"); !o.Dropped || o.Reason != "it holds a secret" || o.Closed {
		t.Errorf("%+v", o)
	}
	if o, _ := w.out("hi"); o.Dropped {
		t.Errorf("%+v", o)
	}
	for n := range hook.Strikes {
		w.until("it runs again", func() bool { i, _ := w.host.Info("bad"); return i.State == StateRunning && i.Starts == n+1 })
		if o, _ := w.out("die"); !o.Dropped {
			t.Errorf("it died: %+v", o)
		}
		closed("dead")
	}
	w.fault()
	closed("off")
	w.host.Close()

	w.start()
	if o, _ := w.out("hi"); o.Dropped {
		t.Errorf("started again: %+v", o)
	}
	w.host.Close()
	w.host = New(w.cfg) // and before it has come up
	if err := w.host.Start(w.chat); err != nil {
		t.Fatal(err)
	}
	closed("not yet there")
	w.host.Settled(t.Context())
	if err := w.host.Disable("bad"); err != nil {
		t.Fatal(err)
	}
	if o, _ := w.out("hi"); o.Dropped {
		t.Errorf("disabled: %+v", o)
	}
	w.host.Close()
}

// TestEnvironment: a plugin learns nothing from its environment, and has its sockets where nobody else can reach them.
func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "hunter2")
	t.Setenv("SSH_AUTH_SOCK", "/agent")
	w := wrong(t, "env")
	c, _ := w.host.Command("test")
	lines, err := w.host.Run(t.Context(), c, hook.Call{})
	all := strings.Join(lines, "\n")
	if err != nil || strings.Contains(all, "hunter2") || strings.Contains(all, "SSH_AUTH_SOCK") || !strings.Contains(all, "PATH=") {
		t.Errorf("%v\n%s", err, all)
	}
	info, err := os.Stat(w.host.left.Sockets)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if longest := len(w.host.left.Sockets) + len("/plugin-dir1234567890/plugin1234567890"); longest > 103 {
		t.Errorf("sockets have paths of %d bytes", longest)
	}
}

// TestKilled: a chat that is killed leaves no process, no zombie and no socket, and what a plugin that listens to nothing has
// left is ended by the next start.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 50
	w := newWorld(t)
	w.plugin("good", "good", "mtls = false")
	w.plugin("deaf", "deaf", "mtls = false")
	w.plugin("stubborn", "stubborn", "mtls = false")
	w.start()
	w.enable("good")
	w.enable("deaf")
	w.enable("stubborn")
	w.host.Close()
	var before left
	t.Cleanup(func() {
		if before.Deaf != 0 && startOf(before.Deaf) == before.DeafStart {
			syscall.Kill(before.Deaf, syscall.SIGKILL) // only if the test has failed
		}
	})
	for range kills {
		now := runVictim(t, w.dir)
		w.until("the plugin that listens is gone within a second", func() bool { return startOf(now.Good) == "" })
		if runtime.GOOS == "linux" {
			w.until("so is one that the system has to end", func() bool { return startOf(now.Stubborn) == "" })
		}
		if before.Deaf != 0 && startOf(before.Deaf) == before.DeafStart {
			t.Fatal("what was left is still there after the next start")
		}
		if before.Sockets != "" {
			if _, err := os.Stat(before.Sockets); !os.IsNotExist(err) {
				t.Fatalf("%s: %v", before.Sockets, err)
			}
		}
		before = now
	}
	if startOf(before.Deaf) != before.DeafStart {
		t.Error("the plugin that ignores everything did not outlive the chat: this test proves nothing")
	}
	w.start()
	w.host.Close()
	if startOf(before.Deaf) == before.DeafStart {
		t.Error("it is still there")
	}
	if _, err := os.Stat(before.Sockets); !os.IsNotExist(err) {
		t.Error("its sockets are still there")
	}
}

// runVictim runs one in a process of its own and kills it once its plugins run.
func runVictim(t *testing.T, dir string) left {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var l left
	if err := json.NewDecoder(out).Decode(&l); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if l.Good == 0 || l.Deaf == 0 || l.Stubborn == 0 {
		t.Fatalf("the victim had no plugins: %+v", l)
	}
	return l
}
