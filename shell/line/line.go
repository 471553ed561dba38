// Package line is the line editor: it reads lines from a person at a terminal and prints above the line being typed.
//
// [Open] gives the editor that people use, [OpenPlain] one for terminals that can do nothing (plain.go). What follows is about the first.
//
// Editing is chzyer/readline's: it reads the keys and keeps the line. It is old, and unmaintained: output from elsewhere races
// with its search, completion and resizing, it loses count of the cursor with wide characters, and it knows little of
// today's terminals; traps_test.go lists what it does, with the tests for each. So it is kept on a lead, here and nowhere else:
//
//	terminal → input → readline → editor.OnChange → screen → terminal
//
// input (input.go, decode.go) turns bytes into keys: escape sequences, pastes, Ctrl-C, Ctrl-Z. readline sees only characters
// and the few keys that it handles well; every other key reaches it as a noncharacter, which it puts into the line, and
// OnChange, which readline calls after each key, takes out again and acts upon (keys.go, edit.go, history.go, complete.go,
// search.go). readline is told that it has no terminal, so it prints nothing; screen (screen.go) draws the line and whatever
// is printed above it. readline's own history, search, completion, password and suspend code never runs.
//
// Goroutines: one reads bytes, one makes keys of them, two are readline's (OnChange runs on one of them), one takes signals,
// and callers come on their own. editor.mu guards the line and the screen; nothing is waited for while holding it but
// the terminal to take output and, after Ctrl-Z, the shell to let the program go on.
package line

import (
	"errors"
	"os"

	"opentalk/shell/term"
)

// What [Editor.ReadLine] and [Editor.ReadPassword] return instead of a line. All let reading go on.
var (
	ErrInterrupt = errors.New("interrupted")  // the person pressed Ctrl-C
	ErrDropped   = errors.New("line dropped") // the person pressed Ctrl-C on a line with something in it
	ErrEnd       = errors.New("end of input") // the person pressed Ctrl-D with nothing typed
)

// Limits on what is typed. What goes beyond is refused with a bell or a line that says so, never cut.
const (
	maxLine     = 16384 // runes in a line
	maxPaste    = 65536 // bytes in a paste
	maxPassword = 1024  // bytes
)

// Editor reads lines from a person and prints above the line being typed. Its methods may be called from any goroutine, but
// ReadLine and ReadPassword take turns. After Close, printing does nothing and reading returns io.EOF.
//
// The terminal is in raw mode from Open to Close: what else writes to it, a panic included, may show up as a staircase on
// some systems, and Ctrl-C sends no signal (see [Config.Interrupt]).
type Editor interface {
	// ReadLine shows the prompt and returns the line that the person finished with Enter, without a newline at its end. It
	// takes the line off the screen: the caller prints what should stay. A line holds newlines only if the person pasted them or
	// pressed Alt-Enter, and no other control character than tab; it is as typed otherwise, so clean it before it is shown.
	//
	// Ctrl-C drops the line and returns ErrDropped, or ErrInterrupt if there was nothing typed; Ctrl-D on an empty line returns ErrEnd. At the end of the terminal an
	// unfinished line is dropped, and ReadLine returns io.EOF, from then on at once. What is typed between two calls is kept for
	// the next.
	ReadLine() (string, error)

	// Stays reports whether a line that was read stays on the screen all the same: the terminal has shown it, and the caller need not.
	Stays() bool

	// Prefill puts text into the line being typed, for the person to change or send, unless there is something in it already; while
	// no line is being read, into the next one. Newlines stay.
	Prefill(text string)

	// Print writes text above the line being typed, which stays as it is, with a newline after it unless it has one. It
	// returns when the terminal has taken it.
	Print(text term.Text)

	// SetPrompt changes the prompt, also of a line being typed. Only the first line of it is shown, and at most half the width.
	SetPrompt(prompt term.Text)

	// ReadPassword asks for a secret: nothing typed is shown, kept in a history, or seen by readline. Its errors are those of
	// ReadLine, without ErrDropped. The result is the caller's to wipe.
	ReadPassword(prompt term.Text) ([]byte, error)

	// Columns returns the width of the terminal, 80 if it does not tell.
	Columns() int

	// Clear empties the screen, as Ctrl-L does, and keeps the line being typed.
	Clear()

	// Bell rings the terminal's bell.
	Bell()

	// Notify rings the bell and asks the terminal to show text outside of its window, in the way of OSC 9. Terminals that don't
	// know it do nothing more.
	Notify(text term.Text)

	// Close restores the terminal and lets a ReadLine in progress return io.EOF. Calling it again does nothing. Deferred in
	// main, it also restores the terminal when main panics. A read of the terminal may stay in progress until the next key.
	Close() error
}

// Keep says what becomes of a line that was entered.
type Keep int

const (
	Forget Keep = iota // not even the up arrow brings it back
	Recall             // the up arrow and Ctrl-R find it until the editor is closed
	Record             // it is written to the history file, too
)

// Config is what an editor needs. Only In and Out are required.
type Config struct {
	// In and Out are the terminal. Main may have put something else in the place of os.Stdin.
	In, Out *os.File

	Prompt  term.Text
	Profile term.Profile

	// History is the path of the history file, "" for none. It is made readable by its owner only before anything is written.
	History string
	// Keep is asked about each line entered; nil means Recall.
	Keep func(line string) Keep

	// Complete returns what may stand in place of line[from:pos], pos being the cursor; both count bytes. It is called when the
	// person presses Tab, with no lock held, and the person waits for it. Control characters are dropped from candidates.
	Complete func(line string, pos int) (from int, candidates []string)

	// Interrupt is called when Ctrl-C is pressed while no line is being read, on a goroutine that reads no key until it returns;
	// what was typed ahead is dropped. If it is nil, the next ReadLine returns ErrInterrupt.
	Interrupt func()

	// OnPanic is deferred on every goroutine that the editor runs on, so that it can recover, give the terminal back with Close, and
	// panic again. It may be nil.
	OnPanic func()
}

// guard makes OnPanic something that can be deferred.
func (cfg *Config) guard() {
	if cfg.OnPanic == nil {
		cfg.OnPanic = func() {}
	}
}

// Interactive reports whether in and out are a terminal.
func Interactive(in, out *os.File) bool {
	return isTerminal(in) && isTerminal(out)
}
