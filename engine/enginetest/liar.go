package enginetest

import (
	"fmt"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/seal"
)

// Liar is a member without scruples: an engine that means well, and between it and the others one who keeps back, says again,
// invents, and signs what the engine would not. Make one with [NewLiar].
type Liar struct {
	Quiet bool           // for the time being it lets everything pass
	Lies  map[string]int // how often it has told which

	node    *Node
	tag     identity.Tag
	content identity.ContentKey
	key     func() *identity.DeviceKey
	own     *chain.Block // the newest of its engine that has left
	said    []link.Message
	signed  int
}

// maxSigned bounds what it signs beside its engine: with each its device has one history more, and retires.
const maxSigned = 4

// NewLiar turns a member into a liar. key is what the member signs with at the moment.
func NewLiar(n *Node, tag identity.Tag, content identity.ContentKey, key func() *identity.DeviceKey) *Liar {
	l := &Liar{Lies: map[string]int{}, node: n, tag: tag, content: content, key: key}
	n.Tamper = l.tamper
	return l
}

// lie is a way to lie: what leaves instead of a message, nil if this one does not lend itself to it.
type lie struct {
	name string
	tell func(l *Liar, msg link.Message) []any
}

var lies = []lie{
	{"withholds", (*Liar).withhold},
	{"replays", func(l *Liar, msg link.Message) []any {
		return []any{msg, l.said[l.node.World.Rand.IntN(len(l.said))]}
	}},
	{"sends junk", func(l *Liar, _ link.Message) []any { return []any{l.junk()} }},
	{"changes a bit", (*Liar).flip},
	{"claims", func(l *Liar, msg link.Message) []any { return []any{msg, l.claim()} }},
	{"forks", (*Liar).fork},
	{"backdates", func(l *Liar, msg link.Message) []any {
		return l.sign(msg, func(h *chain.Header) { h.T, h.Wall = l.own.T+1, 1 })
	}},
	{"dates ahead", func(l *Liar, msg link.Message) []any {
		return l.sign(msg, func(h *chain.Header) { h.T += uint64((10 * 365 * 24 * time.Hour).Milliseconds()) })
	}},
	{"hides a parent", (*Liar).hide},
	{"dates before a parent", func(l *Liar, msg link.Message) []any {
		return l.sign(msg, func(h *chain.Header) { h.T = l.own.T })
	}},
	{"skips a number", func(l *Liar, msg link.Message) []any { return l.sign(msg, func(h *chain.Header) { h.Seq++ }) }},
}

func (l *Liar) tamper(to *Node, msg link.Message) []any {
	l.overhear(msg)
	rnd := l.node.World.Rand
	if l.Quiet || rnd.IntN(6) != 0 {
		return []any{msg}
	}
	lie := lies[rnd.IntN(len(lies))]
	out := lie.tell(l, msg)
	if out == nil {
		return []any{msg}
	}
	l.Lies[lie.name]++
	l.node.World.Note("%d %s to %d", l.node.N, lie.name, to.N)
	return out
}

// overhear keeps what there may be use for.
func (l *Liar) overhear(msg link.Message) {
	if l.said = append(l.said, msg); len(l.said) > 64 {
		l.said = l.said[1:]
	}
	blocks, _ := msg.(link.Blocks)
	for _, raw := range blocks.Blocks {
		b, err := chain.Parse(raw)
		if err == nil && b.Author == l.key().Device() && (l.own == nil || l.own.Author != b.Author || b.Seq >= l.own.Seq) {
			l.own = b
		}
	}
}

// withhold keeps a message back, or a block in it.
func (l *Liar) withhold(msg link.Message) []any {
	blocks, ok := msg.(link.Blocks)
	if !ok || len(blocks.Blocks) < 2 {
		return []any{}
	}
	at := l.node.World.Rand.IntN(len(blocks.Blocks))
	blocks.Blocks = slices.Delete(slices.Clone(blocks.Blocks), at, at+1)
	return []any{blocks}
}

func (l *Liar) junk() []byte {
	raw := make([]byte, 1+l.node.World.Rand.IntN(300))
	for i := range raw {
		raw[i] = byte(l.node.World.Rand.Uint32())
	}
	raw[0] %= 20 // a kind that there is, mostly
	return raw
}

// flip sends a message with one bit changed.
func (l *Liar) flip(msg link.Message) []any {
	raw, err := link.Encode(msg)
	if err != nil {
		return nil
	}
	bit := l.node.World.Rand.IntN(8 * len(raw))
	raw[bit/8] ^= 1 << (bit % 8)
	return []any{raw}
}

// claim makes up a message that holds nothing true.
func (l *Liar) claim() link.Message {
	rnd := l.node.World.Rand
	var id [32]byte
	for i := range id {
		id[i] = byte(rnd.Uint32())
	}
	d, seq := l.key().Device(), uint64(1+rnd.IntN(20))
	if rnd.IntN(2) == 0 && l.node.Peers() != nil {
		peers := l.node.Peers()
		d = peers[rnd.IntN(len(peers))].self.Device()
	}
	switch rnd.IntN(7) {
	case 0:
		return link.Ack{Entries: []link.Entry{{Device: d, Seq: seq, ID: id}}}
	case 1:
		return link.Frontier{Entries: []link.Entry{{Device: d, Seq: seq, ID: id}}, Last: true}
	case 2:
		return link.Announce{IDs: [][32]byte{id}}
	case 3:
		return link.Fetch{Request: seq, IDs: [][32]byte{id}}
	case 4:
		return link.Want{Request: seq, Ranges: []link.Range{{Device: d, From: seq, To: seq + 1<<40}}}
	case 5:
		return link.Unknown{Kind: 99, Body: id[:]}
	}
	return link.Ready{HavePubKey: true, HaveGenesis: true, Clock: uint64(rnd.Int64N(1 << 50))}
}

// fork sends another block in the place of its engine's own.
func (l *Liar) fork(msg link.Message) []any {
	blocks, ok := msg.(link.Blocks)
	if !ok {
		return nil
	}
	for i, raw := range blocks.Blocks {
		b, err := chain.Parse(raw)
		if err != nil || b.Author != l.key().Device() || b.Kind != chain.KindMessage {
			continue
		}
		other := l.block(b.Header)
		if other == nil {
			return nil
		}
		blocks.Blocks = slices.Clone(blocks.Blocks)
		blocks.Blocks[i] = other.Bytes()
		return []any{blocks}
	}
	return nil
}

// sign pushes a block after its engine's newest, changed as it likes.
func (l *Liar) sign(msg link.Message, change func(*chain.Header)) []any {
	h, ok := l.next()
	if !ok {
		return nil
	}
	change(&h)
	b := l.block(h)
	if b == nil {
		return nil
	}
	return []any{msg, link.Blocks{Blocks: [][]byte{b.Bytes()}, Last: true}}
}

// hide pushes a block whose parent nobody gets to see.
func (l *Liar) hide(msg link.Message) []any {
	h, ok := l.next()
	if !ok {
		return nil
	}
	hidden := l.block(h)
	if hidden == nil {
		return nil
	}
	l.own = hidden
	return l.sign(msg, func(*chain.Header) {})
}

// next is the header of a block after its engine's newest.
func (l *Liar) next() (chain.Header, bool) {
	if l.own == nil || l.own.Author != l.key().Device() || l.own.Kind == chain.KindGenesis {
		return chain.Header{}, false
	}
	now := max(uint64(l.node.World.now.UnixMilli()), l.own.T+1)
	return chain.Header{
		Tag: l.tag, Kind: chain.KindMessage, Author: l.own.Author, Seq: l.own.Seq + 1, Prev: l.own.ID(), T: now, Wall: now,
	}, true
}

// block signs a message under a header, nil when it has lied enough.
func (l *Liar) block(h chain.Header) *chain.Block {
	if l.signed++; l.signed > maxSigned {
		return nil
	}
	m := chain.Message{Text: fmt.Sprintf("lie %d", l.signed), Written: h.Wall}
	copy(m.ID[:], fmt.Sprintf("lie %d of %d", l.signed, l.node.N))
	plain, _, err := chain.EncodeMessages([]chain.Message{m}, chain.MaxBody-seal.Overhead)
	if err != nil {
		panic(err)
	}
	b, err := chain.Sign(l.key(), h, seal.Body(l.content, place(h), plain))
	if err != nil {
		panic(err)
	}
	return b
}
