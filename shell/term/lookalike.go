package term

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// lookalikes maps letters, after lower-casing and without their marks, to what they are taken for.
var lookalikes = map[rune]string{
	// Cyrillic
	'а': "a", 'в': "b", 'с': "c", 'ԁ': "d", 'е': "e", 'һ': "h", 'н': "h", 'і': "l", 'ј': "j", 'к': "k", 'ӏ': "l",
	'м': "rn", 'о': "o", 'р': "p", 'ԛ': "q", 'г': "r", 'ѕ': "s", 'т': "t", 'ѵ': "v", 'ԝ': "w", 'х': "x", 'у': "y", 'ү': "y",
	// Greek
	'α': "a", 'β': "b", 'ε': "e", 'η': "n", 'ι': "l", 'κ': "k", 'ν': "v", 'ο': "o", 'ρ': "p", 'σ': "o", 'τ': "t", 'υ': "u",
	'χ': "x", 'γ': "y", 'ω': "w", 'μ': "u",
	// Armenian, Latin relatives
	'օ': "o", 'ս': "u", 'հ': "h", 'ո': "n", 'ց': "g", 'ɑ': "a", 'ɡ': "g", 'ı': "l", 'ɩ': "l", 'ꞁ': "l", 'ǀ': "l", 'ƽ': "s",
	'ø': "o", 'ł': "l", 'đ': "d", 'ħ': "h", 'ß': "b", 'ð': "d", 'æ': "ae", 'œ': "oe",
	// within ASCII
	'0': "o", '1': "l", 'i': "l", '|': "l", '!': "l", '5': "s", '$': "s", '3': "e", '4': "a", '@': "a", '8': "b", 'm': "rn",
	// punctuation that passes for other punctuation
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '−': "-", '_': "-", 'ー': "-", '․': ".", '’': "'", '‘': "'", '`': "'",
}

// Skeleton returns a form of handle that is the same for handles which a person may take for each other: case, accents,
// compatibility forms (full-width, mathematical letters), spaces, and the commonest lookalikes from Cyrillic, Greek and
// Armenian, and among digits and letters, make no difference. It is for warning of a clash, not for showing, and catches a
// part of what UTS 39 lists. Two different people may well have the same skeleton.
func Skeleton(handle string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(CleanHandle(handle).String()) {
		if unicode.Is(unicode.M, r) || unicode.IsSpace(r) {
			continue
		}
		r = unicode.ToLower(r)
		if s, ok := lookalikes[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
