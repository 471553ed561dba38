package chain

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// HandleSize is what the plaintext of a handle is padded to with zero bytes, so that a sealed one does not tell how long it
// is.
const HandleSize = MaxNameBytes

// EncodeHandle returns the plaintext of a profile block and of the handle in a pubkey block. CHAIN 3.4.
func EncodeHandle(handle string) ([]byte, error) {
	if err := CheckName(handle); err != nil {
		return nil, err
	}
	plain := make([]byte, HandleSize)
	copy(plain, handle)
	return plain, nil
}

// ParseHandle reads what EncodeHandle gave.
func ParseHandle(plain []byte) (string, error) {
	if len(plain) != HandleSize {
		return "", fmt.Errorf("handle of %d bytes, want %d", len(plain), HandleSize)
	}
	handle := string(bytes.TrimRight(plain, "\x00"))
	if err := CheckName(handle); err != nil {
		return "", err
	}
	return handle, nil
}

// EncodeTopic returns the plaintext of a topic block. An empty topic takes it away. CHAIN 3.5.
func EncodeTopic(topic string) ([]byte, error) { return []byte(topic), CheckTopic(topic) }

// ParseTopic reads what EncodeTopic gave.
func ParseTopic(plain []byte) (string, error) {
	if err := CheckTopic(string(plain)); err != nil {
		return "", err
	}
	return string(plain), nil
}

// CheckTopic reports why topic cannot be one: it must be at most MaxTopic code points, and none that moves the cursor or
// turns the direction of writing.
func CheckTopic(topic string) error {
	if !utf8.ValidString(topic) {
		return ErrNotText
	}
	if n := utf8.RuneCountInString(topic); n > MaxTopic {
		return fmt.Errorf("%w of %d characters exceeds the limit of %d", ErrTooLong, n, MaxTopic)
	}
	return checkRunes(topic)
}

// CheckName reports why name can be neither a handle nor the name of a round. It must be 1 to 32 code points in NFC, within
// 128 bytes, of letters, marks, digits, punctuation and symbols; nothing that is not seen; no ':' and '~', which screens put
// behind names; and begin with neither a mark, which would join what is before it, nor '/', which begins a command.
//
// A later version, which knows later Unicode, can accept more. So it decides what is written and shown, and never what is
// admitted. CHAIN 3.8.
func CheckName(name string) error {
	if err := checkText(name); err != nil {
		return err
	}
	if !norm.NFC.IsNormalString(name) {
		return errors.New("name is not in Unicode normal form C")
	}
	for i, r := range name {
		switch {
		case i == 0 && (r == '/' || unicode.IsMark(r)):
			return fmt.Errorf("name begins with %q", r)
		case r == ':', r == '~', !unicode.IsGraphic(r), unicode.Is(unicode.Zs, r), unseen(r):
			return fmt.Errorf("name holds %q", r)
		}
	}
	return nil
}

// unseen reports whether r takes no place or an empty one, though its category says otherwise.
func unseen(r rune) bool {
	return r == '\u2800' || r == '\u034F' ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// checkText is the part of CheckName that is the same for ever: what a genesis block must pass. CHAIN 3.8.
func checkText(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case !utf8.ValidString(name):
		return errors.New("name is not valid UTF-8")
	case n == 0:
		return errors.New("name is empty")
	case n > MaxName:
		return fmt.Errorf("name of %d characters exceeds the limit of %d", n, MaxName)
	case len(name) > MaxNameBytes:
		return fmt.Errorf("name of %d bytes exceeds the limit of %d", len(name), MaxNameBytes)
	}
	return checkRunes(name)
}

// checkRunes refuses a fixed list: C0, DEL, C1, the two separators of lines, and the controls of direction.
func checkRunes(text string) error {
	for _, r := range text {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029,
			r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return fmt.Errorf("text holds %q", r)
		}
	}
	return nil
}
