package line

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"opentalk/shell/term"
	"opentalk/shell/term/vt"
)

// TestScreen draws and prints at random: what is on the terminal and above its top is what was printed, then the line as it
// would be drawn on an empty terminal, and nothing else.
func TestScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(2, 30).Draw(t, "cols")
		height := rapid.IntRange(3, 8).Draw(t, "height")
		size := func() (int, int) { return cols, height }
		terminal := vt.New(cols, height)
		s := screen{out: terminal, size: size}
		var printed []string
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab  é日👩\u200d❤\ufe0f\u0301ﾞ\u202e⏎" + string(heldNewline) + string(heldTab))))
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				l := fmt.Sprint("line ", len(printed))
				printed = append(printed, l)
				s.print(term.CleanLine(l))
			case 1:
				s.hide()
			default:
				rs := []rune(text.Draw(t, "line"))
				b := buffer{rs, rapid.IntRange(0, len(rs)).Draw(t, "pos")}
				b.pos = b.snap()
				below := rapid.IntRange(0, 3).Draw(t, "below")
				s.show(view{prompt: term.Literal("> "), line: b, below: func(int, int) []term.Text {
					return slices.Repeat([]term.Text{term.Literal("below")}, min(below, height/2))
				}})
			}
		}
		fresh := vt.New(cols, height)
		(&screen{out: fresh, size: size}).change("", s.shown)
		var want []string
		for _, l := range printed {
			for ; len(l) > cols; l = l[cols:] {
				want = append(want, strings.TrimRight(l[:cols], " "))
			}
			want = append(want, l)
		}
		want = append(want, fresh.Rows()...)
		got := terminal.Rows()
		if g, w := trimmed(got), trimmed(want); g != w {
			t.Fatalf("the terminal has\n%s\nwant\n%s", g, w)
		}
		if g, w := cursorRow(terminal), cursorRow(fresh); g != w {
			t.Fatalf("the cursor is at %q, want %q", g, w)
		}
		if faults := append(terminal.Faults(), fresh.Faults()...); len(faults) > 0 {
			t.Fatal(faults)
		}
	})
}

func trimmed(rows []string) string { return strings.TrimRight(strings.Join(rows, "\n"), "\n") }

func cursorRow(v *vt.Terminal) string {
	for _, row := range strings.Split(v.Screen(), "\n") {
		if strings.Contains(row, "▮") {
			return row
		}
	}
	return ""
}

func TestCompletionRows(t *testing.T) {
	c := completion{choice: -1}
	for i := range 10 {
		c.candidates = append(c.candidates, []rune(fmt.Sprintf("c%d\x1b", i)))
	}
	if got := c.rows(20, 3); len(got) != 3 || got[0].String() != `c0\x1b  c1\x1b` {
		t.Errorf("rows are %v", got)
	}
	c.choice = 9
	if got := c.rows(20, 3); len(got) != 3 || !strings.Contains(got[2].String(), "c9") {
		t.Errorf("the choice is not in %v", got)
	}
	if got := c.rows(1, 3); len(got) != 3 {
		t.Errorf("on one column: %v", got)
	}
}
