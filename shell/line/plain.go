package line

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"opentalk/shell/term"
)

// calm is how long nothing must have been printed before a plain editor shows its prompt, so that what a line brings comes first.
const calm = 100 * time.Millisecond

// plain is the Editor of a terminal that knows no escape sequences: the shell of Emacs, expect. The line is edited and shown by the
// terminal, which sends it when it is finished; so nothing can be drawn over it. What is printed meanwhile begins a line of its own,
// and the prompt comes again below; what was typed still counts (Ctrl-R shows it on most systems).
//
// There is no history, no completion and no Prefill, each line of a paste is a line, and Ctrl-C is the signal that it is
// everywhere else.
type plain struct {
	cfg   Config
	tty   *tty
	lines *bufio.Reader // of cfg.In; read by whoever holds turn
	turn  sync.Mutex    // held by ReadLine and ReadPassword

	mu       sync.Mutex // guards all below
	prompt   term.Text
	reading  bool
	prompted bool // the cursor is behind a prompt
	soon     *time.Timer
	closed   bool
}

// Dumb reports whether the environment names a terminal for [OpenPlain]. Windows has no names for its own.
func Dumb() bool {
	kind := os.Getenv("TERM")
	return kind == "dumb" || kind == "" && runtime.GOOS != "windows"
}

// OpenPlain returns an editor that sends the terminal text only, and leaves its modes alone but for a password. It fails as Open
// does.
func OpenPlain(cfg Config) (Editor, error) {
	if !Interactive(cfg.In, cfg.Out) {
		return nil, errNoTerminal
	}
	cfg.guard()
	p := &plain{cfg: cfg, prompt: cfg.Prompt, tty: newTTY(cfg.In, cfg.Out), lines: bufio.NewReaderSize(cfg.In, 4*maxLine)}
	p.soon = time.AfterFunc(calm, p.showPrompt)
	return p, nil
}

func (p *plain) Stays() bool { return true }

func (p *plain) ReadLine() (string, error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	for {
		p.begin()
		text, err := p.lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = p.lines.ReadSlice('\n')
		}
		line := strings.TrimRight(string(text), "\r\n")
		switch err = p.finish(err); {
		case err != nil:
			return "", err
		case long:
			p.Print(term.Sprintf("a line exceeds the limit of %d bytes and was left out", p.lines.Size()))
		default:
			return line, nil
		}
	}
}

// begin has the prompt shown once it is calm.
func (p *plain) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = true
	p.soon.Reset(calm)
}

// finish returns what the end of reading means. The terminal itself has gone to the next line, but not after Ctrl-D.
func (p *plain) finish(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading = false
	switch {
	case p.closed:
		return io.EOF
	case errors.Is(err, io.EOF):
		return ErrEnd
	case err != nil:
		return io.EOF
	}
	p.prompted = false
	return nil
}

func (p *plain) showPrompt() {
	defer p.cfg.OnPanic()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading && !p.prompted && !p.closed {
		p.write(p.cfg.Profile.Render(p.prompt))
		p.prompted = true
	}
}

// write writes text, on a line of its own if there is a prompt. A terminal that is gone takes nothing, and the end of its input
// says so.
func (p *plain) write(text string) {
	if p.prompted {
		text = "\n" + text
	}
	io.WriteString(p.cfg.Out, text)
	p.prompted = false
}

func (p *plain) Print(text term.Text) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.write(strings.TrimSuffix(p.cfg.Profile.Render(text), "\n") + "\n")
	p.soon.Reset(calm)
}

// SetPrompt shows the new prompt below the old one: it tells of what is unread elsewhere.
func (p *plain) SetPrompt(prompt term.Text) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prompt.String() == p.prompt.String() || p.closed {
		return
	}
	p.prompt = prompt
	if p.prompted {
		p.write("")
	}
	p.soon.Reset(calm)
}

func (p *plain) ReadPassword(prompt term.Text) ([]byte, error) {
	p.turn.Lock()
	defer p.turn.Unlock()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, io.EOF
	}
	err := p.tty.raw()
	p.write(p.cfg.Profile.Render(prompt))
	p.prompted = true
	p.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("hiding what is typed: %w", err)
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tty.restore()
		p.write("")
	}()
	return p.typeSecret()
}

// typeSecret wipes what it does not return.
func (p *plain) typeSecret() (_ []byte, err error) {
	secret := make([]byte, 0, maxPassword)
	defer func() {
		if err != nil {
			clear(secret[:cap(secret)])
		}
	}()
	for {
		b, err := p.lines.ReadByte()
		switch {
		case err != nil:
			return nil, io.EOF
		case b == '\r' || b == '\n':
			return secret, nil
		case b == keyInterrupt:
			return nil, ErrInterrupt
		case b == keyDelete && len(secret) == 0:
			return nil, ErrEnd
		case b == 127 || b == '\b':
			_, n := utf8.DecodeLastRune(secret)
			secret = secret[:len(secret)-n]
		case b >= ' ' && len(secret) < maxPassword:
			secret = append(secret, b)
		}
	}
}

func (p *plain) Columns() int {
	cols, _ := p.tty.size()
	return cols
}

// Bell is a character that the plainest terminals know.
func (p *plain) Bell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		io.WriteString(p.cfg.Out, "\a")
	}
}

func (p *plain) Notify(term.Text) { p.Bell() }
func (p *plain) Prefill(string)   {} // what was typed is still to be read
func (p *plain) Clear()           {}

func (p *plain) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.write("")
	p.closed = true
	p.soon.Stop()
	p.cfg.In.SetReadDeadline(time.Unix(1, 0)) // breaks off a read, where the system can
	return p.tty.restore()
}
