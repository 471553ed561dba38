package line

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		final    bool
		key      rune
		n        int
	}{
		{"nothing", "", true, 0, 0},
		{"letter", "ab", false, 'a', 1},
		{"two bytes", "éx", false, 'é', 2},
		{"half a rune", "\xc3", false, 0, 0},
		{"half a rune and no more", "\xc3", true, utf8.RuneError, 1},
		{"not UTF-8", "\xff", false, utf8.RuneError, 1},
		{"C1", "\u009b", false, 0, 2},
		{"one of our own keys", string(keyPaste), false, 0, 3},
		{"a placeholder", string(heldNewline), false, 0, 3},
		{"line separator", "\u2028", false, 0, 3},
		{"NUL", "\x00", false, 0, 1},
		{"Enter", "\r", false, keyEnter, 1},
		{"ESC so far", "\x1b", false, 0, 0},
		{"Esc", "\x1b", true, keyEscape, 1},
		{"Esc Esc", "\x1b\x1b", true, 0, 1},
		{"half a sequence", "\x1b[1;", false, 0, 0},
		{"half a sequence and no more", "\x1b[1;", true, 0, 4},
		{"arrow", "\x1b[Ax", false, keyUp, 3},
		{"unknown", "\x1b[99zx", false, 0, 5},
		{"broken off", "\x1b[1\x1b[A", false, 0, 3},
		{"console function key", "\x1b[[Ax", false, 0, 4},
		{"string", "\x1b]11;rgb\x1b\\x", false, 0, 10},
		{"string without end", "\x1b]" + strings.Repeat("x", maxSequence), false, 0, maxSequence + 2},
		{"Alt and a letter", "\x1béx", false, 0, 3},
	} {
		if key, n := decode([]byte(tt.in), tt.final); key != tt.key || n != tt.n {
			t.Errorf("%s: decode(%q, %v) is %#x, %d, want %#x, %d", tt.name, tt.in, tt.final, key, n, tt.key, tt.n)
		}
	}
}

// FuzzDecode feeds bytes in two pieces: the keys are the same wherever the cut is, none is one that can't be typed, and no
// paste enters a line by its own newline.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"a\x1b[A\r", pasteBegin + "x\ny\x03" + pasteEnd + "z", "\x1b]0;x\a\x1b", "é\xff\x1bO", pasteBegin + "\x1b[201"} {
		for cut := range len(s) {
			f.Add(s, cut)
		}
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		if len(s) > 4000 {
			return
		}
		cut = min(max(cut, 0), len(s))
		whole, rest := decodeChunks(s)
		parts, rest2 := decodeChunks(s[:cut], s[cut:])
		if !slices.EqualFunc(whole, parts, func(a, b key) bool { return a.r == b.r && slices.Equal(a.text, b.text) && a.size == b.size }) || rest != rest2 {
			t.Fatalf("%q cut at %d gives %v, %q; whole %v, %q", s, cut, parts, rest2, whole, rest)
		}
		for _, k := range whole {
			for _, r := range k.text {
				if !typable(r) && r != heldNewline && r != heldTab {
					t.Fatalf("%q pastes %#x", s, r)
				}
			}
			if k.r >= 0x20 && !typable(k.r) && (k.r <= firstKey || k.r >= lastKey) {
				t.Fatalf("%q types %#x", s, k.r)
			}
		}
	})
}

func decodeChunks(chunks ...string) ([]key, string) {
	in := newInput(func(byte) bool { return false })
	var pending []byte
	for _, c := range chunks {
		pending = in.decode(append(pending, c...), false)
	}
	var keys []key
	for len(in.keys) > 0 {
		keys = append(keys, <-in.keys)
	}
	return keys, string(pending)
}

func TestHeldAndReleased(t *testing.T) {
	in := "a\r\nb\rc\nd\te\x1b\u0085\u2028f👩\u200d👧"
	if got, want := released(held(in)), "a\nb\nc\nd\tef👩\u200d👧"; got != want {
		t.Errorf("%q became %q, want %q", in, got, want)
	}
}
