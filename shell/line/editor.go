package line

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/chzyer/readline"

	"opentalk/shell/term"
)

// editor is the Editor on a terminal.
type editor struct {
	cfg      Config
	input    *input
	readline *readline.Operation
	stdin    io.Closer // readline's end of its input
	tty      *tty

	turn    sync.Mutex // held by ReadLine and ReadPassword
	ended   bool       // there was the end of input; guarded by turn
	drained bool       // readline has seen the end of its input, and its goroutines have ended; guarded by turn

	mu         sync.Mutex // guards all below
	screen     screen
	prompt     term.Text
	buf        buffer // the line as readline has it
	pastes     []key  // pastes whose keyPaste is on its way through readline
	killed     []rune
	history    *history
	search     *search     // not nil while searching
	completion *completion // not nil between one Tab and the next
	prefill    string
	reading    bool // a ReadLine or ReadPassword is in progress
	hangup     bool // the terminal has ended
	closed     bool
}

var errNoTerminal = errors.New("opening line editor: not a terminal")

// Open puts the terminal into raw mode and returns an editor on it. It fails if In or Out is not a terminal, and if the history
// file can't be opened: then open again without one.
func Open(cfg Config) (Editor, error) {
	if !Interactive(cfg.In, cfg.Out) {
		return nil, errNoTerminal
	}
	cfg.guard()
	h, err := openHistory(cfg.History)
	if err != nil {
		return nil, err
	}
	e := &editor{cfg: cfg, prompt: cfg.Prompt, history: h}
	e.tty = newTTY(cfg.In, cfg.Out)
	if err := e.tty.raw(); err != nil {
		h.close()
		return nil, fmt.Errorf("opening line editor: %w", err)
	}
	e.screen = screen{out: cfg.Out, profile: cfg.Profile, size: e.tty.size}
	e.screen.raw(pasteOn)
	e.startReadline()
	e.input = newInput(e.command)
	e.input.start(cfg.In, cfg.OnPanic)
	e.tty.watch(e.resized, e.resumed, cfg.OnPanic)
	return e, nil
}

// startReadline makes a readline that prints nothing, saves nothing, knows no terminal, and does not handle signals.
func (e *editor) startReadline() {
	nothing := func() error { return nil }
	cfg := &readline.Config{
		Stdin:                  &source{next: e.nextKey},
		Stdout:                 io.Discard,
		Stderr:                 io.Discard,
		Listener:               e,
		Painter:                painter{},
		HistoryLimit:           -1,
		DisableAutoSaveHistory: true,
		UniqueEditLine:         true,
		FuncIsTerminal:         func() bool { return false },
		FuncGetWidth:           func() int { return 80 },
		FuncMakeRaw:            nothing,
		FuncExitRaw:            nothing,
		FuncOnWidthChanged:     func(func()) {},
	}
	// NewTerminal fails only if cfg.Init does, which never does.
	terminal, _ := readline.NewTerminal(cfg)
	e.readline = terminal.Readline()
	e.stdin = cfg.Stdin
}

type painter struct{}

func (painter) Paint(line []rune, _ int) []rune { return line }

// nextKey feeds readline, on a goroutine of readline's.
func (e *editor) nextKey() (rune, error) {
	defer e.cfg.OnPanic()
	k, err := e.input.next()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.hangup = true
	}
	if k.r == keyPaste {
		e.pastes = append(e.pastes, k)
	}
	return k.r, err
}

// command handles the keys that work whether or not a line is being read.
func (e *editor) command(raw byte) bool {
	switch raw {
	case 0x1a: // Ctrl-Z
		e.suspend()
		return true
	case keyInterrupt:
		e.mu.Lock()
		idle := !e.reading && !e.closed
		e.mu.Unlock()
		if idle && e.cfg.Interrupt != nil {
			e.input.discard()
			e.cfg.Interrupt()
			return true
		}
	}
	return false
}

func (e *editor) ReadLine() (string, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	for {
		if !e.begin() {
			return "", io.EOF
		}
		runes, err := e.readline.Runes()
		again, err := e.finish(err)
		switch {
		case again:
			continue
		case err != nil:
			return "", err
		}
		line := released(runes)
		e.remember(line)
		return line, nil
	}
}

// begin shows the line to be typed. It returns false at the end of input.
func (e *editor) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || e.closed {
		return false
	}
	e.buf = buffer{}
	e.takePrefill()
	e.readline.SetBuffer(string(e.buf.text))
	e.reading = true
	e.show()
	return true
}

// finish takes the line off the screen and returns why there is none, if so. It asks for another turn if Ctrl-C ended only a
// search.
func (e *editor) finish(err error) (again bool, _ error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	search, typed := e.search, len(e.buf.text) > 0
	e.reading, e.search, e.completion = false, nil, nil
	e.buf = buffer{}
	e.ended = e.ended || e.hangup
	e.drained = err == io.EOF && e.hangup
	if e.closed {
		return false, io.EOF
	}
	if err == readline.ErrInterrupt && search != nil {
		e.prefill = released(search.before.text)
		return true, nil
	}
	e.screen.hide()
	e.history.rewind()
	switch {
	case e.hangup: // readline takes the end of input for Enter
		return false, io.EOF
	case err == readline.ErrInterrupt && typed:
		return false, ErrDropped
	case err == readline.ErrInterrupt:
		return false, ErrInterrupt
	case err != nil:
		return false, ErrEnd
	}
	return false, nil
}

// remember puts line into the history.
func (e *editor) remember(line string) {
	keep := Recall
	if e.cfg.Keep != nil {
		keep = e.cfg.Keep(line)
	}
	if keep == Forget || strings.TrimSpace(line) == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.history.add(line)
	if keep != Record || e.closed {
		return
	}
	if err := e.history.record(line); err != nil {
		e.history.close() // a full disk is no reason to say so each time
		e.screen.print(term.Sprintf("%v; lines are not saved any more", err))
	}
}

// OnChange is called by readline on its own goroutine after each key, with the line as the key left it, and returns the line
// as it shall be.
func (e *editor) OnChange(line []rune, pos int, key rune) (newLine []rune, newPos int, ok bool) {
	defer e.cfg.OnPanic()
	switch key {
	case 0, keyEnter, keyNewline, keyInterrupt: // the beginning and the end of a line: ReadLine sees to those
		return nil, 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if key == keyDelete && len(line) == 0 && len(e.buf.text) == 0 {
		return nil, 0, false // the end of input
	}
	before := e.buf.clone()
	e.press(buffer{line, pos}, key)
	if len(e.buf.text) > maxLine {
		e.buf = before
		e.screen.bell()
	}
	e.show()
	return slices.Clone(e.buf.text), e.buf.pos, true
}

// press carries out a key, given what readline made of it.
func (e *editor) press(typed buffer, k rune) {
	if k == keyPrefill {
		e.takePrefill()
		return
	}
	if e.search != nil && e.searchKey(k) {
		return
	}
	if e.completion != nil {
		switch k {
		case keyTab:
			e.choose(1)
			return
		case keyBackTab:
			e.choose(-1)
			return
		case keyEscape:
			e.completion = nil
			return
		}
		e.completion = nil
	}
	switch {
	case e.buf.edit(k, &e.killed):
	case k == keyPaste:
		e.paste()
	case k == keyUp:
		e.recall(-1)
	case k == keyDown:
		e.recall(1)
	case k == keyTab:
		e.complete()
	case k == keySearch || k == keySearchForward:
		e.startSearch()
	case k == keyClear:
		e.screen.clear()
	case k == keyEscape:
		if e.multiLine() {
			e.killed, e.buf = e.buf.text, buffer{}
		}
	case k < firstKey || k > lastKey:
		typed.text = slices.Clone(typed.text)
		typed.pos = typed.snap()
		e.buf = typed
	}
}

// paste inserts the next paste into the line.
func (e *editor) paste() {
	k := e.pastes[0]
	e.pastes = e.pastes[1:]
	switch {
	case k.size > 0:
		e.screen.print(term.Sprintf("the pasted text of %d bytes exceeds the limit of %d and was left out", k.size, maxPaste))
	case len(e.buf.text)+len(k.text) > maxLine:
		e.screen.print(term.Sprintf("a line of %d characters exceeds the limit of %d; what was pasted was left out",
			len(e.buf.text)+len(k.text), maxLine))
	default:
		e.buf.replace(e.buf.pos, k.text)
	}
}

func (e *editor) recall(by int) {
	entry, ok := e.history.move(by, released(e.buf.text))
	if !ok {
		e.screen.bell()
		return
	}
	text := held(entry)
	e.buf = buffer{text, len(text)}
}

func (e *editor) multiLine() bool { return slices.Contains(e.buf.text, heldNewline) }

// show draws the line being typed, and below it what there is to say about it.
func (e *editor) show() {
	v := view{prompt: e.prompt, line: e.buf.clone()}
	switch {
	case e.search != nil:
		row := e.search.row()
		v.below = func(int, int) []term.Text { return []term.Text{row} }
	case e.completion != nil:
		c := *e.completion
		v.below = c.rows
	case e.multiLine():
		lines := 1
		for _, r := range e.buf.text {
			if r == heldNewline {
				lines++
			}
		}
		hint := term.Style{Dim: true}.Apply(term.Sprintf("%d lines, one message: Enter sends, Esc drops", lines))
		v.below = func(int, int) []term.Text { return []term.Text{hint} }
	}
	if e.reading && !e.closed {
		e.screen.show(v)
	}
}

// Prefill goes the way of the keys: between two of them the line is readline's.
func (e *editor) Prefill(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.prefill = text
	select {
	case e.input.prefill <- struct{}{}:
	default:
	}
}

// takePrefill begins the line with what Prefill was given, unless something was typed meanwhile.
func (e *editor) takePrefill() {
	if len(e.buf.text) == 0 && e.search == nil {
		text := held(e.prefill)
		e.buf = buffer{text, len(text)}
	}
	e.prefill = ""
}

func (e *editor) Print(text term.Text) {
	e.onScreen(func(s *screen) { s.print(text) })
}

func (e *editor) SetPrompt(prompt term.Text) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.prompt = prompt
	if e.reading && e.screen.shown != nil && !e.screen.shown.hidden {
		e.show()
	}
}

func (e *editor) Stays() bool { return false }

func (e *editor) Columns() int {
	cols, _ := e.tty.size()
	return cols
}

func (e *editor) Clear() { e.onScreen((*screen).clear) }

func (e *editor) Bell() { e.onScreen((*screen).bell) }

func (e *editor) Notify(text term.Text) {
	// A semicolon separates arguments in some terminals' other uses of OSC 9.
	body := strings.NewReplacer("\n", " ", ";", ",").Replace(text.String())
	e.onScreen(func(s *screen) { s.raw("\x1b]9;" + body + "\a\a") })
}

// onScreen calls f unless the editor is closed.
func (e *editor) onScreen(f func(*screen)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		f(&e.screen)
	}
}

// resized draws the line again for the terminal's new size.
func (e *editor) resized() { e.onScreen((*screen).redraw) }

// resumed puts the terminal back into raw mode after the program was stopped and goes on. After a stop that suspend did not see
// coming, a line of several rows is drawn over as many rows of what the shell has written since.
func (e *editor) resumed() {
	e.onScreen(func(s *screen) {
		e.tty.raw()
		s.raw(pasteOn)
		s.redraw()
	})
}

// suspend stops the program and all others of its job, as Ctrl-Z does when no program handles it.
func (e *editor) suspend() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	shown := e.screen.shown
	e.screen.hide()
	e.screen.raw(pasteOff)
	e.tty.restore()
	e.tty.stop()
	e.tty.raw()
	e.screen.raw(pasteOn)
	if shown != nil {
		e.screen.show(*shown)
	}
}

func (e *editor) Close() error {
	err := e.restore()
	go e.drain()
	return err
}

// restore gives the terminal back as it was found.
func (e *editor) restore() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.tty.unwatch()
	e.screen.hide()
	e.screen.raw(pasteOff)
	e.history.close()
	gone := e.hangup
	e.input.stop()
	if err := e.tty.restore(); err != nil && !gone {
		return fmt.Errorf("restoring the terminal: %w", err)
	}
	return nil
}

// drain lets readline's goroutines run into the end of their input. readline's own Close waits for the next key, and may leave
// them waiting for ever.
func (e *editor) drain() {
	defer e.cfg.OnPanic()
	e.input.stop()
	e.turn.Lock()
	defer e.turn.Unlock()
	for !e.drained {
		_, err := e.readline.Runes()
		e.mu.Lock()
		e.drained = err == io.EOF && e.hangup
		e.mu.Unlock()
	}
	e.stdin.Close()
}
