//go:build unix

package shell

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	xterm "golang.org/x/term"

	"opentalk/engine/identity/identitytest"
	"opentalk/shell/line"
	"opentalk/shell/term/vt"
)

// patience bounds every wait for a screen.
const patience = 20 * time.Second

// desk is a shell on the fake engine with the real line editor, at a pseudo-terminal.
type desk struct {
	t      testing.TB
	engine *fake
	shell  *Shell
	home   string
	screen *vt.Terminal
	keys   *os.File
	tty    *os.File
	status chan int

	plain   bool   // the terminal knows no escape sequences
	sent    buffer // all that the terminal was sent
	signals chan os.Signal
}

// newDesk is a desk with nobody at it yet.
func newDesk(t testing.TB, cols, rows int) *desk {
	t.Helper()
	keys, tty, err := vt.OpenPTY(cols, rows)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, engine: newFake(), home: t.TempDir(), screen: vt.New(cols, rows), keys: keys, tty: tty, status: make(chan int, 1),
		signals: make(chan os.Signal, 1)}
}

// start runs the shell until the test ends. Nothing may come on the terminal that opentalk does not mean to send.
func (d *desk) start(args ...string) {
	d.t.Helper()
	opts, err := Parse(append([]string{"--home", d.home}, args...))
	if err != nil {
		d.t.Fatal(err)
	}
	shell, err := New(opts, Streams{
		In: d.tty, Out: d.tty, Err: d.tty, Person: true, OutTerm: true, ErrTerm: true,
		Edit: func(c line.Config) (line.Editor, error) {
			c.In, c.Out = d.tty, d.tty
			if d.plain {
				return line.OpenPlain(c)
			}
			return line.Open(c)
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.shell = shell
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		d.screen.Follow(io.TeeReader(d.keys, &d.sent))
	}()
	d.engine.emit(roundEvents(d.engine.rounds)...)
	go func() {
		d.status <- shell.Run(d.engine, d.signals)
		shell.Close()
		d.tty.Close()
	}()
	d.t.Cleanup(func() {
		d.signals <- syscall.SIGTERM
		<-followed
		close(d.engine.events)
		d.keys.Close()
		if d.plain && strings.Contains(d.sent.take(), "\x1b") {
			d.t.Error("a plain terminal was sent an escape sequence")
		}
		for _, fault := range d.screen.Faults() {
			d.t.Errorf("the terminal was sent %s", fault)
		}
	})
}

func (d *desk) press(keys string) {
	d.t.Helper()
	if _, err := d.keys.WriteString(keys); err != nil {
		d.t.Fatal(err)
	}
}

// paste pastes text as terminals do.
func (d *desk) paste(text string) { d.t.Helper(); d.press("\x1b[200~" + text + "\x1b[201~") }

// resize changes the terminal's size as a window manager does.
func (d *desk) resize(cols, rows int) {
	d.t.Helper()
	d.screen.Resize(cols, rows)
	if err := vt.SetSize(d.tty, cols, rows); err != nil {
		d.t.Fatal(err)
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGWINCH) // the kernel sends it only to a controlling terminal's job
}

var clockTime = regexp.MustCompile(`(?m)^\d\d:\d\d`)

// shown is the screen, with the cursor as ▮ and the time of day as HH:MM.
func (d *desk) shown() string { return clockTime.ReplaceAllString(d.screen.Screen(), "HH:MM") }

func (d *desk) until(what string, condition func() bool) {
	d.t.Helper()
	if !d.screen.Wait(patience, condition) {
		d.t.Fatalf("waiting for %s, the screen is\n%s", what, d.shown())
	}
}

// see waits for a screen and returns it. With -update it returns the one that nothing has been added to for a while.
func (d *desk) see(want string) string {
	d.t.Helper()
	if *update {
		last := ""
		for d.screen.Wait(300*time.Millisecond, func() bool { return d.shown() != last }) {
			last = d.shown()
		}
		return last
	}
	if !d.screen.Wait(patience, func() bool { return d.shown() == want }) {
		d.t.Fatalf("got:\n%s\nwant:\n%s", d.shown(), want)
	}
	return want
}

// TestScreens runs each file of testdata/screens: what a person does and what comes, and whole screens as they see them.
//
//	# comment
//	size COLUMNS ROWS  changes the size; the first one is that of the terminal
//	plain              the terminal knows no escape sequences; before start
//	start
//	ctrl-c             the signal that a plain terminal makes of it
//	type "KEYS"        a Go string
//	paste "TEXT"       as terminals do
//	| TEXT             a row of the screen, up to the last one in use; ▮ is the cursor, HH:MM the time
//
// and, as in [TestScripts]: round, history, comes, goes, says, does, late, joined.
func TestScreens(t *testing.T) {
	files, err := filepath.Glob("testdata/screens/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no screens", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := playScreens(t, string(text)); *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func playScreens(t *testing.T, script string) string {
	var got strings.Builder
	var want []string
	var d *desk
	lines := append(strings.Split(strings.TrimSuffix(script, "\n"), "\n"), "")
	for at, l := range lines {
		if row, isRow := strings.CutPrefix(l, "|"); isRow {
			want = append(want, strings.TrimPrefix(row, " "))
			continue
		}
		if want != nil {
			for _, row := range strings.Split(d.see(strings.Join(want, "\n")), "\n") {
				got.WriteString(strings.TrimRight("| "+row, " ") + "\n")
			}
			want = nil
		}
		if at < len(lines)-1 {
			got.WriteString(l + "\n")
		}
		verb, rest, _ := strings.Cut(l, " ")
		if verb == "size" {
			d = sized(t, d, rest)
		} else if l != "" && l[0] != '#' {
			d.do(at+1, verb, rest)
		}
	}
	return got.String()
}

func sized(t *testing.T, d *desk, size string) *desk {
	numbers := regexp.MustCompile(`^(\d+) (\d+)$`).FindStringSubmatch(size)
	if numbers == nil {
		t.Fatalf("no size: %q", size)
	}
	cols, _ := number(numbers[1], 1000)
	rows, _ := number(numbers[2], 1000)
	if d == nil {
		return newDesk(t, cols, rows)
	}
	d.resize(cols, rows)
	return d
}

func (d *desk) do(at int, verb, rest string) {
	d.t.Helper()
	switch verb {
	case "plain":
		d.plain = true
	case "ctrl-c":
		d.signals <- os.Interrupt
	case "start":
		d.start("--color=never")
	case "round":
		d.engine.add(rest)
	case "type":
		d.press(unquote(rest))
	case "paste":
		d.paste(unquote(rest))
	default:
		if !(&session{engine: d.engine}).happens(verb, rest) {
			d.t.Fatalf("line %d: unknown %q", at, cmp.Or(verb, rest))
		}
	}
}

// TestCommandsAreRemembered looks at the file behind the up arrow: commands only, never a secret, the owner's only, and none if
// that is what the person wants.
func TestCommandsAreRemembered(t *testing.T) {
	for config, want := range map[string]string{"": "/rounds\n/help nix-the-last\n", "recall = false\n": ""} {
		d := newDesk(t, 80, 24)
		if err := os.WriteFile(filepath.Join(d.home, "config.toml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		d.engine.add("friends")
		d.start()
		d.until("a prompt", func() bool { return strings.HasSuffix(d.screen.Screen(), "friends> ▮") })
		for _, l := range []string{"/rounds", "hello", "/join " + d.engine.invite().Token(), "/jion x " + secretID, "/help nix-the-last"} {
			d.press(l + "\r")
		}
		d.until("the end", func() bool { return strings.Contains(d.screen.Screen(), `command "/nix-the-last"`) })
		file := filepath.Join(d.home, "history")
		got, err := os.ReadFile(file)
		if string(got) != want || want != "" && err != nil {
			t.Errorf("with %q the file holds %q, %v, want %q", config, got, err, want)
		}
		if info, err := os.Stat(file); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("the file is %v", info.Mode())
		}
	}
}

// TestPanicGivesTheTerminalBack has this test binary run a program with a bug, on a goroutine that is not main's.
func TestPanicGivesTheTerminalBack(t *testing.T) {
	for part, bug := range panicking {
		t.Run(part, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			home := t.TempDir()
			identitytest.Keyring(t, home, 0)
			keys, tty, err := vt.OpenPTY(100, 300)
			if err != nil {
				t.Fatal(err)
			}
			defer keys.Close()
			defer tty.Close()
			cooked := stateOf(t, tty)
			screen := vt.New(100, 300)
			go screen.Follow(keys)
			program := exec.CommandContext(ctx, os.Args[0])
			program.Env = append(os.Environ(), "TERM=xterm", panics+"="+part+" "+home)
			program.Stdin, program.Stdout, program.Stderr = tty, tty, tty
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			seen := screen.Wait(patience, func() bool { return strings.HasSuffix(screen.Screen(), "> ▮") })
			if raw := stateOf(t, tty); !seen || reflect.DeepEqual(raw, cooked) {
				t.Fatalf("no shell: %s", screen.Screen())
			}
			keys.WriteString(bug.line + "\r")
			if program.Wait(); program.ProcessState.ExitCode() != 2 {
				t.Errorf("the program ended with %v:\n%s", program.ProcessState, screen.Screen())
			}
			if !reflect.DeepEqual(stateOf(t, tty), cooked) {
				t.Error("the terminal is not as it was")
			}
			if !screen.Wait(patience, func() bool { on, _ := screen.Paste(); return !on }) {
				t.Error("bracketed paste is left on")
			}
			told := func() bool {
				all := screen.Screen()
				_, stack, bug := strings.Cut(all, "opentalk has a bug")
				return bug && strings.Contains(stack, "panic: as told") && strings.Contains(stack, "panic_test.go")
			}
			if !screen.Wait(patience, told) {
				t.Errorf("the screen tells no bug:\n%s", screen.Screen())
			}
		})
	}
}

func stateOf(t *testing.T, tty *os.File) (state *xterm.State) {
	t.Helper()
	raw, err := tty.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { state, err = xterm.GetState(int(fd)) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return state
}
