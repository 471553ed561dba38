package term

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is what the person asked for with --color.
type Mode int

const (
	Auto   Mode = iota // colour on a terminal that has it, unless NO_COLOR is set
	Always             // colour whatever the output is
	Never
)

var modes = []string{"auto", "always", "never"}

func (m Mode) String() string { return modes[m] }

// ParseMode returns the mode that a value of --color names.
func ParseMode(value string) (Mode, error) {
	if i := slices.Index(modes, value); i >= 0 {
		return Mode(i), nil
	}
	return Auto, fmt.Errorf("colour mode %q is not auto, always or never", value)
}

// Profile is what an output can show. The zero value has no colour and renders without a single escape sequence.
type Profile struct {
	colour bool
}

// NewProfile decides about colour. An explicit mode wins; Auto means a terminal whose TERM is set and not "dumb", and a
// NO_COLOR that is empty or unset. Getenv is os.Getenv outside of tests.
func NewProfile(mode Mode, isTerminal bool, getenv func(string) string) Profile {
	switch mode {
	case Always:
		return Profile{colour: true}
	case Never:
		return Profile{}
	}
	kind := getenv("TERM")
	capable := kind != "" && kind != "dumb" || getenv("WT_SESSION") != "" // Windows Terminal sets no TERM
	return Profile{colour: isTerminal && capable && getenv("NO_COLOR") == ""}
}

// Colour reports whether colours, bold, dim and reverse are shown.
func (p Profile) Colour() bool { return p.colour }

// Render returns t for writing to a terminal. With colour on, the only escape sequences are SGR ones, each run of styled text
// ends with a reset, and no style goes on past the end of a line; with colour off it is t.String().
func (p Profile) Render(t Text) string {
	if !p.colour {
		return t.String()
	}
	var b strings.Builder
	for _, s := range t.spans {
		if s.style == (Style{}) {
			b.WriteString(s.text)
			continue
		}
		for i, line := range strings.Split(s.text, "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			if line != "" {
				b.WriteString(s.style.sgr() + line + "\x1b[0m")
			}
		}
	}
	return b.String()
}
