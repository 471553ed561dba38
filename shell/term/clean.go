package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	tabWidth = 4 // cells that a tab becomes, wherever it stands
	maxMarks = 8 // combining marks on one character; more are dropped
	maxJoins = 4 // zero-width joiners in one emoji; more are shown escaped
)

// escaped is how an escape is told apart, with colour on, from a sender who typed a backslash.
var escaped = Style{Reverse: true}

// Clean returns foreign text made safe, normalised to NFC.
//
// Printable characters and newlines stay; CRLF is a newline; a tab becomes four spaces, any other space an ordinary one
// (but U+3000, which is two cells wide). Everything else is shown as an escape: \x1b for ASCII control characters (\r for
// a lone carriage return), \xff for a byte that is not UTF-8, \u202e and \U000e0041 for the rest: C1, bidi controls,
// zero-width and other invisible characters, line and paragraph separators, noncharacters, private use, and what Unicode
// had not assigned when this was built.
//
// Invisible characters stay where they are part of what is seen, and only there: variation selectors after a pictograph or in
// a keycap, up to four joiners between pictographs, the tags of the three standard flags, joiners between two Arabic
// letters or after an Indic virama. A combining mark stays on a character, up to eight of them, the rest dropped; with
// nothing to stand on it is shown as an escape, so that it can't sit on what opentalk printed before it.
//
// A backslash stays as it is. Cleaning clean text changes nothing. The result is at most ten times as long.
func Clean(foreign string) Text { return clean(foreign, true) }

// CleanLine is [Clean] with newlines shown escaped too, for what must stay on one line: handles, topics, file names, errors,
// titles, prompts.
func CleanLine(foreign string) Text { return clean(foreign, false) }

// CleanHandle returns a handle made safe to show and to compare: what [Clean] would escape is left out instead, so that two
// handles can't differ in something invisible; so are emoji joiners and variation selectors, and blanks other than single
// spaces between words. It may be empty. Lookalike letters stay: see [Skeleton].
func CleanHandle(foreign string) Text {
	var b strings.Builder
	marks, space := 0, false
	for _, r := range norm.NFC.String(strings.ToValidUTF8(foreign, "")) {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) || r == brailleBlank:
			space = b.Len() > 0
			continue
		case !visible(r):
			continue
		case unicode.Is(unicode.M, r):
			if marks++; b.Len() == 0 || space || marks > maxMarks {
				continue
			}
		default:
			marks = 0
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return CleanLine(b.String())
}

func clean(foreign string, newlines bool) Text {
	if plain(foreign) {
		return text(foreign)
	}
	c := cleaner{in: decode(norm.NFC.String(foreign)), newlines: newlines}
	for i := range c.in {
		c.step(i)
	}
	return c.out.text()
}

// text returns s, which is clean, as a Text.
func text(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{[]span{{text: s}}}
}

// plain reports whether s is printable ASCII, as most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// badByte + b stands for a byte b that is not part of valid UTF-8.
const badByte rune = unicode.MaxRune + 1

func decode(s string) []rune {
	rs := make([]rune, 0, len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			r = badByte + rune(s[0])
		}
		rs = append(rs, r)
		s = s[n:]
	}
	return rs
}

// cleaner is one pass over a text.
type cleaner struct {
	in       []rune
	newlines bool
	out      builder

	base  bool // something stands before, for a mark to stand on
	marks int  // combining marks on it so far
	joins int  // joiners in the emoji so far
	tags  int  // runes still to come of a flag's tags
}

func (c *cleaner) step(i int) {
	r := c.in[i]
	switch {
	case c.tags > 0:
		c.tags--
		c.out.add(string(r), Style{})
	case r == '\n' && c.newlines:
		c.out.add("\n", Style{})
		c.base = false
	case r == '\r' && c.newlines && c.next(i) == '\n':
	case r == '\t':
		c.keep(strings.Repeat(" ", tabWidth))
	case r == ideographicSpace:
		c.keep(string(r))
	case unicode.Is(unicode.Zs, r):
		c.keep(" ")
	case unicode.Is(unicode.M, r) && !invisible(r):
		c.mark(r)
	case invisible(r):
		c.invisible(i)
	case isTone(r) && i > 0 && isTone(c.in[i-1]), !visible(r):
		c.escape(r)
	default:
		c.keep(string(r))
		if !joined(c.in, i) {
			c.joins = 0
		}
	}
}

func (c *cleaner) keep(s string) {
	c.out.add(s, Style{})
	c.base, c.marks = true, 0
}

func (c *cleaner) escape(r rune) {
	c.out.add(escape(r), escaped)
	c.base, c.marks = false, 0
}

func (c *cleaner) mark(r rune) {
	if !c.base {
		c.escape(r)
		return
	}
	if c.marks++; c.marks <= maxMarks {
		c.out.add(string(r), Style{})
	}
}

// invisible keeps a default-ignorable rune where it is part of what is seen.
func (c *cleaner) invisible(i int) {
	r := c.in[i]
	switch {
	case isSelector(r) && c.base && selects(c.in, i):
		c.out.add(string(r), Style{})
	case r == zwj && c.base && joins(c.in, i) && c.joins < maxJoins:
		c.joins++
		c.out.add(string(r), Style{})
	case (r == zwj || r == zwnj) && c.base && shapes(c.in, i):
		c.out.add(string(r), Style{})
	case flagTags(c.in, i) > 0 && c.base:
		c.tags = flagTags(c.in, i) - 1
		c.out.add(string(r), Style{})
	case unicode.Is(unicode.M, r) && c.marks >= maxMarks:
		// Normalising puts U+034F into a pile of marks; it goes with the rest of the pile.
	default:
		c.escape(r)
	}
}

func (c *cleaner) next(i int) rune {
	if i+1 < len(c.in) {
		return c.in[i+1]
	}
	return -1
}

// escape shows r in ASCII.
func escape(r rune) string {
	switch {
	case r >= badByte:
		return fmt.Sprintf(`\x%02x`, r-badByte)
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}
