package engine

import (
	"testing"

	"opentalk/engine/chain"
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
			if n := newNeedle(c.sought); n.in(&chain.Message{Text: "AAAAAAAAAAAA" + c.text}) != c.want {
				t.Errorf("%q in %q: want %v", c.sought, c.text, c.want)
			}
		}
	}
}
