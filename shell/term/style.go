package term

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// Style is how text looks. The zero value is plain.
type Style struct {
	Colour uint8 // a code of the 256-colour palette; 0 is the terminal's own
	Bold   bool
	Dim    bool
	// Reverse swaps foreground and background.
	Reverse bool
}

// palette holds colours that keep a contrast of 3 to 1 or more on white as well as on black.
var palette = []uint8{
	28, 29, 30, 31, 32, 62, 64, 67, 68, 97, 99, 100, 130, 131, 132, 133, 134, 136, 137, 162, 164, 166, 167, 168,
}

// Palette returns the colour that stands for key, the bytes of a fingerprint: always the same for one key, and readable on
// a dark and on a light ground. There are two dozen, so different keys often share one: a colour is a reminder, never a proof.
// An empty key gets none.
func Palette(key []byte) Style {
	if len(key) == 0 {
		return Style{}
	}
	h := fnv.New32a()
	h.Write(key)
	return Style{Colour: palette[h.Sum32()%uint32(len(palette))]}
}

// Apply returns t in this style. What has a colour already keeps it; bold, dim and reverse add up.
func (s Style) Apply(t Text) Text {
	var b builder
	for _, sp := range t.spans {
		b.add(sp.text, s.under(sp.style))
	}
	return b.text()
}

func (s Style) under(inner Style) Style {
	if inner.Colour == 0 {
		inner.Colour = s.Colour
	}
	inner.Bold = inner.Bold || s.Bold
	inner.Dim = inner.Dim || s.Dim
	inner.Reverse = inner.Reverse || s.Reverse
	return inner
}

// sgr returns the escape sequence that begins the style after a reset.
func (s Style) sgr() string {
	var codes []string
	if s.Bold {
		codes = append(codes, "1")
	}
	if s.Dim {
		codes = append(codes, "2")
	}
	if s.Reverse {
		codes = append(codes, "7")
	}
	if s.Colour != 0 {
		codes = append(codes, fmt.Sprintf("38;5;%d", s.Colour))
	}
	return "\x1b[" + strings.Join(codes, ";") + "m"
}
