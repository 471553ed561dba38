package engine

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Search ranges over the messages of a round that hold text, the newest first, from before a position on; the zero position
// means the end. Case and composition make no difference. The first are given while the rest is still being looked for. An
// error, ctx.Err() if ctx ends, is the last that it gives. What is not signed yet is not found.
func (e *Engine) Search(ctx context.Context, tag Tag, before Position, text string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		a, err := e.archive(ctx, tag)
		if err != nil {
			yield(Message{}, err)
			return
		}
		a.scan(ctx, a.backward(before, scanFirst), before, true, func() keep { return newNeedle(text).in }, yield)
	}
}

// needle finds a text. It belongs to one goroutine.
type needle struct {
	folded string
	ascii  bool
	fold   cases.Caser
	small  []byte // kept for its memory
}

func newNeedle(text string) *needle {
	n := &needle{fold: cases.Fold()}
	n.folded = n.fold.String(norm.NFC.String(text))
	n.ascii = isASCII(n.folded)
	return n
}

// in reports whether a message holds the text. In most messages, of ASCII alone, to fold is to make letters small.
func (n *needle) in(text string) bool {
	switch {
	case !isASCII(text):
		return strings.Contains(n.fold.String(norm.NFC.String(text)), n.folded)
	case !n.ascii:
		return false
	}
	n.small = append(n.small[:0], text...)
	for i, b := range n.small {
		if 'A' <= b && b <= 'Z' {
			n.small[i] = b + 'a' - 'A'
		}
	}
	return bytes.Contains(n.small, []byte(n.folded))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
