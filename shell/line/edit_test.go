package line

import (
	"strings"
	"testing"
)

// at makes a buffer of text with a cursor ▮ in it, and shown the other way.
func at(text string) buffer {
	before, after, _ := strings.Cut(text, "▮")
	return buffer{[]rune(before + after), len([]rune(before))}
}

func (b buffer) String() string { return string(b.text[:b.pos]) + "▮" + string(b.text[b.pos:]) }

func TestEdit(t *testing.T) {
	for _, tt := range []struct {
		key          rune
		before, want string
		killed       string
	}{
		{keyLeft, "a👩\u200d👧▮", "a▮👩\u200d👧", ""},
		{keyLeft, "▮a", "▮a", ""},
		{keyRight, "a▮👩\u200d👧b", "a👩\u200d👧▮b", ""},
		{keyRight, "a▮", "a▮", ""},
		{keyBackspace, "ae\u0301▮b", "a▮b", ""},
		{keyBackspace, "▮b", "▮b", ""},
		{keyBackspace, "a🇩🇪▮", "a▮", ""},
		{keyDeleteForward, "▮e\u0301b", "▮b", ""},
		{keyDeleteForward, "b▮", "b▮", ""},
		{keyWordLeft, "naïve  привет▮", "naïve  ▮привет", ""},
		{keyWordLeft, "naïve  ▮", "▮naïve  ", ""},
		{keyWordRight, "▮привет, naïve", "привет▮, naïve", ""},
		{keyDeleteWordLeft, "make foo-bär▮ x", "make foo-▮ x", "bär"},
		{keyDeleteBlankLeft, "make foo-bär▮ x", "make ▮ x", "foo-bär"},
		{keyDeleteWordRight, "a▮ bc d", "a▮ d", " bc"},
		{keyKillStart, "ab▮cd", "▮cd", "ab"},
		{keyKillEnd, "ab▮cd", "ab▮", "cd"},
		{keyKillEnd, "ab▮", "ab▮", ""},
		{keyHome, "ab▮", "▮ab", ""},
		{keyEnd, "▮ab", "ab▮", ""},
	} {
		b := at(tt.before)
		var killed []rune
		if !b.edit(tt.key, &killed) {
			t.Errorf("key %#x is not an edit", tt.key)
		}
		if b.String() != tt.want || string(killed) != tt.killed {
			t.Errorf("key %#x makes %s of %s and kills %q, want %s and %q", tt.key, b, tt.before, string(killed), tt.want, tt.killed)
		}
	}
}

func TestYank(t *testing.T) {
	b, killed := at("ab▮cd"), []rune("xy")
	b.edit(keyYank, &killed)
	if b.String() != "abxy▮cd" {
		t.Errorf("yanked to %s", b)
	}
	if b.edit('x', &killed) || b.edit(keyPaste, &killed) {
		t.Error("a letter or a paste is an edit")
	}
}

func TestSnap(t *testing.T) {
	for _, tt := range []struct{ in, want string }{{"e▮\u0301x", "e\u0301▮x"}, {"a▮b", "a▮b"}, {"▮a", "▮a"}, {"👩\u200d▮👧", "👩\u200d👧▮"}} {
		b := at(tt.in)
		if b.pos = b.snap(); b.String() != tt.want {
			t.Errorf("%s snaps to %s, want %s", tt.in, b, tt.want)
		}
	}
}
