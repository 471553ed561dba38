package link

import (
	"bytes"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"opentalk/engine/identity"
)

// pieces is a socket that gives out wire in small reads.
type pieces struct {
	net.Conn
	wire []byte
	next func() int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.wire) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.next())], p.wire)
	p.wire = p.wire[n:]
	return n, nil
}

func drawID(t *rapid.T) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
}

// messages draws any message that may be sent.
func messages() *rapid.Generator[Message] {
	return rapid.Custom(func(t *rapid.T) Message {
		num := func(name string) uint64 { return rapid.Uint64Range(0, MaxNumber).Draw(t, name) }
		req := func() uint64 { return rapid.Uint64Range(1, MaxNumber).Draw(t, "request") }
		blob := func(most int) []byte {
			return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(1, most).Draw(t, "size"))
		}
		blobs := func(n, most int) [][]byte {
			list := make([][]byte, rapid.IntRange(0, n).Draw(t, "n"))
			for k := range list {
				list[k] = blob(most)
			}
			return list
		}
		ids := func() [][32]byte { return rapid.SliceOfN(rapid.Custom(drawID), 0, 20).Draw(t, "ids") }
		entries := func() []Entry {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry {
				return Entry{Device: drawID(t), Seq: num("seq"), ID: drawID(t)}
			}), 0, 20).Draw(t, "entries")
		}
		switch rapid.IntRange(1, 17).Draw(t, "kind") {
		case 1:
			return Ready{HavePubKey: rapid.Bool().Draw(t, "key"), HaveGenesis: rapid.Bool().Draw(t, "genesis"), Clock: num("clock"),
				Frontier: drawID(t), Records: drawID(t)}
		case 2:
			return Genesis{Block: blob(MaxBlock)}
		case 3:
			return Blocks{Request: num("request"), Blocks: blobs(4, MaxBlock/4), Last: rapid.Bool().Draw(t, "last")}
		case 4:
			return Frontier{Entries: entries(), Last: rapid.Bool().Draw(t, "last")}
		case 5:
			return Ack{Entries: entries()}
		case 6:
			from := rapid.Uint64Range(0, MaxNumber-10).Draw(t, "from")
			return Want{Request: req(), Ranges: []Range{{Device: drawID(t), From: from, To: from + 10}}}
		case 7:
			return Fetch{Request: req(), IDs: ids()}
		case 8:
			return Newest{Request: req(), Count: rapid.Uint64Range(1, MaxNewest).Draw(t, "count")}
		case 9:
			return Announce{IDs: ids()}
		case 10:
			return Addresses{Records: blobs(MaxAddresses, MaxAddress)}
		case 11:
			return Proof{A: blob(MaxProofPart), B: blob(MaxProofPart)}
		case 12:
			return Ping{Nonce: rapid.Uint64().Draw(t, "nonce"), Clock: num("clock")}
		case 13:
			return Pong{Nonce: rapid.Uint64().Draw(t, "nonce"), Clock: num("clock")}
		case 14:
			return Reach{Request: req()}
		case 15:
			return Reached{Request: req(), Entries: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ReachedAt {
				return ReachedAt{Address: rapid.StringN(1, 60, MaxReachedAddress).Draw(t, "address"), Outcome: Outcome(num("outcome"))}
			}), 0, MaxReached).Draw(t, "entries")}
		case 16:
			return Prune{Devices: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) identity.Device { return drawID(t) }), 0, 20).Draw(t, "devices")}
		}
		return Unknown{Kind: Kind(rapid.IntRange(17, 255).Draw(t, "unknown")), Body: blob(MaxMessage - 1)}
	})
}

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := messages().Draw(rt, "message")
		raw, err := Encode(m)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := Decode(raw)
		if err != nil {
			rt.Fatal(err)
		}
		if reflect.TypeOf(got) != reflect.TypeOf(m) || !bytes.Equal(must(Encode(got)), raw) {
			rt.Fatalf("got %v, want %v", got, m)
		}
	})
}

func fill[T any](n int) []T { return make([]T, n) }

func blob(n int) []byte { return bytes.Repeat([]byte{0xaa}, n) }

func blobsOf(n, size int) [][]byte { return slices.Repeat([][]byte{blob(size)}, n) }

// The largest of each kind fits a message, and one more of anything is refused by both sides.
func TestLimitsOfMessages(t *testing.T) {
	big := Entry{Device: identity.Device(blob(32)), Seq: MaxNumber, ID: [32]byte(blob(32))}
	wide := Range{Device: big.Device, From: MaxNumber, To: MaxNumber}
	for _, c := range []struct {
		good, bad Message
		says      string
	}{
		{Ready{Clock: MaxNumber}, Ready{Clock: MaxNumber + 1}, "9007199254740991"},
		{Genesis{Block: blob(MaxBlock)}, Genesis{Block: blob(MaxBlock + 1)}, "65537 bytes, want 1 to 65536"},
		{Genesis{Block: blob(1)}, Genesis{}, "0 bytes"},
		{Blocks{Request: MaxNumber, Blocks: blobsOf(1, MaxBlock), Last: true}, Blocks{Blocks: blobsOf(1, MaxBlock+1)}, "65537"},
		{Blocks{Blocks: blobsOf(MaxBlocks, 60)}, Blocks{Blocks: blobsOf(MaxBlocks+1, 1)}, "1025 blocks exceed the limit of 1024"},
		{Blocks{Blocks: blobsOf(1, 1)}, Blocks{Blocks: fill[[]byte](1)}, "0 bytes"},
		{Blocks{Last: true}, Blocks{Request: MaxNumber + 1}, "request"},
		{Blocks{Blocks: blobsOf(2, 36<<10-8)}, Blocks{Blocks: blobsOf(2, 37<<10)}, "exceed the limit of 73728"},
		{Frontier{Entries: slices.Repeat([]Entry{big}, MaxEntries), Last: true}, Frontier{Entries: fill[Entry](MaxEntries + 1)}, "513 entries"},
		{Ack{Entries: slices.Repeat([]Entry{big}, MaxEntries)}, Ack{Entries: fill[Entry](MaxEntries + 1)}, "513 entries"},
		{Ack{}, Ack{Entries: []Entry{{Seq: MaxNumber + 1}}}, "sequence number"},
		{Want{Request: 1, Ranges: slices.Repeat([]Range{wide}, MaxRanges)}, Want{Request: 1, Ranges: fill[Range](MaxRanges + 1)}, "513 ranges"},
		{Want{Request: 1, Ranges: []Range{{From: 1, To: 1}}}, Want{Request: 1, Ranges: []Range{{From: 2, To: 1}}}, "from 2 to 1"},
		{Want{Request: 1}, Want{}, "without a number"},
		{Want{Request: 1}, Want{Request: 1, Ranges: []Range{{To: MaxNumber + 1}}}, "sequence number"},
		{Fetch{Request: 1, IDs: fill[[32]byte](MaxIDs)}, Fetch{Request: 1, IDs: fill[[32]byte](MaxIDs + 1)}, "1025 ids"},
		{Fetch{Request: 1}, Fetch{}, "without a number"},
		{Newest{Request: 1, Count: MaxNewest}, Newest{Request: 1, Count: MaxNewest + 1}, "1001"},
		{Newest{Request: 1, Count: 1}, Newest{Request: 1}, "0 newest"},
		{Newest{Request: 1, Count: 1}, Newest{Count: 1}, "without a number"},
		{Announce{IDs: fill[[32]byte](MaxIDs)}, Announce{IDs: fill[[32]byte](MaxIDs + 1)}, "1025 ids"},
		{Addresses{Records: blobsOf(MaxAddresses, MaxAddress)}, Addresses{Records: blobsOf(MaxAddresses+1, 1)}, "65 address records"},
		{Addresses{}, Addresses{Records: blobsOf(1, MaxAddress+1)}, "1025 bytes"},
		{Proof{A: blob(MaxProofPart), B: blob(MaxProofPart)}, Proof{A: blob(1), B: blob(MaxProofPart + 1)}, "2049"},
		{Proof{A: blob(1), B: blob(1)}, Proof{A: blob(1)}, "0 bytes"},
		{Ping{Nonce: 1<<64 - 1, Clock: MaxNumber}, Ping{Clock: MaxNumber + 1}, "clock"},
		{Pong{Nonce: 1<<64 - 1, Clock: MaxNumber}, Pong{Clock: MaxNumber + 1}, "clock"},
		{Reach{Request: MaxNumber}, Reach{}, "without a number"},
		{Reached{Request: 1}, Reached{}, "without a number"},
		{Reached{Request: 1, Entries: slices.Repeat([]ReachedAt{{Address: strings.Repeat("a", MaxReachedAddress), Outcome: MaxNumber}}, MaxReached)},
			Reached{Request: 1, Entries: slices.Repeat([]ReachedAt{{Address: "a"}}, MaxReached+1)}, "9 addresses"},
		{Reached{Request: 1, Entries: []ReachedAt{{Address: "a"}}}, Reached{Request: 1, Entries: fill[ReachedAt](1)}, "0 bytes"},
		{Reached{Request: 1}, Reached{Request: 1, Entries: []ReachedAt{{Address: strings.Repeat("a", MaxReachedAddress+1)}}}, "256 bytes"},
		{Reached{Request: 1}, Reached{Request: 1, Entries: []ReachedAt{{Address: "a", Outcome: MaxNumber + 1}}}, "outcome"},
		{Prune{Devices: fill[identity.Device](MaxPruned)}, Prune{Devices: fill[identity.Device](MaxPruned + 1)}, "513 devices"},
		{Unknown{Kind: 200, Body: blob(MaxMessage - 1)}, Unknown{Kind: 200, Body: blob(MaxMessage)}, "73729"},
		{Unknown{Kind: 0}, Unknown{Kind: KindPing}, "ping as an unknown"},
	} {
		raw, err := Encode(c.good)
		if err != nil {
			t.Errorf("%s: %v", KindOf(c.good), err)
		} else if _, err := Decode(raw); err != nil {
			t.Errorf("%s: %v", KindOf(c.good), err)
		}
		if _, err := Encode(c.bad); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want it to say %q", KindOf(c.bad), err, c.says)
		}
		if _, ok := c.bad.(Unknown); ok {
			continue
		}
		raw = append([]byte{byte(c.bad.kind())}, must(encMode.Marshal(c.bad))...) // a sender that does not check
		if _, err := Decode(raw); err == nil {
			t.Errorf("%s that says %q was decoded", KindOf(c.bad), c.says)
		}
	}
}

// refused are encodings that no decoder may take. They are vectors, too.
var refused = []struct {
	Name string
	Raw  []byte
}{
	{"empty", []byte{}},
	{"ready without a body", []byte{1}},
	{"ready with a long zero", []byte{1, 0x83, 0xf4, 0xf4, 0x18, 0}},
	{"ready with null for a flag", []byte{1, 0x83, 0xf6, 0xf4, 0}},
	{"ready with undefined for a flag", []byte{1, 0x83, 0xf7, 0xf4, 0}},
	{"ready with a number for a flag", []byte{1, 0x83, 0, 0xf4, 0}},
	{"ready with a negative clock", []byte{1, 0x83, 0xf4, 0xf4, 0x20}},
	{"ready with a float clock", []byte{1, 0x83, 0xf4, 0xf4, 0xf9, 0, 0}},
	{"ready with two fields", []byte{1, 0x82, 0xf4, 0xf4}},
	{"ready with four fields", []byte{1, 0x84, 0xf4, 0xf4, 0, 0}},
	{"ready with a byte behind it", []byte{1, 0x83, 0xf4, 0xf4, 0, 0}},
	{"ready as a map", []byte{1, 0xa0}},
	{"ready in an array of unknown length", []byte{1, 0x9f, 0xf4, 0xf4, 0, 0xff}},
	{"ready with a long array head", []byte{1, 0x98, 3, 0xf4, 0xf4, 0}},
	{"ready in a tag", []byte{1, 0xc1, 0x83, 0xf4, 0xf4, 0}},
	{"genesis as text", []byte{2, 0x81, 0x61, 'x'}},
	{"genesis as an array of numbers", []byte{2, 0x81, 0x81, 1}},
	{"genesis of null", []byte{2, 0x81, 0xf6}},
	{"genesis in pieces", []byte{2, 0x81, 0x5f, 0x41, 1, 0xff}},
	{"blocks with null for the list", []byte{3, 0x83, 0, 0xf6, 0xf4}},
	{"fetch of an id of 31 bytes", append([]byte{7, 0x82, 1, 0x81, 0x58, 31}, make([]byte, 31)...)},
	{"fetch of an id of 33 bytes", append([]byte{7, 0x82, 1, 0x81, 0x58, 33}, make([]byte, 33)...)},
	{"fetch of an id as an array", append([]byte{7, 0x82, 1, 0x81, 0x98, 32}, make([]byte, 32)...)},
	{"reached with an address of bytes", []byte{15, 0x82, 1, 0x81, 0x82, 0x41, 'a', 0}},
	{"reached with an address that is no UTF-8", []byte{15, 0x82, 1, 0x81, 0x82, 0x61, 0xff, 0}},
	{"ping with a number past 64 bits", []byte{12, 0x82, 0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
}

func TestOneEncodingOnly(t *testing.T) {
	for _, c := range refused {
		if m, err := Decode(c.Raw); err == nil {
			t.Errorf("%s was decoded as %v", c.Name, m)
		}
	}
}

// TestBlocksReadByHand: of blocks with any change, what is read by hand is what the decoder takes, and says the same.
func TestBlocksReadByHand(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(rt, "blocks")
		request := rapid.OneOf(rapid.Uint64Range(0, 23), rapid.Uint64Range(0, MaxNumber)).Draw(rt, "request")
		m := Blocks{Request: request, Last: rapid.Bool().Draw(rt, "last")}
		for range n {
			size := rapid.SampledFrom([]int{1, 23, 24, 255, 256, 300}).Draw(rt, "size")
			m.Blocks = append(m.Blocks, rapid.SliceOfN(rapid.Byte(), size, size).Draw(rt, "block"))
		}
		raw := must(Encode(m))
		at := rapid.IntRange(1, len(raw)-1).Draw(rt, "at")
		switch rapid.IntRange(0, 4).Draw(rt, "change") {
		case 1:
			raw[min(at, rapid.IntRange(1, 8).Draw(rt, "near"))] = rapid.Byte().Draw(rt, "byte")
		case 2:
			raw = slices.Insert(raw, at, rapid.Byte().Draw(rt, "more"))
		case 3:
			raw = slices.Delete(raw, at, at+1)
		case 4: // a number, or none, with more bytes than it needs
			raw = slices.Insert(raw, 2, 0x18)
		}
		byHand, ok := canonicalBlocks(raw[1:])
		want, err := decode[Blocks](raw)
		if ok && byHand.check() != nil {
			ok = false
		}
		if ok != (err == nil) {
			rt.Fatalf("% x: read by hand: %v, decoder: %v", raw, ok, err)
		}
		if err == nil && !bytes.Equal(must(Encode(byHand)), must(Encode(want))) {
			rt.Fatalf("% x: %v and %v", raw, byHand, want)
		}
	})
}

// TestBlocksShareLittle: who keeps one block keeps little of the others, and appending to one changes none.
func TestBlocksShareLittle(t *testing.T) {
	m := must(Decode(must(Encode(Blocks{Blocks: blobsOf(100, 700)})))).(Blocks)
	kept := must(Decode(must(Encode(m)))).(Blocks)
	for i := range m.Blocks {
		m.Blocks[i] = append(m.Blocks[i], 1)
	}
	for i, b := range m.Blocks {
		if !bytes.Equal(b[:700], kept.Blocks[i]) {
			t.Fatalf("block %d was changed", i)
		}
	}
	list := blobsOf(100, 700)
	if got := allocated(func() { cloneAll(list[:pieceSize/700]) }); got > pieceSize {
		t.Errorf("a piece takes %d bytes", got)
	}
}

func TestUnknownKindsAreKept(t *testing.T) {
	for _, raw := range [][]byte{{0}, {17}, {99, 1, 2, 3}, {255, 0xff}} {
		m, err := Decode(raw)
		if u, ok := m.(Unknown); err != nil || !ok || byte(u.Kind) != raw[0] || !bytes.Equal(u.Body, raw[1:]) {
			t.Errorf("% x: %v, %v", raw, m, err)
		}
	}
}

func TestDecodedMessageKeepsNothingOfItsInput(t *testing.T) {
	for _, m := range []Message{Genesis{Block: blob(40)}, Blocks{Blocks: blobsOf(2, 40)}, Unknown{Kind: 99, Body: blob(40)}} {
		raw := must(Encode(m))
		got := must(Decode(raw))
		clear(raw)
		if !bytes.Equal(must(Encode(got)), must(Encode(m))) {
			t.Errorf("%s changed with its input", KindOf(m))
		}
	}
}

func TestSplitBlocks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var blocks [][]byte
		for range rapid.IntRange(0, 40).Draw(rt, "n") {
			blocks = append(blocks, blob(rapid.OneOf(rapid.IntRange(1, 500), rapid.IntRange(1, MaxBlock)).Draw(rt, "size")))
		}
		var back [][]byte
		msgs := SplitBlocks(MaxNumber, blocks)
		for k, m := range msgs {
			if _, err := Encode(m); err != nil {
				rt.Fatal(err)
			}
			b := m.(Blocks)
			back = append(back, b.Blocks...)
			if b.Last != (k == len(msgs)-1) || b.Request != MaxNumber {
				rt.Fatalf("message %d of %d: last %v", k, len(msgs), b.Last)
			}
		}
		if !slices.EqualFunc(back, blocks, bytes.Equal) {
			rt.Fatal("blocks lost or changed")
		}
	})
	if got := len(SplitBlocks(1, blobsOf(MaxBlocks+1, 20))); got != 2 {
		t.Errorf("small blocks in %d messages", got)
	}
}

func TestSplitFrontier(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 512: 1, 513: 2, 1025: 3} {
		msgs := SplitFrontier(make([]Entry, n))
		total := 0
		for k, m := range msgs {
			f := m.(Frontier)
			total += len(f.Entries)
			if _, err := Encode(m); err != nil || f.Last != (k == len(msgs)-1) {
				t.Errorf("%d entries, message %d: last %v, %v", n, k, f.Last, err)
			}
		}
		if len(msgs) != want || total != n {
			t.Errorf("%d entries: %d messages with %d", n, len(msgs), total)
		}
	}
}
