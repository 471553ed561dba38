package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"opentalk/engine/skiptest"
)

var update = flag.Bool("update", false, "rewrite the screens that tests expect to those they get")

// TestTmux plays every conversation in testdata/tmux: what [TestConversations] knows, and people at a shell in tmux.
//
//	window NAME COLUMNS ROWS   a terminal with sh on it; a second time, its new size
//	keys NAME KEY…             as tmux send-keys: names of keys, or text
//	paste NAME FILE            a file, as a terminal pastes it
//	prompt NAME                wait until sh takes a command
//	screen NAME FILE           wait until the screen is as in the file, and write it to the file "screen"; compare them then.
//	                           HH:MM is a time, DAY a date, and the last line is where the cursor is
//	sees NAME TEXT…            wait until each of the texts is somewhere on the screen, and write the screen to the file "screen"
func TestTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		skiptest.Because(t, "there is no tmux")
	}
	params := conversations("testdata/tmux")
	params.UpdateScripts = *update
	for name, cmd := range map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"window": window, "prompt": prompt, "keys": keys, "paste": paste, "screen": screen, "sees": sees,
	} {
		params.Cmds[name] = cmd
	}
	testscript.Run(t, params)
}

// tmux runs a command of the tmux whose only window NAME's terminal is.
func tmux(ts *testscript.TestScript, name string, args ...string) string {
	cmd := exec.Command("tmux", append([]string{"-u", "-f", os.DevNull, "-S", ts.MkAbs(name + ".tmux")}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=", "ENV=", "PS1=$ ", "TMUX=", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		ts.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

func window(ts *testscript.TestScript, neg bool, args []string) {
	name, cols, rows := args[0], args[1], args[2]
	if _, err := os.Stat(ts.MkAbs(name + ".tmux")); err == nil {
		tmux(ts, name, "resize-window", "-x", cols, "-y", rows)
		return
	}
	tmux(ts, name, "new-session", "-d", "-x", cols, "-y", rows, "PS1='$ ' exec sh -i", ";", "set-option", "-g", "status", "off")
	ts.Defer(func() { tmux(ts, name, "kill-server") })
	prompt(ts, neg, args)
}

func prompt(ts *testscript.TestScript, neg bool, args []string) {
	waitFor(ts, func() bool { return strings.HasSuffix(rows(ts, args[0]), "$") })
}

func keys(ts *testscript.TestScript, neg bool, args []string) {
	tmux(ts, args[0], append([]string{"send-keys"}, args[1:]...)...)
}

func paste(ts *testscript.TestScript, neg bool, args []string) {
	tmux(ts, args[0], "load-buffer", ts.MkAbs(args[1]), ";", "paste-buffer", "-p")
}

func screen(ts *testscript.TestScript, neg bool, args []string) {
	want, got, changed := ts.ReadFile(args[1]), "", time.Now()
	waitFor(ts, func() bool {
		last := got
		if got = shown(ts, args[0]); got != last {
			changed = time.Now()
		}
		// One that is not to be waited for is the right one if it stays.
		return got == want || *update && time.Since(changed) > time.Second
	})
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(got), 0o600))
}

func sees(ts *testscript.TestScript, neg bool, args []string) {
	var got string
	lacks := func(text string) bool { return !strings.Contains(got, text) }
	waitFor(ts, func() bool {
		got = rows(ts, args[0])
		return !slices.ContainsFunc(args[1:], lacks)
	})
	if slices.ContainsFunc(args[1:], lacks) {
		ts.Fatalf("%s does not show all of %q:\n%s", args[0], args[1:], got)
	}
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(got), 0o600))
}

var (
	timeOfDay = regexp.MustCompile(`\b\d\d:\d\d\b`)
	dayOfYear = regexp.MustCompile(`[A-Z][a-z]+day, \d+ [A-Z][a-z]+ \d{4}`)
)

// rows are those of the screen, without the blank ones at its end.
func rows(ts *testscript.TestScript, name string) string {
	return strings.TrimRight(tmux(ts, name, "capture-pane", "-p"), "\n")
}

// shown is a screen as tests compare it.
func shown(ts *testscript.TestScript, name string) string {
	text := dayOfYear.ReplaceAllString(timeOfDay.ReplaceAllString(rows(ts, name), "HH:MM"), "DAY")
	cursor := strings.TrimSpace(tmux(ts, name, "display-message", "-p", "row #{cursor_y}, column #{cursor_x}"))
	return fmt.Sprintf("%s\n-- %s\n", text, cursor)
}

// waitFor looks again and again, which is all that can be done with tmux, until a condition is true or patience ends; the
// comparison that follows then tells what is there instead.
func waitFor(ts *testscript.TestScript, condition func() bool) {
	for late := time.Now().Add(patience); !condition() && time.Now().Before(late); {
		time.Sleep(20 * time.Millisecond)
	}
}
