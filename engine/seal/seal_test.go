package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
)

var update = flag.Bool("update", false, "write the vectors anew")

func testPlace() Place {
	round := identity.RoundIDOf([]byte("a round"))
	return Place{Tag: round.Tag(), Kind: 2, Author: identitytest.Device(0).Device(), Seq: 7}
}

func testKey() identity.ContentKey { return identity.RoundIDOf([]byte("a round")).ContentKey() }

func TestBodyOpensAtItsPlaceOnly(t *testing.T) {
	at, plain := testPlace(), []byte("hello")
	body := Body(testKey(), at, plain)
	if len(body) != len(plain)+Overhead {
		t.Errorf("body of %d bytes, want %d", len(body), len(plain)+Overhead)
	}
	if got, err := OpenBody(testKey(), at, body); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("opened as %q, %v", got, err)
	}
	for field, move := range map[string]func(p *Place){
		"tag":    func(p *Place) { p.Tag[0]++ },
		"kind":   func(p *Place) { p.Kind++ },
		"epoch":  func(p *Place) { p.Epoch[31]++ },
		"author": func(p *Place) { p.Author = identitytest.Device(1).Device() },
		"seq":    func(p *Place) { p.Seq++ },
		"seq 0":  func(p *Place) { p.Seq = 0 },
	} {
		moved := at
		move(&moved)
		if _, err := OpenBody(testKey(), moved, body); !errors.Is(err, ErrUnreadable) {
			t.Errorf("another %s: %v", field, err)
		}
	}
	if _, err := OpenBody(identity.RoundIDOf([]byte("another")).ContentKey(), at, body); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another round: %v", err)
	}
}

func TestBodyWithAnyByteChangedDoesNotOpen(t *testing.T) {
	body := Body(testKey(), testPlace(), []byte("hello"))
	for i := range body {
		bad := bytes.Clone(body)
		bad[i] ^= 1
		if _, err := OpenBody(testKey(), testPlace(), bad); !errors.Is(err, ErrUnreadable) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := OpenBody(testKey(), testPlace(), body[:i]); !errors.Is(err, ErrUnreadable) {
			t.Errorf("cut at byte %d: %v", i, err)
		}
	}
}

// The commitment is checked apart from the cipher: a body whose ciphertext opens but whose commitment is that of another key,
// as one made to open under two keys must have, stays closed.
func TestBodyIsCommittedToItsKey(t *testing.T) {
	at, secret := testPlace(), testKey().Bytes()
	body := Body(testKey(), at, []byte("hello"))
	salt := body[:saltSize]
	aead, nonce, commitment := derive(secret, salt, at.info())
	if _, err := aead.Open(nil, nonce, body[saltSize+commitmentSize:], nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(commitment, body[saltSize:saltSize+commitmentSize]) {
		t.Error("the commitment is not where it belongs")
	}
	_, _, other := derive([]byte("another secret of thirty-two bytes"), salt, at.info())
	forged := append(append(bytes.Clone(salt), other...), body[saltSize+commitmentSize:]...)
	if _, err := OpenBody(testKey(), at, forged); !errors.Is(err, ErrUnreadable) {
		t.Errorf("commitment to another key: %v", err)
	}
	moved := at
	moved.Seq++
	if _, _, other := derive(secret, salt, moved.info()); bytes.Equal(other, commitment) {
		t.Error("the commitment does not cover the place")
	}
}

func TestBodiesOfOnePlaceShareNothing(t *testing.T) {
	a, b := Body(testKey(), testPlace(), make([]byte, 64)), Body(testKey(), testPlace(), make([]byte, 64))
	for i := 0; i+16 <= len(a); i++ {
		if bytes.Contains(b, a[i:i+16]) {
			t.Fatal("two bodies have 16 bytes in common: the salt was used twice")
		}
	}
}

func TestPrivateOpensUnderItsNameOnly(t *testing.T) {
	key := identitytest.Keyring(t, t.TempDir(), 0).Store
	other := identitytest.Keyring(t, t.TempDir(), 0).Store
	sealed := Private(key, "draft 1", []byte("hello"))
	if got, err := OpenPrivate(key, "draft 1", sealed); err != nil || string(got) != "hello" {
		t.Fatalf("opened as %q, %v", got, err)
	}
	if _, err := OpenPrivate(key, "draft 2", sealed); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another name: %v", err)
	}
	if _, err := OpenPrivate(other, "draft 1", sealed); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another home: %v", err)
	}
}

// vector is one body: everything that goes in, and what comes out.
type vector struct {
	Name    string `json:"name"`
	RoundID string `json:"round_id"`
	Tag     string `json:"tag"`
	Kind    uint64 `json:"kind"`
	Epoch   string `json:"epoch"`
	Author  string `json:"author"`
	Seq     uint64 `json:"seq"`
	Salt    string `json:"salt"`
	Info    string `json:"info"`
	Plain   string `json:"plaintext"`
	Body    string `json:"body"`
	Opens   bool   `json:"opens"`
}

const vectorFile = "../chain/testdata/vectors/sealed.json"

// TestSealVectors replays CHAIN 10: sealed.json.
func TestSealVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(raw, &vs); err != nil {
		t.Fatal(err)
	}
	for _, v := range vs {
		key, at := v.read(t)
		if got := hex.EncodeToString([]byte(at.info())); got != v.Info {
			t.Errorf("%s: info %s", v.Name, got)
		}
		plain, err := OpenBody(key, at, unhex(t, v.Body))
		if (err == nil) != v.Opens || err == nil && hex.EncodeToString(plain) != v.Plain {
			t.Errorf("%s: opened as %x, %v", v.Name, plain, err)
		}
		if v.Opens {
			if got := sealSalted(key.Bytes(), unhex(t, v.Salt), at.info(), unhex(t, v.Plain)); hex.EncodeToString(got) != v.Body {
				t.Errorf("%s: sealed as %x", v.Name, got)
			}
		}
	}
	if len(vs) < 8 {
		t.Errorf("only %d vectors", len(vs))
	}
}

func (v vector) read(t *testing.T) (identity.ContentKey, Place) {
	id, err := identity.ParseRoundID(unhex(t, v.RoundID))
	if err != nil {
		t.Fatal(err)
	}
	return id.ContentKey(), Place{
		Tag: identity.Tag(unhex(t, v.Tag)), Kind: v.Kind, Epoch: [32]byte(unhex(t, v.Epoch)),
		Author: identity.Device(unhex(t, v.Author)), Seq: v.Seq,
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeVectors(t *testing.T) {
	round := identity.RoundIDOf([]byte("a round"))
	salt := bytes.Repeat([]byte{0x5a}, saltSize)
	make := func(name string, change func(*Place), plain string, damage func([]byte)) vector {
		at := testPlace()
		if change != nil {
			change(&at)
		}
		body := sealSalted(round.ContentKey().Bytes(), salt, at.info(), []byte(plain))
		if damage != nil {
			damage(body)
		}
		return vector{
			Name: name, RoundID: hex.EncodeToString(round.Bytes()), Tag: at.Tag.String(), Kind: at.Kind,
			Epoch: hex.EncodeToString(at.Epoch[:]), Author: at.Author.String(), Seq: at.Seq,
			Salt: hex.EncodeToString(salt), Info: hex.EncodeToString([]byte(at.info())),
			Plain: hex.EncodeToString([]byte(plain)), Body: hex.EncodeToString(body), Opens: damage == nil,
		}
	}
	vs := []vector{
		make("message", nil, "hello", nil),
		make("empty, as a leave block", func(p *Place) { p.Kind = 5 }, "", nil),
		make("first block", func(p *Place) { p.Kind, p.Seq = 1, 0 }, "alice", nil),
		make("great numbers", func(p *Place) { p.Kind, p.Seq = 1<<64-1, 1<<53-1 }, "x", nil),
		make("an epoch", func(p *Place) { p.Epoch[0] = 1 }, "x", nil),
		make("salt changed", nil, "hello", func(b []byte) { b[0] ^= 1 }),
		make("commitment changed", nil, "hello", func(b []byte) { b[saltSize] ^= 1 }),
		make("ciphertext changed", nil, "hello", func(b []byte) { b[saltSize+commitmentSize] ^= 1 }),
		make("tag changed", nil, "hello", func(b []byte) { b[len(b)-1] ^= 1 }),
	}
	raw, err := json.MarshalIndent(vs, "", "  ")
	if err == nil {
		err = os.WriteFile(vectorFile, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzOpenBody(f *testing.F) {
	f.Add(Body(testKey(), testPlace(), []byte("hello")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		if plain, err := OpenBody(testKey(), testPlace(), body); err == nil && len(plain)+Overhead != len(body) {
			t.Error("opened to another length")
		}
	})
}

func BenchmarkBody(b *testing.B) {
	plain, key, at := make([]byte, 200), testKey(), testPlace()
	for b.Loop() {
		Body(key, at, plain)
	}
}

func BenchmarkOpenBody(b *testing.B) {
	key, at := testKey(), testPlace()
	body := Body(key, at, make([]byte, 200))
	for b.Loop() {
		if _, err := OpenBody(key, at, body); err != nil {
			b.Fatal(err)
		}
	}
}
