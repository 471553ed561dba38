package chain

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"opentalk/engine/identity"
	"opentalk/engine/seal"
)

var update = flag.Bool("update", false, "write the vectors anew")

// hexBytes is written in hex.
type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// The files of testdata/vectors. Their README says what the fields mean.
type (
	genesisVector struct {
		Block      hexBytes `json:"block"`
		ID         hexBytes `json:"id"`
		RoundID    hexBytes `json:"round_id"`
		LinkKey    hexBytes `json:"link_key"`
		ContentKey hexBytes `json:"content_key"`
		Tag        hexBytes `json:"tag"`
		Random     hexBytes `json:"random"`
		Name       string   `json:"name"`
		Handle     string   `json:"handle"`
	}
	credentialVector struct {
		Name        string   `json:"name"`
		Credential  hexBytes `json:"credential"`
		Fingerprint hexBytes `json:"fingerprint,omitempty"`
		Device      hexBytes `json:"device,omitempty"`
		Created     int64    `json:"created,omitempty"`
		Refused     string   `json:"refused,omitempty"`
	}
	keyVector struct {
		Name    string   `json:"name"`
		Key     hexBytes `json:"key"`
		Refused string   `json:"refused,omitempty"`
	}
	signatureVector struct {
		Name      string   `json:"name"`
		Key       hexBytes `json:"key"`
		Role      string   `json:"role"`
		Message   hexBytes `json:"message"`
		Signature hexBytes `json:"signature"`
		Holds     bool     `json:"holds"`
	}
	ed25519Vectors struct {
		Keys       []keyVector       `json:"keys"`
		Signatures []signatureVector `json:"signatures"`
	}
	blockVector struct {
		Name      string     `json:"name"`
		Block     hexBytes   `json:"block"`
		ID        hexBytes   `json:"id"`
		Header    hexBytes   `json:"header"`
		Signature hexBytes   `json:"signature"`
		Kind      uint64     `json:"kind"`
		Seq       uint64     `json:"seq"`
		Parents   []hexBytes `json:"parents"`
		T         uint64     `json:"t"`
		Wall      uint64     `json:"wall"`
		Plaintext hexBytes   `json:"plaintext,omitempty"`
		Messages  []said     `json:"messages,omitempty"`
		Text      string     `json:"text,omitempty"`
	}
	said struct {
		ID      hexBytes `json:"id"`
		Written uint64   `json:"written"`
		Form    uint64   `json:"form"`
		Auto    bool     `json:"auto"`
		Text    string   `json:"text"`
	}
	refusedVector struct {
		Name    string   `json:"name"`
		Block   hexBytes `json:"block"`
		Rule    int      `json:"rule"`
		Because string   `json:"because"`
	}
	admissionVectors struct {
		Genesis  hexBytes        `json:"genesis"`
		Admitted []hexBytes      `json:"admitted"`
		Heads    []hexBytes      `json:"heads"`
		Order    []hexBytes      `json:"order"`
		Cases    []admissionCase `json:"cases"`
	}
	admissionCase struct {
		Name    string     `json:"name"`
		Block   hexBytes   `json:"block"`
		Verdict string     `json:"verdict"`
		Rule    int        `json:"rule,omitempty"`
		Missing []hexBytes `json:"missing,omitempty"`
	}
	positionVector struct {
		T  uint64   `json:"t"`
		ID hexBytes `json:"id"`
	}
	orderVectors struct {
		Positions []positionVector `json:"positions"`
		Canonical []int            `json:"canonical"`
	}
	textVector struct {
		Name    string   `json:"name"`
		As      string   `json:"as"`
		Bytes   hexBytes `json:"bytes"`
		Refused string   `json:"refused,omitempty"`
	}
)

func load[T any](t *testing.T, file string) (v T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/vectors", file))
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refusedAs checks an error against what a vector says.
func refusedAs(t *testing.T, name string, err error, because string) {
	t.Helper()
	if because == "" && err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if because != "" && (err == nil || !strings.Contains(err.Error(), because)) {
		t.Errorf("%s: %v, want a refusal that says %q", name, err, because)
	}
}

// TestVectors replays CHAIN 10.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	t.Run("genesis", testGenesisVector)
	t.Run("credentials", testCredentialVectors)
	t.Run("ed25519", testEd25519Vectors)
	t.Run("blocks", testBlockVectors)
	t.Run("refused", testRefusedVectors)
	t.Run("admission", testAdmissionVectors)
	t.Run("order", testOrderVectors)
	t.Run("texts", testTextVectors)
}

func testGenesisVector(t *testing.T) {
	v := load[genesisVector](t, "genesis.json")
	b, err := Parse(v.Block)
	if err != nil {
		t.Fatal(err)
	}
	round := identity.RoundIDOf(v.Block)
	body := must(ParseGenesis(b.Body()))
	tag, id := round.Tag(), b.ID()
	for what, pair := range map[string][2][]byte{
		"id": {v.ID, id[:]}, "round id": {v.RoundID, round.Bytes()}, "link key": {v.LinkKey, round.LinkKey().Bytes()},
		"content key": {v.ContentKey, round.ContentKey().Bytes()}, "tag": {v.Tag, tag[:]}, "random": {v.Random, body.Random[:]},
		"name": {[]byte(v.Name), []byte(body.Name)}, "handle": {[]byte(v.Handle), body.PubKey.Handle},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %x, want %x", what, pair[1], pair[0])
		}
	}
	if _, err := New(round, b, nil, new(identity.Verifier)); err != nil {
		t.Error(err)
	}
}

func testCredentialVectors(t *testing.T) {
	for _, v := range load[[]credentialVector](t, "credentials.json") {
		c, err := identity.ParseCredential(v.Credential)
		refusedAs(t, v.Name, err, v.Refused)
		if err != nil {
			continue
		}
		f, d := c.Fingerprint(), c.Device()
		if !slices.Equal(f[:], v.Fingerprint) || !slices.Equal(d[:], v.Device) || !c.Created().Equal(time.Unix(v.Created, 0)) {
			t.Errorf("%s: identity %s, device %s, created %v", v.Name, f, d, c.Created())
		}
	}
}

func testEd25519Vectors(t *testing.T) {
	vs := load[ed25519Vectors](t, "ed25519.json")
	for _, v := range vs.Keys {
		refusedAs(t, v.Name, identity.Device(v.Key).Check(), v.Refused)
	}
	for _, v := range vs.Signatures {
		if got := identity.Device(v.Key).Verify(identity.Role(v.Role), v.Message, v.Signature); got != v.Holds {
			t.Errorf("%s: holds %v, want %v", v.Name, got, v.Holds)
		}
	}
}

func testBlockVectors(t *testing.T) {
	key := identity.RoundIDOf(load[genesisVector](t, "genesis.json").Block).ContentKey()
	for _, v := range load[[]blockVector](t, "blocks.json") {
		b, err := Parse(v.Block)
		if err == nil {
			err = b.Verify()
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		id := b.ID()
		if !slices.Equal(id[:], v.ID) || !slices.Equal(b.raw()[:b.header], v.Header) || !slices.Equal(b.raw()[b.header:b.header+64], v.Signature) ||
			uint64(b.Kind) != v.Kind || b.Seq != v.Seq || b.T != v.T || b.Wall != v.Wall || len(b.Parents) != len(v.Parents) {
			t.Errorf("%s: read as %+v", v.Name, b.Header)
		}
		if again := must(encodeHeader(b.Header)); !slices.Equal(again, v.Header) {
			t.Errorf("%s: encoded as %x", v.Name, again)
		}
		testBody(t, key, v, b)
	}
}

func testBody(t *testing.T, key identity.ContentKey, v blockVector, b *Block) {
	sealed := b.Body()
	if b.Kind == KindPubKey {
		sealed = must(ParsePubKey(b.Body())).Handle
	}
	plain, err := seal.OpenBody(key, bodyPlace(b.Header), sealed)
	if err != nil || !slices.Equal(plain, v.Plaintext) {
		t.Errorf("%s: opened as %x, %v", v.Name, plain, err)
		return
	}
	text := ""
	switch b.Kind {
	case KindMessage:
		ms, merr := ParseMessages(plain)
		err = merr
		if !slices.EqualFunc(ms, v.Messages, func(m Message, s said) bool {
			return slices.Equal(m.ID[:], s.ID) && m.Written == s.Written && uint64(m.Form) == s.Form && m.Auto == s.Auto && m.Text == s.Text
		}) {
			t.Errorf("%s: read as %+v", v.Name, ms)
		}
		if again, n, err := EncodeMessages(ms, MaxBody); err != nil || n != len(ms) || !slices.Equal(again, plain) {
			t.Errorf("%s: encoded as %x, %v", v.Name, again, err)
		}
	case KindPubKey, KindProfile:
		text, err = ParseHandle(plain)
	case KindTopic:
		text, err = ParseTopic(plain)
	}
	if err != nil || text != v.Text {
		t.Errorf("%s: read %q, %v", v.Name, text, err)
	}
}

func testRefusedVectors(t *testing.T) {
	for _, v := range load[[]refusedVector](t, "refused.json") {
		b, err := Parse(v.Block)
		if err == nil {
			err = b.Verify()
		}
		refusedAs(t, v.Name, err, v.Because)
		if v.Rule > 0 {
			wantRule(t, v.Name, err, v.Rule)
		} else if !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v, want ErrVersion", v.Name, err)
		}
	}
}

func testAdmissionVectors(t *testing.T) {
	v := load[admissionVectors](t, "admission.json")
	g := must(Parse(v.Genesis))
	w := newWorld(t, &round{id: identity.RoundIDOf(v.Genesis), genesis: g, creds: new(identity.Verifier)})
	for _, raw := range v.Admitted {
		if err := w.deliver(must(Parse(raw))); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(hexIDs(ids(w.Heads())), toStrings(v.Heads)) || !slices.Equal(hexIDs(w.order()), toStrings(v.Order)) {
		t.Error("other heads or order")
	}
	for _, c := range v.Cases {
		verdict, missing := "admitted", []ID(nil)
		b, err := Parse(c.Block)
		if err == nil {
			missing, err = w.Check(b)
		}
		switch {
		case errors.Is(err, ErrVersion):
			verdict = "version"
		case err != nil:
			verdict = "refused"
			wantRule(t, c.Name, err, c.Rule)
		case len(missing) > 0:
			verdict = "missing"
		}
		if verdict != c.Verdict || !slices.Equal(hexIDs(missing), toStrings(c.Missing)) {
			t.Errorf("%s: %s %v, want %s", c.Name, verdict, err, c.Verdict)
		}
	}
}

func hexIDs(ids []ID) (out []string) {
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}

func toStrings(bs []hexBytes) (out []string) {
	for _, b := range bs {
		out = append(out, hex.EncodeToString(b))
	}
	return out
}

func testOrderVectors(t *testing.T) {
	v := load[orderVectors](t, "order.json")
	got := make([]int, len(v.Positions))
	for i := range got {
		got[i] = i
	}
	slices.SortFunc(got, func(a, b int) int { return v.Positions[a].position().Compare(v.Positions[b].position()) })
	if !slices.Equal(got, v.Canonical) {
		t.Errorf("order %v, want %v", got, v.Canonical)
	}
}

func (p positionVector) position() Position { return Position{T: p.T, ID: ID(p.ID)} }

func testTextVectors(t *testing.T) {
	for _, v := range load[[]textVector](t, "texts.json") {
		var err error
		switch v.As {
		case "messages":
			_, err = ParseMessages(v.Bytes)
		case "handle":
			_, err = ParseHandle(v.Bytes)
		case "topic":
			_, err = ParseTopic(v.Bytes)
		case "pubkey":
			_, err = ParsePubKey(v.Bytes)
		case "genesis":
			_, err = ParseGenesis(v.Bytes)
		default:
			t.Errorf("%s: as %q", v.Name, v.As)
		}
		refusedAs(t, v.Name, err, v.Refused)
	}
}
