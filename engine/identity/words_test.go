package identity

import (
	"slices"
	"strings"
	"testing"
)

// TestWords: the list gives each byte a word of its own, and never changes.
func TestWords(t *testing.T) {
	list := strings.Fields(wordList)
	if len(list) != 256 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != 256 {
		t.Fatalf("the list has %d words, or not in order, or one twice", len(list))
	}
	for _, w := range list {
		if len(w) > 8 {
			t.Errorf("%q is long", w)
		}
	}
	var f Fingerprint
	for i := range f {
		f[i] = byte(17 * i)
	}
	want := "acid axle biscuit cactus cider cuckoo echo galaxy heron kayak marble olive pirate saddle thunder zipper"
	if got := strings.Join(f.Words(), " "); got != want {
		t.Errorf("words are %s", got)
	}
}
