// Package linetest is a fake line editor for tests of what is built on package line: lines are fed to it, and what was
// printed is read from it, without a terminal. Nothing but tests imports it.
package linetest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"opentalk/shell/line"
	"opentalk/shell/term"
)

// Editor is a [line.Editor] without a terminal. Use [New].
type Editor struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	inputs  []input
	cols    int
	prompt  string
	prefill string
	shown   strings.Builder
	bells   int
	notices []string
	cleared int
	closed  bool
}

var _ line.Editor = (*Editor)(nil)

// input is what one call of ReadLine or ReadPassword returns.
type input struct {
	text   string
	secret bool
	err    error
}

// New returns an editor 80 columns wide on which nothing has been typed.
func New() *Editor { return &Editor{changed: make(chan struct{}), cols: 80} }

// Type feeds lines, each of which one ReadLine returns. A line may hold newlines, as one pasted does.
func (e *Editor) Type(lines ...string) {
	for _, l := range lines {
		e.feed(input{text: l})
	}
}

// TypePassword feeds what one ReadPassword returns.
func (e *Editor) TypePassword(secret string) { e.feed(input{text: secret, secret: true}) }

// Interrupt presses Ctrl-C, in turn after what was fed before.
func (e *Editor) Interrupt() { e.feed(input{err: line.ErrInterrupt}) }

// End presses Ctrl-D at an empty line, in turn after what was fed before.
func (e *Editor) End() { e.feed(input{err: line.ErrEnd}) }

// Hangup ends the terminal, in turn after what was fed before.
func (e *Editor) Hangup() { e.feed(input{err: io.EOF}) }

// Resize changes what Columns returns.
func (e *Editor) Resize(cols int) { e.change(func() { e.cols = cols }) }

// Shown returns all that was printed, one line each.
func (e *Editor) Shown() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shown.String()
}

// Prompt returns the prompt as it is now.
func (e *Editor) Prompt() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.prompt
}

// Prefilled returns what the next ReadLine would begin with. The fake leaves it there until Prefill is called again.
func (e *Editor) Prefilled() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.prefill
}

// Bells returns how often the bell rang; a notification rings it, too.
func (e *Editor) Bells() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bells
}

// Notices returns the notifications.
func (e *Editor) Notices() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.notices...)
}

// Cleared returns how often the screen was cleared. What was printed before stays in Shown.
func (e *Editor) Cleared() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cleared
}

// Wait returns when what was printed contains text, or an error with all of it when ctx is done first.
func (e *Editor) Wait(ctx context.Context, text string) error {
	return e.WaitFor(ctx, fmt.Sprintf("%q", text), func() bool { return strings.Contains(e.Shown(), text) })
}

// WaitFor returns when condition, which may call e's other methods, is true; it is tried after each change of the editor.
func (e *Editor) WaitFor(ctx context.Context, what string, condition func() bool) error {
	for {
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; shown so far:\n%s", what, ctx.Err(), e.Shown())
		}
	}
}

func (e *Editor) feed(in input) { e.change(func() { e.inputs = append(e.inputs, in) }) }

// change calls f with the lock held and wakes whoever waits.
func (e *Editor) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	close(e.changed)
	e.changed = make(chan struct{})
}

// next takes the input that is next in turn, if it is for a line or a password as asked; Ctrl-C and Ctrl-D are for both.
func (e *Editor) next(secret bool) (string, error) {
	for {
		e.mu.Lock()
		changed := e.changed
		if e.closed {
			e.mu.Unlock()
			return "", io.EOF
		}
		if len(e.inputs) > 0 && (e.inputs[0].err != nil || e.inputs[0].secret == secret) {
			in := e.inputs[0]
			if in.err != io.EOF { // a hangup stays
				e.inputs = e.inputs[1:]
			}
			e.mu.Unlock()
			return in.text, in.err
		}
		e.mu.Unlock()
		<-changed
	}
}

// ReadLine implements [line.Editor]. It waits until something is fed.
func (e *Editor) ReadLine() (string, error) { return e.next(false) }

// ReadPassword implements [line.Editor]. Its prompt counts as shown.
func (e *Editor) ReadPassword(prompt term.Text) ([]byte, error) {
	e.Print(prompt)
	text, err := e.next(true)
	if err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// Stays is false.
func (e *Editor) Stays() bool { return false }

// Prefill implements [line.Editor].
func (e *Editor) Prefill(text string) { e.change(func() { e.prefill = text }) }

// Print implements [line.Editor].
func (e *Editor) Print(text term.Text) {
	e.change(func() {
		if !e.closed {
			e.shown.WriteString(strings.TrimSuffix(text.String(), "\n") + "\n")
		}
	})
}

// SetPrompt implements [line.Editor].
func (e *Editor) SetPrompt(prompt term.Text) { e.change(func() { e.prompt = prompt.String() }) }

// Columns implements [line.Editor].
func (e *Editor) Columns() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cols
}

// Clear implements [line.Editor].
func (e *Editor) Clear() { e.change(func() { e.cleared++ }) }

// Bell implements [line.Editor].
func (e *Editor) Bell() { e.change(func() { e.bells++ }) }

// Notify implements [line.Editor].
func (e *Editor) Notify(text term.Text) {
	e.change(func() {
		e.bells++
		e.notices = append(e.notices, text.String())
	})
}

// Close implements [line.Editor].
func (e *Editor) Close() error {
	e.change(func() { e.closed = true })
	return nil
}
