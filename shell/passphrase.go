package shell

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"opentalk/engine"
	"opentalk/shell/line"
	"opentalk/shell/term"
)

const (
	passphraseTries = 3    // where a person types
	maxPassphrase   = 1024 // bytes, from a descriptor
)

var errNoTerminal = errors.New("nobody can be asked")

// passphrase opens a sealed secrets file: from the descriptor that was named, or from the person.
func (s *Shell) passphrase() ([]byte, error) {
	switch {
	case s.opts.PassphraseFD > 0:
		return readPassphrase(os.NewFile(uintptr(s.opts.PassphraseFD), "passphrase"))
	case !s.person:
		return nil, fmt.Errorf("%w: it was not given", engine.ErrPassphrase)
	}
	if s.editor == nil {
		if err := s.openEditor(); err != nil {
			return nil, err
		}
	} else {
		s.view.notice(term.Literal("that was not it"))
	}
	p, err := s.editor.ReadPassword(term.Literal("passphrase: "))
	if err != nil {
		return nil, fmt.Errorf("%w: it was not given", engine.ErrPassphrase)
	}
	return p, nil
}

// readPassphrase reads the first line of f.
func readPassphrase(f *os.File) ([]byte, error) {
	defer f.Close()
	p, err := bufio.NewReader(io.LimitReader(f, maxPassphrase+2)).ReadBytes('\n')
	p = bytes.TrimSuffix(bytes.TrimSuffix(p, []byte("\n")), []byte("\r"))
	if err != nil && !errors.Is(err, io.EOF) || len(p) > maxPassphrase {
		return nil, fmt.Errorf("%w: the descriptor gives none", engine.ErrPassphrase)
	}
	return p, nil
}

// askPassphrase asks for a new passphrase, twice. It is called where lines are read, since only one can read at a time.
func askPassphrase(e line.Editor) ([]byte, error) {
	first, err := e.ReadPassword(term.Literal("new passphrase, empty for none: "))
	if err != nil {
		return nil, faultf(errNoTerminal, "no passphrase was given; nothing is changed")
	}
	second, err := e.ReadPassword(term.Literal("once more: "))
	defer clear(second)
	if err != nil || !bytes.Equal(first, second) {
		clear(first)
		return nil, faultf(errValue, "the two are not the same; nothing is changed").but("/passphrase asks again")
	}
	return first, nil
}

func runPassphrase(c *call) error {
	if !c.asked {
		return faultf(errNoTerminal, "a passphrase is only taken from the keyboard")
	}
	defer clear(c.passphrase)
	if err := c.SetPassphrase(c.passphrase); err != nil {
		return err
	}
	if len(c.passphrase) == 0 {
		c.say(term.Literal("the secrets file is not sealed: whoever can read it is you"))
	} else {
		c.say(term.Literal("the secrets file is sealed: without the passphrase not even you can open it"))
	}
	return nil
}
