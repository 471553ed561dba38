package term

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "hello, world", "hello, world"},
		{"newline", "a\nb", "a\nb"},
		{"CRLF", "a\r\nb", "a\nb"},
		{"lone CR", "a\rb", `a\rb`},
		{"tab", "a\tb", "a    b"},
		{"CSI", "\x1b[2J", `\x1b[2J`},
		{"title", "\x1b]0;pwned\a", `\x1b]0;pwned\x07`},
		{"clipboard", "\x1b]52;c;cm0=\x1b\\", `\x1b]52;c;cm0=\x1b\`},
		{"link", "\x1b]8;;http://x\x1b\\y", `\x1b]8;;http://x\x1b\y`},
		{"DCS", "\x1bPq\x1b\\", `\x1bPq\x1b\`},
		{"NUL, BS, DEL", "\x00\b\x7f", `\x00\x08\x7f`},
		{"C1 as a rune", "\u009b2J", `\u009b2J`},
		{"C1 as a byte", "\x9b2J", `\x9b2J`},
		{"not UTF-8", "a\xff\xc0b", `a\xff\xc0b`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"replacement character", "\ufffd", "\ufffd"},
		{"line separators", "a\u2028b\u2029", `a\u2028b\u2029`},
		{"NEL", "a\u0085", `a\u0085`},
		{"private use", "\ue000\U000f0000", `\ue000\U000f0000`},
		{"noncharacter", "\ufdd0\uffff\U0010ffff", `\ufdd0\uffff\U0010ffff`},
		{"unassigned", "\u0378", `\u0378`},
		{"Hangul filler, a letter", "a\u3164b\u115f\uffa0", `a\u3164b\u115f\uffa0`},
		{"tags", "a\U000e0041", `a\U000e0041`},
		{"soft hyphen, word joiner, BOM", "a\u00adb\u2060c\ufeff", `a\u00adb\u2060c\ufeff`},
		{"other spaces", "a\u00a0b\u2003c\u202fd", "a b c d"},
		{"wide space", "a\u3000b", "a\u3000b"},
		{"NFC", "e\u0301", "é"},
		{"mark with nothing to stand on", "\u0301a\n\u0301", `\u0301a` + "\n" + `\u0301`},
		{"mark after an escape", "\x1b\u0301", `\x1b\u0301`},
		{"backslash stays", `C:\x1b`, `C:\x1b`},

		{"family", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		{"heart on fire", "❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},
		{"skin tone", "👩🏽\u200d🚀", "👩🏽\u200d🚀"},
		{"keycap", "1\ufe0f\u20e3", "1\ufe0f\u20e3"},
		{"flag of a country", "🇩🇪", "🇩🇪"},
		{"flag of Wales", "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"},
		{"other tags on a flag", "🏴\U000e0061\U000e007f", `🏴\U000e0061\U000e007f`},
		{"joiner between letters", "a\u200db", `a\u200db`},
		{"joiner at the end", "👩\u200d", `👩\u200d`},
		{"two joiners", "👩\u200d\u200d👩", `👩\u200d\u200d👩`},
		{"selector after a letter", "a\ufe0f", `a\ufe0f`},
		{"selector after a digit", "1\ufe0f", `1\ufe0f`},
		{"two selectors", "❤\ufe0f\ufe0f", "❤\ufe0f" + `\ufe0f`},
		{"two tones", "👩🏽🏽", `👩🏽\U0001f3fd`},
		{"too many joins", strings.Repeat("👩\u200d", 5) + "👩", strings.Repeat("👩\u200d", 4) + `👩\u200d👩`},
		{"Persian", "می\u200cخواهم", "می\u200cخواهم"},
		{"Hindi", "क\u094d\u200dष", "क\u094d\u200dष"},
		{"non-joiner in Latin", "a\u200cb", `a\u200cb`},
		{"Thai, Hangul, Hebrew", "สวัสดี 한국어 שלום", "สวัสดี 한국어 שלום"},
	} {
		if got := Clean(tt.in).String(); got != tt.want {
			t.Errorf("%s: Clean(%+q) is %+q, want %+q", tt.name, tt.in, got, tt.want)
		}
	}
}

// bidi is every character that Unicode defines to control direction.
var bidi = []rune{
	'\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069', '\u200e', '\u200f', '\u061c',
}

func TestBidiNeverPasses(t *testing.T) {
	for _, r := range bidi {
		in := "a" + string(r) + "b"
		if got, want := Clean(in).String(), "a"+escape(r)+"b"; got != want {
			t.Errorf("Clean(%+q) is %+q, want %+q", in, got, want)
		}
		if got := CleanHandle(in).String(); got != "ab" {
			t.Errorf("CleanHandle(%+q) is %+q, want it stripped", in, got)
		}
	}
}

// TestEveryRune goes through all of Unicode: one rune between two letters is printable, or it is an escape.
func TestEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r == '\n' || !utf8.ValidRune(r) {
			continue
		}
		got := Clean("a" + string(r) + "b").String()
		if plain(got) && len(got) > 3 {
			continue // an escape
		}
		if err := harmless(got); err != "" {
			t.Fatalf("%U gives %+q: %s", r, got, err)
		}
		if strings.ContainsRune(got, r) && unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point) {
			t.Fatalf("%U passes", r)
		}
	}
}

func TestCleanLine(t *testing.T) {
	if got, want := CleanLine("a\r\nb\nc\rd").String(), `a\r\nb\nc\rd`; got != want {
		t.Errorf("CleanLine is %q, want %q", got, want)
	}
}

func TestMarksAreBounded(t *testing.T) {
	for _, n := range []int{1, 8, 9, 31, 5000} {
		got := Clean("x" + strings.Repeat("\u0316", n) + "y").String()
		if marks := utf8.RuneCountInString(got) - 2; marks != min(n, maxMarks) {
			t.Errorf("%d marks in, %d out, want at most %d", n, marks, maxMarks)
		}
		if w := Clean(got).Width(); w != 2 {
			t.Errorf("two letters with %d marks take %d cells", n, w)
		}
	}
}

func TestCleanHandle(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"alice", "alice"},
		{"al\u200bi\u200dce\ufeff", "alice"},
		{"\x1b[31malice\x00", "[31malice"},
		{"alice\xff", "alice"},
		{" \t alice   b\u2003c \n", "alice b c"},
		{"\u2800\u3164", ""},
		{"e\u0301ve", "éve"},
		{"\u0301eve", "eve"},
		{"a \u0301b", "a b"},
		{"👩\u200d👧", "👩👧"},
		{"❤\ufe0f", "❤"},
		{"a" + strings.Repeat("\u0316", 50), "a" + strings.Repeat("\u0316", 8)},
		{"", ""},
	} {
		if got := CleanHandle(tt.in).String(); got != tt.want {
			t.Errorf("CleanHandle(%+q) is %+q, want %+q", tt.in, got, tt.want)
		}
	}
}

// TestSkeleton is T21: a table of what is taken for what.
func TestSkeleton(t *testing.T) {
	for _, group := range [][]string{
		{"alice", "Alice", "аlice", "a1ice", "аⅼісе", "ａｌｉｃｅ", "𝒶𝓁𝒾𝒸ℯ", "ál\u200bice", "al ice", "AL1CE", "aIice"},
		{"bob", "b0b", "вов", "βοβ", "ВОВ", "8ob"},
		{"maxim", "rnaxirn", "mахіm"},
		{"paypal", "раураl", "pаypa1"},
		{"anne-marie", "anne_marie", "anne–marie"},
		{"scope", "ѕсоре"},
	} {
		want := Skeleton(group[0])
		for _, h := range group[1:] {
			if got := Skeleton(h); got != want {
				t.Errorf("Skeleton(%q) is %q, that of %q is %q", h, got, group[0], want)
			}
		}
	}
	if Skeleton("alice") == Skeleton("alicia") || Skeleton("bob") == Skeleton("rob") {
		t.Error("different handles have one skeleton")
	}
}

// FuzzClean replays what Clean lets through into a terminal's tokenizer.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"", "a\x1b[2J\x9b\u009b", "\x1b]52;c;x\x07", "e\u0301\u202e", "👩\u200d👩\ufe0f🏽", "\xed\xa0\x80\xff", "ﾞﾞ\u1100\u1161",
		"🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", strings.Repeat("\u0316", 40), "1\ufe0f\u20e3",
	} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, cols int) {
		clean := Clean(s)
		for _, got := range []string{clean.String(), Profile{}.Render(clean), clean.Wrap(cols, 2).String(), clean.Truncate(cols).String()} {
			if err := harmless(got); err != "" {
				t.Fatalf("%+q gives %+q: %s", s, got, err)
			}
		}
		if again := Clean(clean.String()).String(); again != clean.String() {
			t.Fatalf("cleaning %+q again gives %+q", clean.String(), again)
		}
		if strings.Contains(CleanLine(s).String(), "\n") {
			t.Fatalf("CleanLine(%+q) has a newline", s)
		}
		handle := CleanHandle(s).String()
		if err := harmless(handle); err != "" || strings.ContainsAny(handle, "\n\u200d\u200c\ufe0f") {
			t.Fatalf("CleanHandle(%+q) is %+q", s, handle)
		}
		if CleanHandle(handle).String() != handle {
			t.Fatalf("cleaning handle %+q again gives %+q", handle, CleanHandle(handle).String())
		}
		checkWrap(t, clean, cols%200)
	})
}

// harmless says what is wrong with s, as a terminal sees it: nothing but characters and newlines may be in it.
func harmless(s string) string {
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	if !norm.NFC.IsNormalString(s) {
		return "not in NFC"
	}
	for _, tok := range tokenize(s) {
		if tok.kind != "print" && tok.text != "\n" {
			return tok.kind + " sequence"
		}
	}
	for _, r := range s {
		if strings.ContainsRune(string(bidi), r) {
			return "bidi control"
		}
	}
	marks := 0
	for _, r := range s {
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; marks > maxMarks+2 { // a selector is a mark, too
			return "too many marks"
		}
	}
	return ""
}

// token is a piece of a terminal's input.
type token struct {
	kind string // print, control, CSI, string (OSC, DCS, ...), escape
	text string
}

// tokenize splits s as a terminal does which takes C1 both as bytes and as UTF-8.
func tokenize(s string) []token {
	var out []token
	rs := []rune(s)
	for i := 0; i < len(rs); {
		start, kind := i, "print"
		r := rs[i]
		i++
		if r == 0x1b && i < len(rs) {
			r = rs[i] + 0x40 // ESC [ is C1 0x9b
			kind = "escape"
			i++
		}
		switch {
		case r == 0x9b:
			for kind = "CSI"; i < len(rs) && (rs[i] < 0x40 || rs[i] > 0x7e); i++ {
			}
			i = min(i+1, len(rs))
		case r == 0x90 || r == 0x98 || r >= 0x9d && r <= 0x9f:
			for kind = "string"; i < len(rs) && rs[i] != 7 && rs[i] != 0x9c && rs[i] != 0x1b; i++ {
			}
		case kind == "print" && (r < 0x20 || r >= 0x7f && r < 0xa0):
			kind = "control"
		}
		out = append(out, token{kind, string(rs[start:i])})
	}
	return out
}

func TestTokenizerSeesControls(t *testing.T) {
	for in, kind := range map[string]string{
		"\x1b[31m": "CSI", "\u009b31m": "CSI", "\x1b]0;x": "string", "\x1bc": "escape", "\a": "control", "\u0085": "control", "x": "print",
	} {
		if got := tokenize(in); len(got) != 1 || got[0].kind != kind {
			t.Errorf("tokenize(%+q) is %+v, want one %s", in, got, kind)
		}
	}
}

// checkWrap tests what Wrap promises.
func checkWrap(t *testing.T, in Text, cols int) {
	t.Helper()
	if cols < 1 {
		return
	}
	wrapped := in.Wrap(cols, 2)
	for _, line := range strings.Split(wrapped.String(), "\n") {
		width, clusters := text(line).Width(), uniseg.GraphemeClusterCount(strings.TrimLeft(line, " "))
		if width > cols && clusters > 1 {
			t.Fatalf("%+q wrapped at %d has a line %+q of %d cells", in.String(), cols, line, width)
		}
	}
	squeeze := strings.NewReplacer(" ", "", "\n", "")
	if got, want := squeeze.Replace(wrapped.String()), squeeze.Replace(in.String()); got != want {
		t.Fatalf("wrapping changed %+q to %+q", want, got)
	}
}
