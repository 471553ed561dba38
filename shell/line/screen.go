package line

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"

	"opentalk/shell/term"
)

const (
	pasteOn     = "\x1b[?2004h"
	pasteOff    = "\x1b[?2004l"
	clearScreen = "\x1b[H\x1b[2J"
	// eraseBelow erases the row that the cursor is at the start of, and those below. What is below goes from the second column
	// on: tmux takes an erasing of all from the top left as a clearing, and keeps what was there above, for every key typed.
	eraseBelow = "\x1b[K\x1b[1C\x1b[J\r"

	maxBelow = 8 // rows below the line
)

// view is what there is to see of a line being typed.
type view struct {
	prompt term.Text
	line   buffer
	hidden bool // a password
	below  func(cols, rows int) []term.Text
}

// screen draws a view at the bottom of the terminal and prints above it. Each change is one write: what is drawn is erased,
// text printed, the view drawn again. It counts cells by grapheme cluster, breaks rows itself, and shows no more than fits,
// so a line with emoji wraps as exactly as any other, as long as the terminal has the same idea of a cluster's width.
//
// It has no lock: whoever calls sees to that.
type screen struct {
	out     io.Writer
	profile term.Profile
	size    func() (cols, rows int)

	shown  *view // nil if nothing is drawn
	widths []int // of the rows drawn, down to the cursor's
	column int   // of the cursor
	cols   int   // width of the terminal when they were drawn
}

// show draws v in place of what was drawn.
func (s *screen) show(v view) { s.change("", &v) }

// hide takes off what is drawn.
func (s *screen) hide() { s.change("", nil) }

// redraw draws again what is drawn, after the terminal's size or its content has changed.
func (s *screen) redraw() { s.change("", s.shown) }

func (s *screen) print(text term.Text) {
	t := s.profile.Render(text)
	if !strings.HasSuffix(t, "\n") {
		t += "\n"
	}
	s.change(strings.ReplaceAll(t, "\n", "\r\n"), s.shown)
}

// clear empties the terminal and draws the view at its top.
func (s *screen) clear() {
	s.widths, s.column = nil, 0
	s.change(clearScreen, s.shown)
}

func (s *screen) bell() { s.raw("\a") }

// raw writes what leaves the cursor where it is. A terminal that is gone takes nothing, and the end of its input says so.
func (s *screen) raw(sequence string) { io.WriteString(s.out, sequence) }

// change erases what is drawn, writes text, and draws v.
func (s *screen) change(text string, v *view) {
	cols, rows := s.size()
	var b strings.Builder
	b.WriteString(s.erase(cols))
	b.WriteString(text)
	s.shown, s.widths, s.column, s.cols = v, nil, 0, cols
	if v != nil {
		s.draw(&b, v, cols, rows)
	}
	if b.Len() > 0 {
		s.raw(b.String())
	}
}

// erase returns the sequence that removes what is drawn. If the terminal has become narrower since, each row has become
// several; terminals that cut rows off instead lose as many rows above.
func (s *screen) erase(cols int) string {
	if len(s.widths) == 0 {
		return ""
	}
	last := len(s.widths) - 1
	up := last
	if cols < s.cols {
		up = s.column / cols
		for _, w := range s.widths[:last] {
			up += max(1, (w+cols-1)/cols)
		}
	}
	return "\r" + moveUp(up) + eraseBelow
}

func moveUp(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA", n)
}

// draw writes v and leaves the cursor at its place in the line.
func (s *screen) draw(b *strings.Builder, v *view, cols, rows int) {
	l := v.lay(cols)
	var below []term.Text
	if v.below != nil {
		below = v.below(cols, min(maxBelow, rows/2))
	}
	room := max(1, rows-1-len(below))
	first := max(0, l.cursor-room+1)
	last := min(len(l.rows), first+room)
	for i, row := range l.rows[first:last] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(s.profile.Render(row.text()))
		s.widths = append(s.widths, row.width)
	}
	for _, t := range below {
		b.WriteString("\r\n" + s.profile.Render(t.Truncate(cols)))
	}
	b.WriteString("\r" + moveUp(last-1-l.cursor+len(below)))
	if l.column > 0 {
		fmt.Fprintf(b, "\x1b[%dC", l.column)
	}
	s.widths = s.widths[:l.cursor-first+1]
	s.column = l.column
}

// layout is a line cut into rows.
type layout struct {
	rows   []row
	cursor int // row of the cursor
	column int
}

type row struct {
	parts []term.Text
	width int
}

func (r row) text() term.Text { return term.Concat(r.parts...) }

func (r *row) add(t term.Text, width int) {
	r.parts = append(r.parts, t)
	r.width += width
}

// lay cuts prompt and line into rows of at most cols cells. The cursor is never beyond the last column.
func (v *view) lay(cols int) layout {
	prompt := v.prompt.Truncate(max(1, cols/2))
	l := layout{rows: make([]row, 1)}
	l.rows[0].add(prompt, prompt.Width())
	at, placed := 0, false
	if v.hidden {
		v = &view{}
	}
	g := uniseg.NewGraphemes(string(v.line.text))
	for g.Next() {
		text, width := visible(g.Runes())
		for _, t := range pieces(text, width, cols) {
			if l.last().width+t.Width() > cols {
				l.rows = append(l.rows, row{})
			}
			if !placed && at >= v.line.pos {
				l.place()
				placed = true
			}
			l.last().add(t, t.Width())
		}
		at += len(g.Runes())
	}
	if !placed {
		if l.last().width >= cols {
			l.rows = append(l.rows, row{})
		}
		l.place()
	}
	return l
}

func (l *layout) last() *row { return &l.rows[len(l.rows)-1] }

func (l *layout) place() { l.cursor, l.column = len(l.rows)-1, l.last().width }

// pieces cuts what one cluster looks like if it is wider than a row, as an escape may be. What can't be cut, such as a wide
// character on a terminal of one column, is shown as an ellipsis.
func pieces(text term.Text, width, cols int) []term.Text {
	if width <= cols {
		return []term.Text{text}
	}
	var out []term.Text
	for g := uniseg.NewGraphemes(text.String()); g.Next(); {
		out = append(out, term.CleanLine(g.Str()).Truncate(cols))
	}
	return out
}

var (
	newlineMark = term.Style{Dim: true}.Apply(term.Literal("⏎"))
	tabMark     = term.Literal("    ")
)

// visible returns how a cluster of the line looks.
func visible(cluster []rune) (term.Text, int) {
	var t term.Text
	switch r := cluster[0]; {
	case r == heldNewline:
		t = term.Concat(newlineMark, term.CleanLine(string(cluster[1:])))
	case r == heldTab:
		t = term.Concat(tabMark, term.CleanLine(string(cluster[1:])))
	default:
		t = term.CleanLine(string(cluster))
	}
	return t, t.Width()
}
