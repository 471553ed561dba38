package vt

import (
	"strings"
	"testing"
)

// TestFaults: what opentalk means to send is none, everything else that a terminal might obey is one.
func TestFaults(t *testing.T) {
	for _, s := range []string{
		"plain é 日本 👩\u200d👧\r\n", "\a", "\x1b[K\x1b[J\x1b[2J\x1b[H\x1b[3C", "\r\n\r\n\x1b[2A", "\x1b[1;2;7;38;5;30mx\x1b[0m", "\x1b[?2004h\x1b[?2004l", "\x1b]9;hello\a",
	} {
		v := New(20, 5)
		for _, b := range []byte(s) { // however it is cut
			v.Write([]byte{b})
		}
		if faults := v.Faults(); len(faults) > 0 {
			t.Errorf("%q: %v", s, faults)
		}
	}
	for _, s := range []string{
		"\x1b[?1049h", "\x1b[6n", "\x1b[c", "\x1b[>q", "\x1b[8m", "\x1b[m", "\x1b[38;2;1;2;3m", "\x1b[5A", "\x1b[1;1H", "\x1b]0;title\a", "\x1b]52;c;aGk=\a", "\x1b]8;;x\a",
		"\x1b]9;a\x1bb\a", "\x1bP$qm\x1b\\", "\x1bc", "\b", "\x00", "\x7f", "\t", "\u009b31m", "\x9b31m", "\u0085", "\u2028", "\u202e", "\xff",
	} {
		v := New(20, 5)
		v.Write([]byte(s))
		if len(v.Faults()) == 0 {
			t.Errorf("nothing is wrong with %q", s)
		}
	}
}

func TestScreen(t *testing.T) {
	v := New(6, 2)
	v.Write([]byte("one\r\n日本語x\r\ny"))
	if got := v.Screen(); got != "x\ny▮" {
		t.Errorf("the screen is %q", got)
	}
	if got := strings.Join(v.Rows(), "|"); got != "one|日本語|x|y" {
		t.Errorf("the rows are %q", got)
	}
	v.Resize(3, 2)
	if got := v.Screen(); got != "x\ny▮" {
		t.Errorf("after resizing it is %q", got)
	}
}
