package engine

import (
	"testing"

	"opentalk/engine/chain"
	"opentalk/engine/store"
)

func TestNeedle(t *testing.T) {
	for _, c := range []struct {
		text, sought string
		want         bool
	}{
		{"Hello there", "hello", true}, {"hello there", "O T", true}, {"hello", "hello!", false}, {"", "x", false},
		{"Straße", "STRASSE", true}, {"Zoe\u0308", "zo\u00eb", true}, {"zo\u00eb", "ZOE\u0308", true}, {"zoe", "zo\u00eb", false},
		{"\u212aelvin", "kelvin", true}, {"ΣΊΣΥΦΟΣ", "σίσυφος", true}, {"日本語で", "本語", true}, {"naïve plan", "PLAN", true},
		{"İstanbul", "x", false}, {"100%", "100%", true},
	} {
		for range 2 { // the second time there is memory
			if n := newNeedle(c.sought); n.in("AAAAAAAAAAAA"+c.text) != c.want {
				t.Errorf("%q in %q: want %v", c.sought, c.text, c.want)
			}
		}
	}
}

// TestBeside: what is beside a place lies next to it, over the ends of its bytes, too.
func TestBeside(t *testing.T) {
	last := chain.Position{T: 7, ID: chain.ID(store.End.ID)}
	for _, p := range []chain.Position{{T: 7}, {T: 7, ID: chain.ID{31: 0xff}}, {T: 7, ID: chain.ID{30: 1}}, last, {T: 0, ID: chain.ID{31: 1}}} {
		at := store.Position{T: p.T, ID: p.ID}
		after, before := beside(p, 1), beside(p, -1)
		if after.Compare(at) != 1 || before.Compare(at) != -1 {
			t.Errorf("%v: %v, %v", p, before, after)
		}
		if back := beside(chain.Position{T: after.T, ID: after.ID}, -1); back != at {
			t.Errorf("%v: after it and back is %v", p, back)
		}
	}
	if beside(chain.Position{}, -1) != (store.Position{}) {
		t.Error("there is something before everything")
	}
}
