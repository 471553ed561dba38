package chain

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"

	"opentalk/engine/identity/identitytest"
)

func TestLimitsHoldTheLargestBlock(t *testing.T) {
	h := Header{Tag: shared().id.Tag(), Kind: 1<<64 - 1, Seq: MaxTime, Prev: ID{200}, T: MaxTime, Wall: MaxTime, Epoch: ID{1}}
	for i := range MaxParents {
		h.Parents = append(h.Parents, ID{byte(i + 1)})
	}
	b, err := Sign(identitytest.Device(0), h, make([]byte, MaxBody))
	if err != nil {
		t.Fatal(err)
	}
	if b.header != 739 || b.header > MaxHeader || len(b.Bytes()) > MaxBlock {
		t.Errorf("header of %d bytes, block of %d", b.header, len(b.Bytes()))
	}
	if _, err := Sign(identitytest.Device(0), h, make([]byte, MaxBody+1)); err == nil {
		t.Error("a larger body is signed")
	}
}

func TestSignedBlockReadsAsItself(t *testing.T) {
	parents := []ID{{2}, {1}}
	body := []byte("body")
	b, err := Sign(identitytest.Device(0), Header{Tag: shared().id.Tag(), Kind: KindTopic, Seq: 1, Prev: ID{9}, Parents: parents, T: 5}, body)
	if err != nil {
		t.Fatal(err)
	}
	body[0] = 'x'
	again := must(Parse(slices.Clone(b.Bytes())))
	if err := again.Verify(); err != nil {
		t.Error(err)
	}
	if again.ID() != b.ID() || string(again.Body()) != "body" || string(b.Body()) != "body" || again.Author != identitytest.Device(0).Device() {
		t.Error("another block was read")
	}
	if parents[0] != (ID{2}) || !slices.Equal(again.Parents, []ID{{1}, {2}}) {
		t.Errorf("parents %v, the caller's %v", again.Parents, parents)
	}
	if !slices.Equal(again.Edges(), []ID{{9}, {1}, {2}}) {
		t.Errorf("edges %v", again.Edges())
	}
}

func TestSignRefusesWhatParseWould(t *testing.T) {
	good := Header{Tag: shared().id.Tag(), Kind: KindTopic, Seq: 1, Prev: ID{9}, T: 5}
	for what, change := range map[string]func(*Header){
		"no tag": func(h *Header) { h.Tag[0] = 0; h.Tag = [16]byte{} }, "no prev": func(h *Header) { h.Prev = ID{} },
		"17 parents": func(h *Header) { h.Parents = make([]ID, 17) }, "t": func(h *Header) { h.T = MaxTime + 1 },
		"prev as parent": func(h *Header) { h.Parents = []ID{h.Prev} },
	} {
		h := good
		change(&h)
		var f *Fault
		if _, err := Sign(identitytest.Device(0), h, nil); !errors.As(err, &f) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Another version is nobody's fault, so members of two versions stay linked.
func TestAnotherVersionIsNoFault(t *testing.T) {
	_, err := Parse([]byte{0x8d, 2, 0xff, 0xff})
	var f *Fault
	if !errors.Is(err, ErrVersion) || errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}

// The bytes of genesis are the round's secret: no careless line of code may show them. Shown first on a plain value.
func TestGenesisIsNeverPrinted(t *testing.T) {
	g := shared().genesis
	body := must(ParseGenesis(g.Body()))
	random := body.Random[:]
	find := func(text string) bool {
		text = strings.ToLower(text)
		for _, needle := range []string{
			"165 166 167 168", "165,166,167,168", "0xa5, 0xa6, 0xa7", "a5a6a7a8", "a5 a6 a7 a8", `\xa5\xa6\xa7`, "\xa5\xa6\xa7",
			"245 246 247 250", "u+00a5 u+00a6 u+00a7", "oakjpkw", "oaoqpk", "pkwmp",
		} {
			if strings.Contains(text, needle) {
				return true
			}
		}
		return false
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "% x", "%q", "%d", "%o", "%U", "%t"}
	found := 0
	for _, verb := range verbs {
		if find(fmt.Sprintf(verb, struct{ b []byte }{random})) {
			found++
		}
	}
	if found < 8 {
		t.Fatalf("a planted value is found with %d verbs only", found)
	}
	type holder struct{ b *Block }
	for _, v := range []any{g, body, *body, struct{ G *Genesis }{body}, struct{ B *Block }{g}, holder{g}, []*Block{g}, &Line{First: g}, *newWorldFor(t)} {
		outs := []string{}
		for _, verb := range verbs {
			outs = append(outs, fmt.Sprintf(verb, v))
		}
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("m", "v", v)
		encoded, _ := json.Marshal(v)
		for i, out := range append(outs, logged.String(), string(encoded)) {
			if find(out) {
				t.Errorf("%T in output %d shows genesis: %.200s", v, i, out)
			}
		}
	}
	if got := fmt.Sprintf("%v", g); got != "genesis block "+g.ID().Short() {
		t.Errorf("printed as %q", got)
	}
}

func newWorldFor(t *testing.T) *Chain { return newWorld(t, shared()).Chain }

// T10: what a block claims to hold costs nothing until it is there.
func TestClaimedLengthsAllocateNothing(t *testing.T) {
	bombs := [][]byte{
		{0x9a, 0xff, 0xff, 0xff, 0xff, 1}, {0x8c, 1, 0x5a, 0x7f, 0xff, 0xff, 0xff}, {0x8c, 1, 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x81, 0x85, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x99, 0x0f, 0xff}, {0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		[]byte(strings.Repeat("\x81", MaxBlock-1)), []byte("\x99\x10\x00" + strings.Repeat("\x80", MaxBlock-4)),
	}
	for i, bomb := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Parse(bomb)
		ParseMessages(bomb)
		ParseGenesis(bomb)
		ParsePubKey(bomb)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("bomb %d of %d bytes takes %d bytes", i, len(bomb), got)
		}
	}
}

// The sizes that CHAIN.md states.
func TestStatedSizes(t *testing.T) {
	first := Header{Tag: shared().id.Tag(), Kind: KindPubKey}
	if n := len(shared().pubKeyBody(1, first)); n != 2255 {
		t.Errorf("body of a pubkey block: %d bytes", n)
	}
	if n := len(identitytest.Credential(0).Bytes()); n != 822 {
		t.Errorf("credential: %d bytes", n)
	}
	if der := identitytest.Credential(0).Bytes()[:9]; fmt.Sprintf("%x", der) != "3082018a0282018100" {
		t.Errorf("identity key begins %x", der)
	}
	if MaxBody != 64448 || MaxBlock != 65536 || MaxAhead != 600000 {
		t.Error("limits")
	}
}
