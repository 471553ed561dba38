package chain

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Form is how a message is meant to be shown.
type Form uint64

// The forms. A form that a reader does not know is shown as plain.
const (
	Plain  Form = 0
	Action Form = 1 // "* alice waves"
)

// MessageID names a message. It is drawn when the message is first stored and is the same on every screen. Another author
// can use it again: only the author and the id together name one message.
type MessageID [16]byte

// Message is one thing that somebody said. CHAIN 3.3.
type Message struct {
	_       struct{} `cbor:",toarray"`
	ID      MessageID
	Written uint64 // the author's clock when it was written, in milliseconds
	Form    Form
	Auto    bool // a script or plugin wrote it
	Text    string
}

// When is Written as a time.
func (m *Message) When() time.Time { return time.UnixMilli(int64(m.Written)) }

// Check reports why m cannot be sent.
func (m *Message) Check() error {
	switch {
	case m.Text == "":
		return errors.New("message is empty")
	case len(m.Text) > MaxText:
		return fmt.Errorf("%w of %d bytes exceeds the limit of %d", ErrTooLong, len(m.Text), MaxText)
	case !utf8.ValidString(m.Text):
		return ErrNotText
	case m.Written > MaxTime:
		return fmt.Errorf("time %d exceeds the limit of %d", m.Written, uint64(MaxTime))
	}
	return nil
}

// messageOverhead is at most what a message takes in a body beside its text: 1 for the array, 17 for the id, 9 for the time,
// 9 for the form, 1 for auto, 3 for the length of the text. messagesOverhead is that of the array around them.
const (
	messageOverhead  = 40
	messagesOverhead = 3
)

// EncodeMessages returns the plaintext of a message block that holds as many of ms as fit in room bytes, in their order, and
// how many those are. It refuses the whole when one of them fails Check, since readers would, or when not even the first
// fits.
func EncodeMessages(ms []Message, room int) (plain []byte, n int, err error) {
	size := messagesOverhead
	for ; n < len(ms); n++ {
		if size += messageOverhead + len(ms[n].Text); size > room {
			break
		}
		if err := ms[n].Check(); err != nil {
			return nil, 0, fmt.Errorf("writing messages: %w", err)
		}
	}
	if n == 0 {
		return nil, 0, fmt.Errorf("writing messages: none of %d fits in %d bytes", len(ms), room)
	}
	plain, err = encMode.Marshal(ms[:n])
	return plain, n, err
}

// ParseMessages reads the plaintext of a message block. One bad message makes the block unreadable.
func ParseMessages(plain []byte) ([]Message, error) {
	ms, ok := canonicalMessages(plain)
	if !ok {
		if err := decode(plain, &ms); err != nil {
			return nil, fmt.Errorf("reading messages: %w", err)
		}
	}
	if err := checkMessages(ms); err != nil {
		return nil, fmt.Errorf("reading messages: %w", err)
	}
	return ms, nil
}

func checkMessages(ms []Message) error {
	if len(ms) == 0 {
		return errors.New("none in the block")
	}
	for i := range ms {
		if err := ms[i].Check(); err != nil {
			return err
		}
	}
	return nil
}
