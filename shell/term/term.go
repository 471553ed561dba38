// Package term holds the only kind of text that opentalk writes to a terminal.
//
// Whatever comes from somebody else (messages, handles, topics, file names, errors, notifications) is bytes that may move
// the cursor, set the title, fill the clipboard or change the direction of what follows. A [Text] can't: it is made by
// [Clean] and its relatives, which let printable characters through and show the rest escaped, or by [Literal] from a
// constant in the source. There is no way from a string variable to a Text that does not clean it.
//
// A Text knows its width in cells, wraps and truncates without splitting a character, and carries colours as values, not as
// escape sequences: [Text.String] never contains any. Only [Profile.Render] writes them, and only with colour on.
//
// What it does not do: right-to-left letters pass as they are, and a terminal that reorders them may show a line with such
// letters in another order than it was written; and terminals disagree about the width of some emoji and scripts, where
// this package goes by Unicode's grapheme clusters.
package term

import (
	"fmt"
	"strings"
)

// Text is text that is safe to write to a terminal: printable characters and newlines, in runs of one [Style] each.
//
// The zero value is empty. A Text is immutable and may be shared between goroutines; compare its String.
type Text struct {
	spans []span
}

// span is a run of characters in one style. text has been through clean.
type span struct {
	text  string
	style Style
}

// literal is unexported so that only an untyped constant converts to it: a variable of type string does not compile.
type literal string

// Literal returns opentalk's own constant text. It is cleaned all the same; newlines stay.
func Literal(constant literal) Text { return Clean(string(constant)) }

// String returns the text without any colour. It holds no control character but newline.
func (t Text) String() string {
	if len(t.spans) == 1 {
		return t.spans[0].text
	}
	var b strings.Builder
	for _, s := range t.spans {
		b.WriteString(s.text)
	}
	return b.String()
}

// Empty reports whether there is nothing in t.
func (t Text) Empty() bool { return len(t.spans) == 0 }

// Concat returns parts one after the other.
func Concat(parts ...Text) Text {
	var b builder
	for _, p := range parts {
		b.addText(p)
	}
	return b.text()
}

// Join returns parts with separator between each two.
func Join(parts []Text, separator Text) Text {
	var b builder
	for i, p := range parts {
		if i > 0 {
			b.addText(separator)
		}
		b.addText(p)
	}
	return b.text()
}

// Sprintf formats as fmt.Sprintf does, with a constant format. An argument that is a Text goes in as it is, colours
// included, for %s and %v; every other argument is formatted and then cleaned as by [CleanLine], so that a string or an error
// from elsewhere can be passed without care. Widths such as %-8s count for other arguments only: see [Text.Pad]. Explicit
// argument indexes and * are not known.
func Sprintf(format literal, args ...any) Text {
	var b builder
	rest := string(format)
	for {
		before, after, found := strings.Cut(rest, "%")
		b.addText(Clean(before))
		if !found {
			break
		}
		end := strings.IndexFunc(after, isVerb)
		if end < 0 {
			b.addText(CleanLine("%" + after))
			return b.text()
		}
		verb := "%" + after[:end+1]
		rest = after[end+1:]
		if verb == "%%" {
			b.addText(Clean("%"))
			continue
		}
		if len(args) == 0 {
			b.addText(CleanLine(fmt.Sprintf("%%!%c(missing)", verb[len(verb)-1])))
			continue
		}
		b.addText(formatted(verb, args[0]))
		args = args[1:]
	}
	for _, a := range args {
		b.addText(CleanLine(fmt.Sprintf("%%!(extra %v)", a)))
	}
	return b.text()
}

func isVerb(r rune) bool {
	return r == '%' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// formatted returns one argument of Sprintf.
func formatted(verb string, arg any) Text {
	if t, ok := arg.(Text); ok && (verb == "%s" || verb == "%v") {
		return t
	}
	return CleanLine(fmt.Sprintf(verb, arg))
}

// builder collects spans, joining neighbours of one style.
type builder struct {
	spans []span
	run   strings.Builder
	style Style
}

// add appends text that has been cleaned.
func (b *builder) add(text string, style Style) {
	if text == "" {
		return
	}
	if style != b.style {
		b.flush()
		b.style = style
	}
	b.run.WriteString(text)
}

func (b *builder) addText(t Text) {
	for _, s := range t.spans {
		b.add(s.text, s.style)
	}
}

func (b *builder) flush() {
	if b.run.Len() == 0 {
		return
	}
	b.spans = append(b.spans, span{b.run.String(), b.style})
	b.run.Reset()
}

func (b *builder) text() Text {
	b.flush()
	return Text{b.spans}
}
