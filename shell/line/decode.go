package line

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"

	// maxSequence bounds an escape sequence; a longer one is not a key, and its bytes are dropped.
	maxSequence = 1024
)

// decode returns the key that input begins with and the number of bytes it takes. A key of 0 is to be ignored. n is 0 if more
// bytes are needed to tell; with final set, none will come, and n is at least 1 unless input is empty.
//
// It knows nothing of pastes: their markers are keys that only input understands.
func decode(input []byte, final bool) (key rune, n int) {
	if len(input) == 0 {
		return 0, 0
	}
	if input[0] == 0x1b {
		return decodeEscape(input, final)
	}
	if input[0] < 0x20 || input[0] == 0x7f {
		return controls[input[0]], 1
	}
	if !final && !utf8.FullRune(input) {
		return 0, 0
	}
	r, n := utf8.DecodeRune(input)
	if !typable(r) {
		r = 0
	}
	return r, n
}

func decodeEscape(input []byte, final bool) (rune, int) {
	n := sequenceLength(input)
	switch {
	case n > 0:
		seq := string(input[1:n])
		if seq[0] == 0x1b {
			return 0, 1 // an Esc key, or Alt, before another sequence
		}
		return sequences[seq], n
	case final && len(input) == 1:
		return keyEscape, 1
	case final || len(input) > maxSequence:
		return 0, len(input)
	}
	return 0, 0
}

// sequenceLength returns the length of the escape sequence that input begins with, 0 if its end is not there yet.
func sequenceLength(input []byte) int {
	if len(input) < 2 {
		return 0
	}
	switch input[1] {
	case '[':
		return csiLength(input)
	case 'O':
		if len(input) < 3 {
			return 0
		}
		return 3
	case ']', 'P', 'X', '^', '_': // a string, such as a reply to a question that nobody asked
		for i := 2; i < len(input); i++ {
			if input[i] == 7 {
				return i + 1
			}
			if input[i] == '\\' && input[i-1] == 0x1b {
				return i + 1
			}
		}
		return 0
	}
	if !utf8.FullRune(input[1:]) {
		return 0
	}
	_, n := utf8.DecodeRune(input[1:])
	return 1 + n
}

func csiLength(input []byte) int {
	for i := 2; i < len(input); i++ {
		b := input[i]
		if i == 2 && b == '[' { // function keys of the Linux console: one more byte
			if len(input) < 4 {
				return 0
			}
			return 4
		}
		if b >= 0x40 && b <= 0x7e {
			return i + 1
		}
		if b < 0x20 || b > 0x7e { // not part of a sequence: it is broken off
			return i
		}
	}
	return 0
}

// typable reports whether r may stand in a line by itself. Invisible characters may: they are part of emoji and of some
// scripts, and the screen shows them escaped where they are not.
func typable(r rune) bool {
	return r >= 0x20 && !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Noncharacter_Code_Point, r) &&
		!unicode.In(r, unicode.Zl, unicode.Zp)
}

// held turns text into runes for readline's line: newlines and tabs become placeholders, and other control characters are
// dropped, as is whatever else is not typable.
func held(text string) []rune {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var out []rune
	for _, r := range text {
		switch {
		case r == '\n':
			out = append(out, heldNewline)
		case r == '\t':
			out = append(out, heldTab)
		case typable(r):
			out = append(out, r)
		}
	}
	return out
}

// released is the way back.
func released(line []rune) string {
	return strings.NewReplacer(string(heldNewline), "\n", string(heldTab), "\t").Replace(string(line))
}

// cutPaste returns the bytes of a paste up to its end marker, and how many bytes of input to drop: with the marker, if it is
// there, otherwise without those at the end that may be its beginning.
func cutPaste(input []byte) (text []byte, n int, end bool) {
	if i := bytes.Index(input, []byte(pasteEnd)); i >= 0 {
		return input[:i], i + len(pasteEnd), true
	}
	n = len(input)
	for k := min(len(pasteEnd)-1, n); k > 0; k-- {
		if bytes.HasSuffix(input, []byte(pasteEnd[:k])) {
			n -= k
			break
		}
	}
	return input[:n], n, false
}
