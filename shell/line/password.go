package line

import (
	"io"
	"unicode/utf8"

	"opentalk/shell/term"
)

func (e *editor) ReadPassword(prompt term.Text) ([]byte, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	if e.ended || e.closed {
		e.mu.Unlock()
		return nil, io.EOF
	}
	e.reading = true
	e.screen.show(view{prompt: prompt, hidden: true})
	e.mu.Unlock()

	defer e.onScreen((*screen).hide)
	defer func() {
		e.mu.Lock()
		e.reading = false
		e.mu.Unlock()
	}()
	return e.typeSecret()
}

// typeSecret takes keys from the input directly: readline would keep copies. It wipes what it does not return.
func (e *editor) typeSecret() ([]byte, error) {
	secret := make([]byte, 0, maxPassword)
	for {
		k, err := e.input.next()
		switch {
		case err != nil:
			clear(secret[:cap(secret)])
			return nil, io.EOF
		case k.r == keyDelete && len(secret) == 0:
			return nil, ErrEnd
		case k.r == keyEnter:
			return secret, nil
		case k.r == keyInterrupt:
			clear(secret[:cap(secret)])
			return nil, ErrInterrupt
		case k.r == keyBackspace:
			_, n := utf8.DecodeLastRune(secret)
			clear(secret[len(secret)-n:])
			secret = secret[:len(secret)-n]
		case k.r == keyKillStart || k.r == keyEscape:
			clear(secret)
			secret = secret[:0]
		case k.r == keyPaste:
			secret = e.appendSecret(secret, []byte(released(k.text)))
		case typable(k.r):
			secret = e.appendSecret(secret, utf8.AppendRune(nil, k.r))
		}
	}
}

func (e *editor) appendSecret(secret, more []byte) []byte {
	defer clear(more)
	if len(secret)+len(more) > maxPassword {
		e.Bell()
		return secret
	}
	return append(secret, more...)
}
