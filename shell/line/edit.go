package line

import (
	"slices"
	"unicode"

	"github.com/rivo/uniseg"
)

// buffer is a line and the cursor in it, between grapheme clusters: one key press is one visible character. readline works
// with runes, and takes every letter outside of ASCII for the end of a word.
type buffer struct {
	text []rune
	pos  int
}

func (b buffer) clone() buffer { return buffer{slices.Clone(b.text), b.pos} }

// clusters returns the length in runes of each grapheme cluster of text.
func clusters(text []rune) []int {
	var lengths []int
	g := uniseg.NewGraphemes(string(text))
	for g.Next() {
		lengths = append(lengths, len(g.Runes()))
	}
	return lengths
}

// left returns the start of the cluster before the cursor.
func (b buffer) left() int {
	at := 0
	for _, n := range clusters(b.text) {
		if at+n >= b.pos {
			break
		}
		at += n
	}
	return at
}

// right returns the end of the cluster after the cursor.
func (b buffer) right() int {
	at := 0
	for _, n := range clusters(b.text) {
		at += n
		if at > b.pos {
			break
		}
	}
	return at
}

// snap returns the cursor moved out of the middle of a cluster, to its end.
func (b buffer) snap() int {
	at := 0
	for _, n := range clusters(b.text) {
		if at >= b.pos {
			break
		}
		at += n
	}
	return at
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '_'
}

func notBlank(r rune) bool {
	return !unicode.IsSpace(r) && r != heldNewline && r != heldTab
}

// wordLeft returns the start of the word before the cursor; wordRight the end of the one after it.
func (b buffer) wordLeft(in func(rune) bool) int {
	at := b.pos
	for at > 0 && !in(b.text[at-1]) {
		at--
	}
	for at > 0 && in(b.text[at-1]) {
		at--
	}
	return at
}

func (b buffer) wordRight(in func(rune) bool) int {
	at := b.pos
	for at < len(b.text) && !in(b.text[at]) {
		at++
	}
	for at < len(b.text) && in(b.text[at]) {
		at++
	}
	return at
}

// cut takes out what is between two positions and returns it.
func (b *buffer) cut(from, to int) []rune {
	gone := slices.Clone(b.text[from:to])
	b.text = slices.Delete(slices.Clone(b.text), from, to)
	b.pos = from
	return gone
}

// replace puts text in the place of what is between from and the cursor.
func (b *buffer) replace(from int, text []rune) {
	b.text = slices.Concat(b.text[:from], text, b.text[b.pos:])
	b.pos = from + len(text)
}

// edit carries out a key that changes only the line or the cursor, and reports whether it was one. killed is the text that
// Ctrl-Y brings back.
func (b *buffer) edit(k rune, killed *[]rune) bool {
	switch k {
	case keyLeft:
		b.pos = b.left()
	case keyRight:
		b.pos = b.right()
	case keyWordLeft:
		b.pos = b.wordLeft(inWord)
	case keyWordRight:
		b.pos = b.wordRight(inWord)
	case keyHome, keyLineStart:
		b.pos = 0
	case keyEnd, keyLineEnd:
		b.pos = len(b.text)
	case keyBackspace:
		b.cut(b.left(), b.pos)
	case keyDeleteForward, keyDelete:
		b.cut(b.pos, b.right())
	case keyYank:
		b.replace(b.pos, *killed)
	default:
		return b.kill(k, killed)
	}
	return true
}

func (b *buffer) kill(k rune, killed *[]rune) bool {
	from, to := b.pos, b.pos
	switch k {
	case keyDeleteWordLeft:
		from = b.wordLeft(inWord)
	case keyDeleteWordRight:
		to = b.wordRight(inWord)
	case keyDeleteBlankLeft:
		from = b.wordLeft(notBlank)
	case keyKillStart:
		from = 0
	case keyKillEnd:
		to = len(b.text)
	default:
		return false
	}
	if from < to {
		*killed = b.cut(from, to)
	}
	return true
}
