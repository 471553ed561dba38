package chain

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"opentalk/engine/identity/identitytest"
	"opentalk/engine/seal"
)

// writeVectors makes every file but sealed.json, which package seal makes. What is random comes out the same each time.
func writeVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	save := func(file string, v any) {
		raw := must(json.MarshalIndent(v, "", "  "))
		if err := os.WriteFile(filepath.Join("testdata/vectors", file), append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	save("credentials.json", makeCredentials(t))
	save("ed25519.json", makeEd25519())
	r, g := makeGenesis(t)
	save("genesis.json", g)
	save("blocks.json", makeBlocks(r))
	save("refused.json", makeRefused(r))
	save("admission.json", makeAdmission(t, r))
	save("order.json", makeOrder())
	save("texts.json", makeTexts(r))
}

func makeGenesis(t *testing.T) (*round, genesisVector) {
	r := newRound(0)
	id, tag := r.genesis.ID(), r.id.Tag()
	body := must(ParseGenesis(r.genesis.Body()))
	return r, genesisVector{
		Block: r.genesis.Bytes(), ID: id[:], RoundID: r.id.Bytes(), LinkKey: r.id.LinkKey().Bytes(),
		ContentKey: r.id.ContentKey().Bytes(), Tag: tag[:], Random: body.Random[:], Name: body.Name,
		Handle: string(body.PubKey.Handle),
	}
}

func makeBlocks(r *round) []blockVector {
	var vs []blockVector
	add := func(name string, b *Block, plain []byte, ms []Message, text string) {
		id := b.ID()
		v := blockVector{
			Name: name, Block: b.raw(), ID: id[:], Header: b.raw()[:b.header], Signature: b.raw()[b.header : b.header+SignatureSize],
			Kind: uint64(b.Kind), Seq: b.Seq, T: b.T, Wall: b.Wall, Plaintext: plain, Text: text, Parents: []hexBytes{},
		}
		for _, p := range b.Parents {
			v.Parents = append(v.Parents, hexBytes(p[:]))
		}
		for _, m := range ms {
			v.Messages = append(v.Messages, said{m.ID[:], m.Written, uint64(m.Form), m.Auto, m.Text})
		}
		vs = append(vs, v)
	}
	first := r.pubKey(1, start+1)
	add("pubkey", first, must(EncodeHandle("member-1")), nil, "member-1")

	h := Header{Tag: r.id.Tag(), Author: identitytest.Device(0).Device(), Seq: 1, Prev: r.genesis.ID(), T: start + 2, Wall: start + 2}
	write := func(name string, h Header, kind Kind, plain []byte, ms []Message, text string) {
		h.Kind = kind
		add(name, must(Sign(identitytest.Device(0), h, seal.Body(r.id.ContentKey(), bodyPlace(h), plain))), plain, ms, text)
	}
	messages := func(name string, h Header, ms ...Message) {
		plain, n, err := EncodeMessages(ms, MaxBody)
		if err != nil || n != len(ms) {
			panic(name)
		}
		write(name, h, KindMessage, plain, ms, "")
	}
	one := Message{ID: MessageID{1}, Written: start + 1, Text: "hello"}
	messages("message", h, one)
	messages("group of messages", h, one, Message{ID: MessageID{2}, Written: start + 2, Text: "two\nlines, ünïcode 🙂"}, Message{ID: MessageID{3}, Written: 0, Text: "x"})
	messages("action", h, Message{ID: MessageID{4}, Written: start, Form: Action, Text: "waves"})
	messages("written by a script", h, Message{ID: MessageID{5}, Written: start, Auto: true, Text: "built in 3 s"})
	messages("unknown form, longest time", h, Message{ID: MessageID{6}, Written: MaxTime, Form: 1 << 40, Text: "shown as plain"})
	messages("longest message", h, Message{ID: MessageID{7}, Written: start, Text: strings.Repeat("a", MaxText)})
	write("profile", h, KindProfile, must(EncodeHandle("ålice")), nil, "ålice")
	write("topic", h, KindTopic, []byte("what is up"), nil, "what is up")
	write("topic taken away", h, KindTopic, nil, nil, "")
	write("leave", h, KindLeave, nil, nil, "")
	write("unknown kind", h, 1<<63, []byte("from the future"), nil, "")
	parent := h
	parent.Parents = []ID{first.ID()}
	messages("with a parent", parent, one)
	great := h
	great.Epoch, great.Seq, great.T, great.Wall = ID{0xee}, MaxTime, MaxTime, MaxTime
	for i := range MaxParents {
		great.Parents = append(great.Parents, sha256.Sum256([]byte{byte(i)}))
	}
	write("largest header", great, 1<<64-1, make([]byte, 300), nil, "")
	return vs
}

// rawHeader is a header as its twelve items, to write what encodeHeader would not.
type rawHeader struct {
	head  string // of the array
	items []string
	tail  string
}

func uintHex(n uint64) string { return hex.EncodeToString(must(encMode.Marshal(n))) }
func idHex(id ID) string      { return "5820" + id.String() }

func goodHeader(r *round, body []byte) rawHeader {
	author, hash := identitytest.Device(0).Device(), sha256.Sum256(body)
	low, high := ID{1}, ID{2}
	return rawHeader{"8c", []string{
		"01", "50" + r.id.Tag().String(), "02", idHex(ID{}), idHex(ID(author)), "03", idHex(ID{9}), "82" + idHex(low) + idHex(high),
		uintHex(start), uintHex(start), uintHex(uint64(len(body))), idHex(hash),
	}, ""}
}

const (
	atVersion = iota
	atTag
	atKind
	atEpoch
	atAuthor
	atSeq
	atPrev
	atParents
	atT
	atWall
	atBody
	atHash
)

// sign gives the block with this header, signed as it is.
func (h rawHeader) sign(body []byte) []byte {
	raw := must(hex.DecodeString(h.head + strings.Join(h.items, "") + h.tail))
	return slices.Concat(raw, identitytest.Device(0).Sign(roleBlock, raw), body)
}

func makeRefused(r *round) []refusedVector {
	body := []byte("hello")
	good := goodHeader(r, body).sign(body)
	must(Parse(good))
	var vs []refusedVector
	raw := func(name string, rule int, because string, block []byte) {
		vs = append(vs, refusedVector{name, block, rule, because})
	}
	// set replaces items, in pairs of place and hex.
	set := func(name, because string, pairs ...any) {
		h := goodHeader(r, body)
		for i := 0; i < len(pairs); i += 2 {
			h.items[pairs[i].(int)] = pairs[i+1].(string)
		}
		raw(name, 1, because, h.sign(body))
	}
	const canonical, unread = "not in the one canonical encoding", "header cannot be read"
	tag, zero := r.id.Tag().String(), strings.Repeat("00", 32)

	set("kind in two bytes", canonical, atKind, "1802")
	set("seq in three bytes", canonical, atSeq, "190003")
	set("length of the body in nine bytes", canonical, atBody, "1b0000000000000005")
	set("length of the tag in two bytes", canonical, atTag, "5810"+tag)
	set("version in two bytes", canonical, atVersion, "1801")
	set("count of parents in two bytes", canonical, atParents, "9802"+idHex(ID{1})+idHex(ID{2}))
	set("tag of indefinite length", unread, atTag, "5f50"+tag+"ff")
	set("parents of indefinite length", unread, atParents, "9f"+idHex(ID{1})+"ff")
	set("tag as text", unread, atTag, "70"+strings.Repeat("61", 16))
	set("tag as an array", canonical, atTag, "90"+strings.Repeat("07", 16))
	set("null for prev", "without a previous one", atPrev, "f6")
	set("null for parents", canonical, atParents, "f6")
	set("null for t", canonical, atT, "f6")
	set("undefined for prev", "without a previous one", atPrev, "f7")
	set("false for wall", unread, atWall, "f4")
	set("negative t", unread, atT, "20")
	set("t as a float", unread, atT, "fb42797725aa900000")
	set("t as a bignum", unread, atT, "c248"+"0000019774203800")
	set("t with a tag", unread, atT, "c1"+uintHex(start))
	set("author of 31 bytes", canonical, atAuthor, "581f"+strings.Repeat("01", 31))
	set("author of 33 bytes", canonical, atAuthor, "5821"+strings.Repeat("01", 33))
	set("prev of 31 bytes", canonical, atPrev, "581f"+strings.Repeat("01", 31))
	set("prev of zeros", "without a previous one", atPrev, idHex(ID{}))
	set("tag of 15 bytes", "tag of 15 bytes", atTag, "4f"+tag[2:])
	set("tag of 17 bytes", "tag of 17 bytes", atTag, "51"+tag+"00")
	set("no tag", "tag of 0 bytes", atTag, "40")
	set("tag of zeros", "tag of 16 bytes", atTag, "50"+zero[:32])
	set("parents descending", "distinct and ascending", atParents, "82"+idHex(ID{2})+idHex(ID{1}))
	set("a parent twice", "distinct and ascending", atParents, "82"+idHex(ID{1})+idHex(ID{1}))
	set("prev among the parents", "distinct and ascending", atParents, "82"+idHex(ID{1})+idHex(ID{9}))
	set("a parent of zeros", "distinct and ascending", atParents, "81"+idHex(ID{}))
	many := func(n int) string {
		s := hex.EncodeToString([]byte{0x80 + byte(n)})
		if n > 23 {
			s = "98" + hex.EncodeToString([]byte{byte(n)})
		}
		for i := range n {
			s += idHex(ID{byte(i + 10)})
		}
		return s
	}
	set("17 parents", "17 parents exceed", atParents, many(17))
	set("40 parents: a header over 1 KiB", unread, atParents, many(40))
	set("count of parents that is not there", unread, atParents, "9affffffff")
	set("t of 2^53", "exceeds", atT, uintHex(1<<53))
	set("wall of 2^53", "exceeds", atWall, uintHex(1<<53))
	set("seq of 2^53", "exceeds", atSeq, uintHex(1<<53))
	set("no prev at seq 3", "without a previous one", atPrev, "40")
	set("prev at seq 0", "exactly one parent", atSeq, "00", atParents, "81"+idHex(ID{1}))
	set("two parents at seq 0", "exactly one parent", atSeq, "00", atPrev, "40")
	set("no parent at seq 0", "exactly one parent", atSeq, "00", atPrev, "40", atParents, "80")
	set("length of the body too low", "header says 4", atBody, "04")
	set("length of the body too high", "header says 6", atBody, "06")
	set("length of the body over the limit", "exceeds the limit", atBody, uintHex(MaxBody+1))
	set("length of the body of 2^64-1", "exceeds the limit", atBody, uintHex(1<<64-1))
	set("hash of another body", "does not hash", atHash, idHex(ID{7}))
	set("version 0", canonical, atVersion, "00")
	set("version 24", canonical, atVersion, "1818")
	set("version as text", unread, atVersion, "6131")

	genesis := []any{atTag, "40", atKind, "00", atSeq, "00", atPrev, "40", atParents, "80"}
	set("genesis with a tag", "with a past", append(slices.Clone(genesis), atTag, "50"+tag)...)
	set("genesis with a short tag of zeros", canonical, append(slices.Clone(genesis), atTag, "450000000000")...)
	set("genesis at seq 1", "with a past", append(slices.Clone(genesis), atSeq, "01")...)
	set("genesis with prev", "with a past", append(slices.Clone(genesis), atPrev, idHex(ID{9}))...)
	set("genesis with a parent", "with a past", append(slices.Clone(genesis), atParents, "81"+idHex(ID{1}))...)
	set("genesis with an epoch", "with a past", append(slices.Clone(genesis), atEpoch, idHex(ID{1}))...)

	shape := func(name string, rule int, because string, change func(*rawHeader)) {
		h := goodHeader(r, body)
		change(&h)
		raw(name, rule, because, h.sign(body))
	}
	shape("array of indefinite length", 1, unread, func(h *rawHeader) { h.head, h.tail = "9f", "ff" })
	shape("length of the array in two bytes", 1, canonical, func(h *rawHeader) { h.head = "980c" })
	shape("array of 11", 1, unread, func(h *rawHeader) { h.head, h.items = "8b", h.items[:11] })
	shape("array of 13", 1, unread, func(h *rawHeader) { h.head, h.items = "8d", append(h.items, "00") })
	shape("map", 1, "does not begin with a header", func(h *rawHeader) { h.head = "a6" })
	shape("tagged array", 1, "does not begin with a header", func(h *rawHeader) { h.head = "d9d9f78c" })
	const version = "newer opentalk"
	shape("version 2", 0, version, func(h *rawHeader) { h.items[atVersion] = "02" })
	shape("version 23, another shape", 0, version, func(h *rawHeader) { h.head, h.items = "83", []string{"17", "f6", "a0"} })

	raw("nothing", 1, "does not begin", []byte{})
	raw("header only", 1, "within its signature", good[:len(good)-SignatureSize-len(body)])
	raw("cut in the header", 1, unread, good[:100])
	raw("cut in the signature", 1, "within its signature", good[:len(good)-len(body)-1])
	raw("cut in the body", 1, "header says 5", good[:len(good)-1])
	raw("trailing byte", 1, "header says 5", append(slices.Clone(good), 0))
	large := bytes.Repeat([]byte{1}, MaxBlock)
	raw("over 64 KiB", 1, "exceeds the limit of 65536", goodHeader(r, large).sign(large))
	at := len(good) - len(body) - SignatureSize
	raw("R of the signature changed", 2, "signature does not match", flip(good, at))
	raw("S of the signature changed", 2, "signature does not match", flip(good, at+32))
	raw("S of the signature with its highest bit set", 2, "signature does not match", flip2(good, at+63, 0x80))
	raw("wall changed after signing", 2, "signature does not match", reWall(good))
	return vs
}

// reWall changes the lowest byte of wall in goodHeader.
func reWall(good []byte) []byte {
	wall := binary.BigEndian.AppendUint64([]byte{0x1b}, start)
	return flip(good, bytes.LastIndex(good[:len(good)-69], wall)+8)
}

func makeAdmission(t *testing.T, r *round) admissionVectors {
	w := newWorld(t, r)
	v := admissionVectors{Genesis: r.genesis.Bytes()}
	admit := func(b *Block) *Block {
		if err := w.deliver(b); err != nil {
			t.Fatal(err)
		}
		v.Admitted = append(v.Admitted, b.Bytes())
		return b
	}
	b0 := admit(r.pubKey(1, start+1))
	next := func(i int, now uint64) Header {
		h, _ := w.Next(identitytest.Device(i).Device(), now)
		h.Kind = KindMessage
		return h
	}
	sign := func(i int, h Header) *Block { return must(Sign(identitytest.Device(i), h, []byte("sealed"))) }
	a1, b1 := sign(0, next(0, start+10)), sign(1, next(1, start+10)) // at once: the same t
	admit(a1)
	admit(b1)
	a2 := admit(sign(0, next(0, start+5)))
	for _, h := range w.Heads() {
		v.Heads = append(v.Heads, hexBytes(h.ID[:]))
	}
	for _, id := range w.order() {
		v.Order = append(v.Order, hexBytes(id[:]))
	}
	add := func(name string, block []byte, verdict string, rule int, missing ...ID) {
		c := admissionCase{Name: name, Block: block, Verdict: verdict, Rule: rule}
		for _, id := range missing {
			c.Missing = append(c.Missing, hexBytes(id[:]))
		}
		v.Cases = append(v.Cases, c)
	}
	good := next(0, start+20)
	change := func(name, verdict string, rule int, f func(*Header), missing ...ID) {
		h := good
		h.Parents = slices.Clone(h.Parents)
		f(&h)
		add(name, sign(0, h).Bytes(), verdict, rule, missing...)
	}
	change("good", "admitted", 0, func(*Header) {})
	change("unknown kind", "admitted", 0, func(h *Header) { h.Kind = 1000 })
	change("unknown epoch", "admitted", 0, func(h *Header) { h.Epoch = ID{1} })
	change("a clock years ahead", "admitted", 0, func(h *Header) { h.T = MaxTime })
	change("cites an ancestor again", "admitted", 0, func(h *Header) { h.Parents = []ID{r.genesis.ID()} })
	change("another block of the same seq: a fork", "admitted", 0, func(h *Header) { h.Seq, h.Prev = 2, a1.ID() })
	change("a parent is missing", "missing", 0, func(h *Header) { h.Parents = []ID{{1}} }, ID{1})
	change("prev is missing", "missing", 0, func(h *Header) { h.Prev = ID{1} }, ID{1})
	add("genesis", r.genesis.Bytes(), "admitted", 0)
	add("a block that has been admitted", b0.Bytes(), "admitted", 0)
	add("genesis of another round", newRound(1).genesis.Bytes(), "refused", 1)
	change("another tag", "refused", 1, func(h *Header) { h.Tag[0] ^= 1 })
	add("signature", flip(a2.Bytes(), a2.header), "refused", 2)
	change("pubkey at seq 3", "refused", 3, func(h *Header) { h.Kind = KindPubKey })
	first := Header{Tag: r.id.Tag(), Kind: KindPubKey, Parents: []ID{r.genesis.ID()}, T: start + 1}
	firstBlock := func(name string, i int, h Header, body []byte, verdict string, rule int, missing ...ID) {
		add(name, must(Sign(identitytest.Device(i), h, body)).Bytes(), verdict, rule, missing...)
	}
	body := r.pubKeyBody(2, first)
	firstBlock("pubkey", 2, first, body, "admitted", 0)
	firstBlock("pubkey with the credential of another device", 3, first, body, "refused", 3)
	firstBlock("pubkey with a bad credential", 2, first, flip(body, 820), "refused", 3)
	firstBlock("pubkey with another length of handle", 2, first, resize(body, SealedHandle-1), "refused", 3)
	firstBlock("pubkey with a body that is not canonical", 2, first, slices.Concat([]byte{0x98, 3}, body[1:]), "refused", 3)
	elsewhere, message := first, first
	elsewhere.Parents, message.Kind = []ID{{1}}, KindMessage
	firstBlock("pubkey that does not cite genesis", 2, elsewhere, body, "refused", 3)
	firstBlock("message at seq 0", 2, message, body, "refused", 3)
	change("a seq left out", "refused", 4, func(h *Header) { h.Seq++ })
	change("prev of another author", "refused", 4, func(h *Header) { h.Seq, h.Prev = 2, b1.ID() })
	change("prev of another author and a missing parent", "refused", 4, func(h *Header) { h.Seq, h.Prev, h.Parents = 2, b1.ID(), []ID{{1}} })
	change("t of prev", "refused", 6, func(h *Header) { h.T = a2.T })
	change("t before genesis", "refused", 6, func(h *Header) { h.T = 0 })
	return v
}

func makeOrder() orderVectors {
	v := orderVectors{Positions: []positionVector{
		{5, hexID(0xff)}, {5, hexID(0x7f)}, {5, hexID(0x80)}, {4, hexID(0xff)}, {1 << 52, hexID(0)}, {0, hexID(1)}, {10, hexID(0)},
		{5, append(hexID(0)[:31:31], 1)}, {5, hexID(0)}, {MaxTime, hexID(0)},
	}}
	for i := range v.Positions {
		v.Canonical = append(v.Canonical, i)
	}
	slices.SortFunc(v.Canonical, func(a, b int) int {
		x, y := v.Positions[a], v.Positions[b]
		return cmp.Or(cmp.Compare(x.T, y.T), strings.Compare(hex.EncodeToString(x.ID), hex.EncodeToString(y.ID)))
	})
	return v
}

func hexID(first byte) hexBytes { return append([]byte{first}, make([]byte, 31)...) }
