package chain

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"opentalk/engine/seal"
)

func drawMessage(t *rapid.T) Message {
	return Message{
		ID:      MessageID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
		Written: rapid.Uint64Range(0, MaxTime).Draw(t, "written"),
		Form:    Form(rapid.Uint64().Draw(t, "form")),
		Auto:    rapid.Bool().Draw(t, "auto"),
		Text:    rapid.StringN(1, 600, MaxText).Draw(t, "text"),
	}
}

// However many wait, a block takes the first of them, in order, and as it was promised room for.
func TestGroupsKeepEveryMessageInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.Custom(drawMessage), 1, 30).Draw(t, "messages")
		room := rapid.IntRange(MaxText+messageOverhead+messagesOverhead, 3*MaxText).Draw(t, "room")
		var got []Message
		for left := ms; len(left) > 0; {
			plain, n, err := EncodeMessages(left, room)
			if err != nil || n == 0 || len(plain) > room {
				t.Fatalf("%d messages in %d of %d bytes, %v", n, len(plain), room, err)
			}
			read, err := ParseMessages(plain)
			if err != nil || len(read) != n {
				t.Fatal(err)
			}
			got, left = append(got, read...), left[n:]
		}
		if !slices.Equal(got, ms) {
			t.Fatal("other messages came back")
		}
	})
}

// Messages that take the most beside their text still keep to the room, whatever it is.
func TestRoomIsKeptByTheWidestMessages(t *testing.T) {
	ms := make([]Message, 60)
	for i := range ms {
		ms[i] = Message{Form: 1 << 63, Written: MaxTime, Text: strings.Repeat("x", 300)}
	}
	for room := 343; room < 3*343; room++ {
		if plain, n, err := EncodeMessages(ms, room); err != nil || len(plain) > room || n != (room-3)/340 {
			t.Fatalf("%d messages in %d of %d bytes, %v", n, len(plain), room, err)
		}
	}
}

func TestFullBlockOfShortestMessagesIsReadable(t *testing.T) {
	ms := make([]Message, 10000)
	for i := range ms {
		ms[i].Text = "x"
	}
	plain, n, err := EncodeMessages(ms, MaxBody-seal.Overhead)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := ParseMessages(plain); err != nil || len(read) != n || n < 1000 {
		t.Errorf("%d of %d messages, %v", len(read), n, err)
	}
	// The most that another implementation could pack into a block must be below what decoding allows.
	if most := (MaxBody - seal.Overhead) / 23; most >= 4096 {
		t.Errorf("%d messages fit", most)
	}
}

func TestMessageThatReadersRefuseIsNotWritten(t *testing.T) {
	good := Message{Text: "x"}
	for what, bad := range map[string]Message{
		"empty": {}, "too long": {Text: strings.Repeat("x", MaxText+1)}, "not text": {Text: "\xff"}, "time": {Text: "x", Written: MaxTime + 1},
	} {
		if _, n, err := EncodeMessages([]Message{good, bad}, MaxBody); err == nil || n != 0 {
			t.Errorf("%s: written", what)
		}
	}
	long := Message{Text: strings.Repeat("x", MaxText+1)}
	if err := long.Check(); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	if _, _, err := EncodeMessages(nil, MaxBody); err == nil {
		t.Error("a block of none is written")
	}
	if _, _, err := EncodeMessages([]Message{good}, 10); err == nil {
		t.Error("a message without room is written")
	}
}

func TestSealedHandleHasTheLengthOfASealedHandle(t *testing.T) {
	body := seal.Body(shared().id.ContentKey(), seal.Place{}, must(EncodeHandle("alice")))
	if len(body) != SealedHandle {
		t.Errorf("%d bytes, want %d", len(body), SealedHandle)
	}
}

func TestWhatIsReadWithAnErrorIsEmpty(t *testing.T) {
	plain := append([]byte("a\x1b[2J"), make([]byte, HandleSize-5)...)
	if s, err := ParseHandle(plain); err == nil || s != "" {
		t.Errorf("handle %q", s)
	}
	if s, err := ParseTopic([]byte("a\x1b[2J")); err == nil || s != "" {
		t.Errorf("topic %q", s)
	}
}

func TestGenesisIsWrittenOnlyWithGoodNames(t *testing.T) {
	g := *must(ParseGenesis(shared().genesis.Body()))
	for _, name := range []string{"a b", "", "/x", "\U000e0fff"} {
		bad := g
		bad.Name = name
		if _, err := bad.Encode(); err == nil {
			t.Errorf("round %q is written", name)
		}
		bad = g
		bad.PubKey.Handle = []byte(name)
		if _, err := bad.Encode(); err == nil {
			t.Errorf("handle %q is written", name)
		}
	}
}
