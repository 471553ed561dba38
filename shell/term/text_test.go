package term

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestSprintf(t *testing.T) {
	nick := Style{Bold: true}.Apply(CleanLine("al\x1bice"))
	for _, tt := range []struct {
		got  Text
		want string
	}{
		{Sprintf("plain"), "plain"},
		{Sprintf("%s has %d%%", nick, 5), `al\x1bice has 5%`},
		{Sprintf("%-4s|%4d|%.1f", "é", 7, 1.25), "é   |   7|1.2"},
		{Sprintf("%v", errors.New("bad\x1b[2J\nfile")), `bad\x1b[2J\nfile`},
		{Sprintf("%s"), "%!s(missing)"},
		{Sprintf("x", 1), "x%!(extra 1)"},
		{Sprintf("100%"), "100%"},
		{Literal("a\nb"), "a\nb"},
		{Join([]Text{CleanLine("a"), CleanLine("b")}, Literal(", ")), "a, b"},
		{Concat(), ""},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("got %q, want %q", tt.got.String(), tt.want)
		}
	}
	if got := (Profile{colour: true}).Render(Sprintf("<%s>", nick)); !strings.Contains(got, "<\x1b[1mal\x1b[0m") {
		t.Errorf("the argument lost its style: %q", got)
	}
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "日本": 4, "👩\u200d👩\u200d👧": 2, "🇩🇪": 2, "ｶﾞ": 2, "ﾞ": 1, "a\nbcd\ne": 3, "한": 2, "\x1b": 4, "á̧": 1,
		"❤\ufe0f": 2, "ａ": 2, "a\u3000b": 4,
	} {
		if got := Clean(s).Width(); got != want {
			t.Errorf("%+q is %d cells wide, want %d", s, got, want)
		}
	}
}

func TestTruncateAndPad(t *testing.T) {
	for _, tt := range []struct {
		in   string
		cols int
		want string
	}{
		{"hello", 5, "hello"}, {"hello", 4, "hel…"}, {"hello", 1, "…"}, {"hello", 0, ""}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"ab\ncd", 9, "ab…"}, {"", 3, ""}, {"👩\u200d👩x", 2, "…"},
	} {
		got := Clean(tt.in).Truncate(tt.cols)
		if got.String() != tt.want || got.Width() > max(tt.cols, 0) {
			t.Errorf("%q truncated to %d is %q (%d cells), want %q", tt.in, tt.cols, got.String(), got.Width(), tt.want)
		}
	}
	if got := Clean("日").Pad(4).String(); got != "日  " {
		t.Errorf("padded to %q", got)
	}
	if got := Clean("hello").Pad(2).String(); got != "hello" {
		t.Errorf("padding cut %q", got)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		name, in     string
		cols, indent int
		want         string
	}{
		{"short", "hello", 10, 2, "hello"},
		{"words", "the quick brown fox", 10, 2, "the quick\n  brown\n  fox"},
		{"exact", "abcd efgh", 4, 0, "abcd\nefgh"},
		{"long word", "a abcdefghij", 4, 0, "a\nabcd\nefgh\nij"},
		{"own newline is not indented", "aa bb\ncc dd", 3, 1, "aa\n bb\ncc\n dd"},
		{"wide", "日本語日本語", 5, 0, "日本\n語日\n本語"},
		{"cluster is whole", "x👩\u200d👩\u200d👧y", 2, 0, "x\n👩\u200d👩\u200d👧\ny"},
		{"too narrow", "日本", 1, 0, "日\n本"},
		{"no columns", "日本", 0, 0, "日本"},
		{"huge indent", "aaaa bbbb", 6, 99, "aaaa\n   bbb\n   b"},
		{"link is whole", "look at http://a.b/cc/dd now", 20, 2, "look at\n  http://a.b/cc/dd\n  now"},
		{"link is wider", "see http://a.b/ccccccccc and", 10, 2, "see\n  http://a\n  .b/ccccc\n  cccc and"},
		{"link ends", "http://a.b日本日本", 10, 0, "http://a.b\n日本日本"},
		{"leading spaces", "  code", 10, 0, "  code"},
		{"blank lines", "a\n\nb", 10, 0, "a\n\nb"},
	} {
		if got := Clean(tt.in).Wrap(tt.cols, tt.indent).String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestWrapCutsEndlessClusters has text that is a single cluster by Unicode's rules, and hundreds of cells.
func TestWrapCutsEndlessClusters(t *testing.T) {
	for _, s := range []string{"\u1100", "\u0d4e", "ﾞ"} {
		for _, line := range strings.Split(Clean("x"+strings.Repeat(s, 500)).Wrap(10, 0).String(), "\n") {
			if w := Clean(line).Width(); w > 10 {
				t.Errorf("%+q repeated has a line of %d cells", s, w)
			}
		}
	}
}

func TestWrapKeepsStyles(t *testing.T) {
	in := Concat(Style{Bold: true}.Apply(Clean("aa b")), Clean("b cc"))
	got := Profile{colour: true}.Render(in.Wrap(4, 1))
	if want := "\x1b[1maa\x1b[0m\n \x1b[1mb\x1b[0mb\n cc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRender(t *testing.T) {
	on := NewProfile(Always, false, func(string) string { return "" })
	styled := Style{Colour: 31}.Apply(Concat(Style{Bold: true, Colour: 99}.Apply(Clean("a\nb")), Clean("c"), Style{Dim: true, Reverse: true}.Apply(Clean("d"))))
	want := "\x1b[1;38;5;99ma\x1b[0m\n\x1b[1;38;5;99mb\x1b[0m\x1b[38;5;31mc\x1b[0m\x1b[2;7;38;5;31md\x1b[0m"
	if got := on.Render(styled); got != want {
		t.Errorf("with colour:\n%q, want\n%q", got, want)
	}
	if got := (Profile{}).Render(styled); got != "a\nbcd" {
		t.Errorf("without colour: %q", got)
	}
	if got := on.Render(Clean("a\x1b")); got != "a\x1b[7m\\x1b\x1b[0m" {
		t.Errorf("an escape is %q, want it told apart", got)
	}
	if w := styled.Width(); w != 3 {
		t.Errorf("styles changed the width to %d", w)
	}
}

func TestProfile(t *testing.T) {
	for _, tt := range []struct {
		mode     Mode
		terminal bool
		env      map[string]string
		want     bool
	}{
		{Auto, true, map[string]string{"TERM": "xterm"}, true},
		{Auto, false, map[string]string{"TERM": "xterm"}, false},
		{Auto, true, map[string]string{"TERM": "dumb"}, false},
		{Auto, true, nil, false},
		{Auto, true, map[string]string{"WT_SESSION": "1"}, true},
		{Auto, true, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{Auto, true, map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{Always, false, map[string]string{"NO_COLOR": "1", "TERM": "dumb"}, true},
		{Never, true, map[string]string{"TERM": "xterm"}, false},
	} {
		got := NewProfile(tt.mode, tt.terminal, func(k string) string { return tt.env[k] })
		if got.Colour() != tt.want {
			t.Errorf("%+v: colour is %v", tt, got.Colour())
		}
	}
	for value, want := range map[string]Mode{"auto": Auto, "always": Always, "never": Never} {
		if got, err := ParseMode(value); got != want || err != nil {
			t.Errorf("ParseMode(%q) is %v, %v", value, got, err)
		}
	}
	if _, err := ParseMode("sometimes"); err == nil {
		t.Error("no error for an unknown mode")
	}
}

func TestPalette(t *testing.T) {
	if Palette(nil) != (Style{}) {
		t.Error("an empty key has a colour")
	}
	if a, b := Palette([]byte("key")), Palette([]byte("key")); a != b || a.Colour == 0 {
		t.Errorf("one key has the colours %v and %v", a, b)
	}
	used := map[uint8]bool{}
	for i := range 1000 {
		used[Palette([]byte{byte(i), byte(i >> 8)}).Colour] = true
	}
	if len(used) != len(palette) {
		t.Errorf("a thousand keys use %d of %d colours", len(used), len(palette))
	}
	sorted := slices.Clone(palette)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(palette) {
		t.Error("a colour is there twice")
	}
}

// TestPaletteIsReadable works out the contrast of each colour as WCAG 2 does.
func TestPaletteIsReadable(t *testing.T) {
	levels := [6]float64{0, 95, 135, 175, 215, 255}
	linear := func(v float64) float64 {
		if v /= 255; v <= 0.03928 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	for _, c := range palette {
		n := int(c) - 16 // the 6×6×6 cube; below it are colours that themes change
		if n < 0 || n > 215 {
			t.Errorf("colour %d is not in the cube", c)
			continue
		}
		l := 0.2126*linear(levels[n/36]) + 0.7152*linear(levels[n/6%6]) + 0.0722*linear(levels[n%6])
		if onBlack, onWhite := (l+0.05)/0.05, 1.05/(l+0.05); onBlack < 3 || onWhite < 3 {
			t.Errorf("colour %d has contrast %.1f on black, %.1f on white", c, onBlack, onWhite)
		}
	}
}
