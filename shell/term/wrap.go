package term

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// A grapheme cluster of more runes or cells than this is taken rune by rune. Real clusters are far smaller; a made-up one would
// otherwise be a word that can't be broken.
const (
	maxCluster = 32
	maxWidth   = 4
)

// cell is one grapheme cluster.
type cell struct {
	text  string
	style Style
	width int
	wrap  bool // a line may end after it
}

// cells splits t into grapheme clusters. A newline is a cluster of its own.
func (t Text) cells() []cell {
	all := t.String()
	cells := make([]cell, 0, len(all))
	state := -1
	spans, used := t.spans, 0
	for len(all) > 0 {
		var cluster string
		var bounds int
		cluster, all, bounds, state = uniseg.StepString(all, state)
		style := spans[0].style
		for used += len(cluster); len(spans) > 0 && used >= len(spans[0].text); spans = spans[1:] {
			used -= len(spans[0].text)
		}
		cells = appendCell(cells, cell{
			text:  cluster,
			style: style,
			width: clusterWidth(cluster, bounds>>uniseg.ShiftWidth),
			wrap:  bounds&uniseg.MaskLine != uniseg.LineDontBreak,
		})
	}
	return cells
}

func appendCell(cells []cell, c cell) []cell {
	if utf8.RuneCountInString(c.text) <= maxCluster && c.width <= maxWidth {
		return append(cells, c)
	}
	for _, r := range c.text {
		s := string(r)
		cells = append(cells, cell{text: s, style: c.style, width: clusterWidth(s, uniseg.StringWidth(s))})
	}
	return cells
}

// clusterWidth corrects w, uniseg's width, for half-width voicing marks: terminals give them a cell of their own.
func clusterWidth(cluster string, w int) int {
	return w + strings.Count(cluster, "\uff9e") + strings.Count(cluster, "\uff9f")
}

// Width returns the number of cells that t takes on a terminal; of several lines, the widest one's.
func (t Text) Width() int {
	widest, width := 0, 0
	for _, s := range t.spans {
		if len(t.spans) == 1 && plain(s.text) {
			return len(s.text)
		}
	}
	for _, c := range t.cells() {
		if c.text == "\n" {
			width = 0
			continue
		}
		width += c.width
		widest = max(widest, width)
	}
	return widest
}

// Truncate returns t if it is one line of at most cols cells, and otherwise as much of its first line as fits with an
// ellipsis after it. With cols below 1 it returns nothing.
func (t Text) Truncate(cols int) Text {
	if cols < 1 {
		return Text{}
	}
	var b builder
	width, cells := 0, t.cells()
	room := cols // for what fits if nothing is cut
	cut := builder{}
	for _, c := range cells {
		if c.text == "\n" || width+c.width > room {
			cut.addText(text("…"))
			return cut.text()
		}
		width += c.width
		b.add(c.text, c.style)
		if width <= cols-1 {
			cut.add(c.text, c.style)
		}
	}
	return b.text()
}

// Pad returns t with spaces after it up to cols cells, for columns.
func (t Text) Pad(cols int) Text {
	if missing := cols - t.Width(); missing > 0 {
		return Concat(t, text(strings.Repeat(" ", missing)))
	}
	return t
}

// Wrap returns t with newlines put in so that no line is wider than cols cells. Lines that Wrap began (not those that t's own
// newlines began) start with indent spaces. It breaks where Unicode's line breaking allows, leaves out the spaces there, and
// cuts a word only if it is wider than a line; it never splits a grapheme cluster. A cluster wider than cols stands on a line
// by itself and is too wide. A link, "scheme://" and all of ASCII up to the next space, is one word, so that it can be copied and
// clicked if it fits on a line. Cols below 1 returns t; indent is limited to half of cols.
func (t Text) Wrap(cols, indent int) Text {
	if cols < 1 {
		return t
	}
	w := wrapper{cols: cols, indent: min(max(indent, 0), cols/2)}
	for _, c := range t.cells() {
		w.add(c)
	}
	w.commit()
	return w.out.text()
}

// wrapper holds the line being filled: what is in out already, and after it a word whose end has not been seen.
type wrapper struct {
	cols, indent int
	out          builder
	column       int    // cells of the line that are in out, or would be with pending
	start        int    // column at which the line began
	pending      []cell // spaces that are left out if the line ends here
	word         []cell
	wordWidth    int
	link         bool // word is one, or the beginning of one
}

func (w *wrapper) add(c cell) {
	switch {
	case c.text == "\n":
		w.commit()
		w.pending = nil
		w.out.add("\n", Style{})
		w.column, w.start = 0, 0
	case c.text == " ":
		w.commit()
		w.pending = append(w.pending, c)
		w.column++
	default:
		if w.link && !plain(c.text) {
			w.commit()
		}
		w.word = append(w.word, c)
		w.wordWidth += c.width
		w.link = w.link || w.beginsLink()
		if c.wrap && !w.link && (c.text != "/" || len(w.word) > 1) { // not behind the slash of a command
			w.commit()
		}
	}
}

// beginsLink reports whether the word so far ends in "://".
func (w *wrapper) beginsLink() bool {
	n := len(w.word)
	return n > 3 && w.word[n-3].text == ":" && w.word[n-2].text == "/" && w.word[n-1].text == "/"
}

// commit puts the word on this line if it fits, else on a new one, else in pieces.
func (w *wrapper) commit() {
	if len(w.word) == 0 {
		return
	}
	if w.column+w.wordWidth > w.cols && w.column > w.start {
		w.newLine()
	}
	w.flushPending()
	for _, c := range w.word {
		if w.column+c.width > w.cols && w.column > w.start {
			w.newLine()
		}
		w.out.add(c.text, c.style)
		w.column += c.width
	}
	w.word, w.wordWidth, w.link = w.word[:0], 0, false
}

func (w *wrapper) flushPending() {
	for _, c := range w.pending {
		w.out.add(c.text, c.style)
	}
	w.pending = w.pending[:0]
}

func (w *wrapper) newLine() {
	w.pending = w.pending[:0]
	w.out.add("\n"+strings.Repeat(" ", w.indent), Style{})
	w.column, w.start = w.indent, w.indent
}
