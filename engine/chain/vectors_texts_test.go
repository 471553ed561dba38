package chain

import (
	"encoding/hex"
	"slices"
	"strings"

	"opentalk/engine/identity/identitytest"
)

// makeTexts are plaintexts and clear bodies, good and refused.
func makeTexts(r *round) []textVector {
	var vs []textVector
	add := func(as, name, refused string, raw []byte) {
		vs = append(vs, textVector{Name: as + ": " + name, As: as, Bytes: raw, Refused: refused})
	}
	const canonical = "canonical"
	message := func(item string) []byte { return must(hex.DecodeString(item)) }
	id := "50" + strings.Repeat("01", 16)
	add("messages", "one", "", message("8185"+id+"0500f4"+"6161"))
	add("messages", "unknown form", "", message("8185"+id+"051903e8f5"+"6161"))
	add("messages", "control characters are for the screen to show", "", message("8185"+id+"0500f4"+"621b0a"))
	add("messages", "none", "none in the block", message("80"))
	add("messages", "trailing byte", "extraneous", message("8185"+id+"0500f4"+"616100"))
	add("messages", "number not the shortest", canonical, message("8185"+id+"180500f4"+"6161"))
	add("messages", "id of 15 bytes", canonical, message("81854f"+id[4:]+"0500f4"+"6161"))
	add("messages", "id of 17 bytes", canonical, message("818551"+id[2:]+"010500f4"+"6161"))
	add("messages", "array of indefinite length", "indefinite", message("9f85"+id+"0500f4"+"6161ff"))
	add("messages", "text of indefinite length", "indefinite", message("8185"+id+"0500f4"+"7f6161ff"))
	add("messages", "four fields", "reading messages", message("8184"+id+"0500f4"))
	add("messages", "six fields", "reading messages", message("8186"+id+"0500f46161f6"))
	add("messages", "auto as a number", "reading messages", message("8185"+id+"050001"+"6161"))
	add("messages", "text as bytes", "reading messages", message("8185"+id+"0500f4"+"4161"))
	add("messages", "null message", canonical, message("81f6"))
	add("messages", "empty text", "message is empty", message("8185"+id+"0500f4"+"60"))
	add("messages", "text that is not UTF-8", "UTF-8", message("8185"+id+"0500f4"+"61ff"))
	add("messages", "written in 2^53", "exceeds", message("8185"+id+"1b002000000000000000f4"+"6161"))
	add("messages", "text over 8 KiB", "exceeds", message("8185"+id+"0500f4"+"792001"+strings.Repeat("61", MaxText+1)))
	add("messages", "a good one and a bad one", "message is empty", message("8285"+id+"0500f4"+"616185"+id+"0500f4"+"60"))
	add("messages", "count that is not there", "reading messages", message("9bffffffffffffffff"))
	add("messages", "deep nesting", "reading messages", message(strings.Repeat("81", 100)+"00"))

	handle := func(name, refused, text string) {
		add("handle", name, refused, append([]byte(text), make([]byte, max(0, HandleSize-len(text)))...))
	}
	handle("letters", "", "alice")
	handle("32 of four bytes", "", strings.Repeat("𝒶", 32))
	handle("digits, punctuation, symbols, a mark", "", "x_1-2.q\u0331🙂")
	handle("empty", "empty", "")
	handle("33 characters", "exceeds", strings.Repeat("a", 33))
	handle("129 bytes", "bytes, want", strings.Repeat("a", 129))
	handle("zero byte within", "holds", "a\x00b")
	handle("escape", "holds", "a\x1b[31m")
	handle("C1 control", "holds", "a\u009b")
	handle("turned direction", "holds", "a\u202eb")
	handle("space", "holds", "a b")
	handle("no-break space", "holds", "a\u00a0b")
	handle("colon", "holds", "a:b")
	handle("tilde", "holds", "a~b")
	handle("zero width joiner", "holds", "a\u200db")
	handle("filler that is not seen", "holds", "alice\u3164")
	handle("blank of braille", "holds", "alice\u2800")
	handle("variation selector", "holds", "alice\ufe0f")
	handle("begins a command", "begins", "/alice")
	handle("begins with a mark", "begins", "\u0301a")
	handle("not in NFC", "normal form", "e\u0301")
	handle("not UTF-8", "UTF-8", "a\xff")
	add("handle", "not padded", "bytes, want", []byte("alice"))

	add("topic", "text", "", []byte("what is up 🙂"))
	add("topic", "taken away", "", []byte{})
	add("topic", "512 characters", "", []byte(strings.Repeat("é", MaxTopic)))
	add("topic", "513 characters", "exceeds", []byte(strings.Repeat("a", MaxTopic+1)))
	add("topic", "line feed", "holds", []byte("a\nb"))
	add("topic", "escape", "holds", []byte("a\x1b]0;b"))
	add("topic", "not UTF-8", "UTF-8", []byte{0xff})

	pub := r.pubKeyBody(1, Header{Tag: r.id.Tag(), Kind: KindPubKey})
	add("pubkey", "good", "", pub)
	add("pubkey", "trailing byte", "extraneous", append(slices.Clone(pub), 0))
	add("pubkey", "length of the array in two bytes", canonical, slices.Concat([]byte{0x98, 3}, pub[1:]))
	add("pubkey", "handle in clear", "sealed handle of 5 bytes", slices.Concat(pub[:len(pub)-SealedHandle-2], []byte("\x45alice")))
	add("pubkey", "handle of 209 bytes", "sealed handle of 209 bytes", resize(pub, SealedHandle+1))
	add("pubkey", "null handle", "canonical", slices.Concat(pub[:len(pub)-SealedHandle-2], []byte{0xf6}))

	g := must(ParseGenesis(r.genesis.Body()))
	gen := func(name, refused string, change func(*Genesis)) {
		c := *g
		change(&c)
		add("genesis", name, refused, must(encMode.Marshal(&c)))
	}
	gen("good", "", func(*Genesis) {})
	gen("a policy of later versions", "", func(g *Genesis) { g.Policy = []byte{0xa1, 1, 2} })
	gen("a name that only a later version would write", "", func(g *Genesis) { g.Name = "\U000e0fff" })
	gen("no name", "empty", func(g *Genesis) { g.Name = "" })
	gen("33 characters", "exceeds", func(g *Genesis) { g.Name = strings.Repeat("a", 33) })
	gen("escape in the name", "holds", func(g *Genesis) { g.Name = "a\x1b" })
	gen("no handle", "empty", func(g *Genesis) { g.PubKey.Handle = []byte{} })
	gen("handle of 129 bytes", "exceeds", func(g *Genesis) { g.PubKey.Handle = []byte(strings.Repeat("a", 129)) })
	nulled := must(encMode.Marshal(g)) // 84, random (34 bytes), name (5 bytes), policy
	add("genesis", "null policy", canonical, slices.Concat(nulled[:40], []byte{0xf6}, nulled[41:]))
	gen("credential of another length", "credential of", func(g *Genesis) { g.PubKey.Credential = []byte{1} })
	gen("HPKE key of another length", "HPKE key of", func(g *Genesis) { g.PubKey.HPKE = identitytest.Device(0).HPKE()[1:] })
	return vs
}
