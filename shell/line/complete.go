package line

import (
	"slices"
	"strings"
	"unicode/utf8"

	"opentalk/shell/term"
)

// completion is the state between one Tab and the next.
type completion struct {
	candidates [][]rune
	from       int // where in the line they begin, in runes
	choice     int // -1 before the first has been chosen
}

// complete asks for candidates and puts in as much as they have in common. It is called with e.mu held and lets go of it while
// asking; only OnChange changes the line, and waits for this.
func (e *editor) complete() {
	if e.cfg.Complete == nil {
		e.screen.bell()
		return
	}
	line, before := released(e.buf.text), released(e.buf.text[:e.buf.pos])
	from, found := e.candidates(line, len(before))
	from = min(max(from, 0), len(before))
	start := utf8.RuneCountInString(before[:from])
	c := completion{from: start, choice: -1}
	for _, s := range found {
		if rs := held(s); len(rs) > 0 && !slices.ContainsFunc(c.candidates, func(o []rune) bool { return slices.Equal(o, rs) }) {
			c.candidates = append(c.candidates, rs)
		}
	}
	switch len(c.candidates) {
	case 0:
		e.screen.bell()
		return
	case 1:
		e.buf.replace(start, c.candidates[0])
		return
	}
	if common := commonPrefix(c.candidates); len(common) > e.buf.pos-start {
		e.buf.replace(start, common)
	}
	e.completion = &c
}

func (e *editor) candidates(line string, pos int) (int, []string) {
	e.mu.Unlock()
	defer e.mu.Lock()
	return e.cfg.Complete(line, pos)
}

// choose puts the next (or, with by -1, the previous) candidate into the line.
func (e *editor) choose(by int) {
	c := e.completion
	if c.choice < 0 && by < 0 {
		c.choice = 0
	}
	n := len(c.candidates)
	c.choice = (c.choice + by + n) % n
	e.buf.replace(c.from, c.candidates[c.choice])
}

func commonPrefix(candidates [][]rune) []rune {
	common := candidates[0]
	for _, c := range candidates[1:] {
		n := 0
		for n < min(len(common), len(c)) && common[n] == c[n] {
			n++
		}
		common = common[:n]
	}
	return common
}

// rows shows the candidates in columns, as many rows as there may be.
func (c *completion) rows(cols, rows int) []term.Text {
	texts := make([]term.Text, len(c.candidates))
	widest := 0
	for i, rs := range c.candidates {
		texts[i] = term.CleanLine(strings.TrimSpace(string(rs)))
		widest = max(widest, texts[i].Width())
	}
	widest = min(widest, cols-1)
	perRow := max(1, cols/(widest+2))
	var out []term.Text
	first := 0 // the first row shown, so that the choice is
	if c.choice >= 0 {
		first = max(0, c.choice/perRow-rows+1)
	}
	for i := first * perRow; i < len(texts) && len(out) < rows; i += perRow {
		var row []term.Text
		for j := i; j < min(i+perRow, len(texts)); j++ {
			cell := texts[j].Truncate(widest).Pad(widest)
			if j == c.choice {
				cell = term.Style{Reverse: true}.Apply(cell)
			}
			row = append(row, cell)
		}
		out = append(out, term.Join(row, term.Literal("  ")))
	}
	return out
}
