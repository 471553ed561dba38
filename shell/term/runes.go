package term

import (
	"slices"
	"unicode"

	"github.com/rivo/uniseg"
)

const (
	zwnj             = '\u200c'
	zwj              = '\u200d'
	textSelector     = '\ufe0e'
	emojiSelector    = '\ufe0f'
	keycap           = '\u20e3'
	blackFlag        = '\U0001f3f4'
	brailleBlank     = '\u2800'
	ideographicSpace = '\u3000'
)

// visible reports whether r may reach a terminal by itself: it shows as something and does nothing else.
func visible(r rune) bool {
	return r < badByte && unicode.IsPrint(r) && !invisible(r)
}

// invisible reports whether r is a character that by default shows as nothing, whatever its category: Hangul fillers, for
// one, are letters.
func invisible(r rune) bool {
	return r >= 0x80 && r < badByte && unicode.In(r, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func isSelector(r rune) bool { return r == textSelector || r == emojiSelector }

// isTone reports whether r is one of the five skin tones.
func isTone(r rune) bool { return r >= '\U0001f3fb' && r <= '\U0001f3ff' }

// pictographic reports whether r has Unicode's property Extended_Pictographic. uniseg does not export its table, but a joiner
// between two runes makes one cluster of them only if both have it. What was
// unassigned when this was built is not counted, though Unicode reserves it.
func pictographic(r rune) bool {
	if r < 0xa9 || !visible(r) || uniseg.GraphemeClusterCount(string([]rune{'a', r})) == 1 { // the latter extends whatever it follows
		return false
	}
	return uniseg.GraphemeClusterCount(string([]rune{r, zwj, r})) == 1
}

// selects reports whether the variation selector at i chooses the look of what stands before it.
func selects(rs []rune, i int) bool {
	if i == 0 {
		return false
	}
	before := rs[i-1]
	if pictographic(before) {
		return true
	}
	isKey := before >= '0' && before <= '9' || before == '#' || before == '*'
	return isKey && rs[i] == emojiSelector && i+1 < len(rs) && rs[i+1] == keycap
}

// joins reports whether the joiner at i joins two pictographs.
func joins(rs []rune, i int) bool {
	before := i - 1
	for before >= 0 && (rs[before] == emojiSelector || isTone(rs[before])) {
		before--
	}
	return before >= 0 && i+1 < len(rs) && pictographic(rs[before]) && pictographic(rs[i+1])
}

// joined reports whether the rune at i goes on with an emoji rather than beginning something new.
func joined(rs []rune, i int) bool {
	return i > 0 && (rs[i-1] == zwj || isTone(rs[i]))
}

// shapes reports whether the joiner at i changes how letters are written, as it must be kept for in Persian and in Indic
// scripts: it stands between two Arabic letters, or after a virama.
func shapes(rs []rune, i int) bool {
	if i == 0 || i+1 >= len(rs) {
		return false
	}
	arabic := func(r rune) bool { return unicode.Is(unicode.Arabic, r) && unicode.IsLetter(r) }
	if arabic(rs[i-1]) && arabic(rs[i+1]) {
		return true
	}
	return slices.Contains(viramas, rs[i-1]) && unicode.IsLetter(rs[i+1])
}

var viramas = []rune{
	'\u094d', '\u09cd', '\u0a4d', '\u0acd', '\u0b4d', '\u0bcd', '\u0c4d', '\u0ccd', '\u0d4d', '\u0dca',
}

// flagTags returns the number of runes from i on that are the tags of a standard flag (England, Scotland, Wales), or 0.
func flagTags(rs []rune, i int) int {
	if i == 0 || rs[i-1] != blackFlag {
		return 0
	}
	for _, region := range []string{"gbeng", "gbsct", "gbwls"} {
		tags := make([]rune, 0, len(region)+1)
		for _, r := range region {
			tags = append(tags, 0xe0000+r)
		}
		tags = append(tags, 0xe007f)
		if len(rs)-i >= len(tags) && slices.Equal(rs[i:i+len(tags)], tags) {
			return len(tags)
		}
	}
	return 0
}
