package enginetest

import (
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/socket"
)

// Engine is one member's engine as the world sees it: without sockets, disk, clock or goroutines. Each method tells it of one
// thing that has happened, and returns when it has asked its [Node] for all that it wants done. Time is the node's.
type Engine interface {
	// LinkUp: a handshake is through.
	LinkUp(Up)
	// LinkDown: a link has ended. err is nil if the far side said goodbye.
	LinkDown(id LinkID, err error)
	// Received: a message has come. What is in it is not verified.
	Received(id LinkID, msg link.Message)
	// Written: a message that was sent has left.
	Written(id LinkID, msg link.Message)
	// NotDialled: no link came of a dial, or this came of a probe.
	NotDialled(d Dial, err error)
	// Committed: a write is durable, or err says why it is not.
	Committed(err error)
	// Tick: the time that Wake named has come.
	Tick()
	// Wake is when the engine wants a Tick, by its node's clock; zero for never.
	Wake() time.Time
}

// LinkID numbers the ends of links: each end has its own.
type LinkID uint64

// Up is a link that has come to be.
type Up struct {
	ID      LinkID
	Tag     identity.Tag
	Self    identity.Device // as whom this side made it
	Peer    *identity.Credential
	Address string
	Dialled bool // from this side
}

// Dial is a link that is wanted.
type Dial struct {
	Tag     identity.Tag
	Address string
	Want    identity.Fingerprint // who must answer; zero for any member
	Probe   bool                 // no link is wanted, only to know whether there could be one
}

// Node is one device, which outlives its engine.
type Node struct {
	World   *World
	N       int
	Skew    time.Duration // of its clock
	Address string
	Inbound bool // it can be dialled, but not dial
	Hidden  bool // it can dial, but not be dialled
	Traffic Traffic
	// Tamper, if it is set, says what leaves instead of a message: each a link.Message, or a []byte, which may be none.
	Tamper func(to *Node, msg link.Message) []any

	engine Engine // nil while it is down
	life   int    // how often it has started
	self   *identity.Credential
	rounds []identity.Tag
	ends   []*end // in the order they came to be
	disk   *lane
}

// Traffic is what has gone through a node's links. Bytes are those of messages: records around them make it about a tenth
// more, and at least 256 bytes for what is sent at once.
type Traffic struct{ In, Out, BytesIn, BytesOut int }

// NewNode adds a node, which is down, to the world. The number says who it is in walls and in the trace.
func (w *World) NewNode(n int, address string) *Node {
	nd := w.Stranger(n)
	nd.Address = address
	w.nodes = append(w.nodes, nd)
	return nd
}

// Stranger makes a node that the world does not know: nobody finds it, and no clock wakes it.
func (w *World) Stranger(n int) *Node { return &Node{World: w, N: n} }

// Now is the time by the node's clock.
func (n *Node) Now() time.Time { return n.World.now.Add(n.Skew) }

// Up reports whether an engine runs.
func (n *Node) Up() bool { return n.engine != nil }

// Start has an engine run here.
func (n *Node) Start(e Engine) {
	n.World.Note("%d starts", n.N)
	n.life++
	n.engine, n.disk = e, n.World.newLane()
}

// Crash ends the engine. Nothing that was on its way to the node arrives, nor to its disk; what it has sent may arrive, or
// the beginning of it.
func (n *Node) Crash() {
	n.World.Note("%d crashes", n.N)
	n.engine, n.self, n.rounds = nil, nil, nil
	if n.disk != nil {
		n.disk.cut(0)
	}
	for _, e := range slices.Clone(n.ends) {
		if n.World.Rand.IntN(2) == 0 {
			e.far.lose(n.World.Rand.IntN(len(e.far.in.queue) + 1))
		}
		e.letGo(errCut)
	}
}

var errCut = errors.New("the link was cut")

func (n *Node) wake() (at time.Time, ok bool) {
	if n.engine == nil {
		return at, false
	}
	at = n.engine.Wake()
	return at.Add(-n.Skew), !at.IsZero()
}

// Accept says as whom, and of which rounds, links are made from now on.
func (n *Node) Accept(self *identity.Credential, rounds []identity.Tag) {
	n.self, n.rounds = self, rounds
}

// Commit has the disk write something, after what it was given before. Committed tells the engine, a moment later.
func (n *Node) Commit(write func() error) {
	disk := n.disk
	disk.put(n.World.now.Add(n.World.Weather.Flush), func() {
		n.World.Note("%d writes", n.N)
		err := write()
		disk.put(n.World.now, func() { n.engine.Committed(err) })
	})
}

// Flush lets the disk finish.
func (n *Node) Flush() {
	for n.engine != nil && len(n.disk.queue) > 0 {
		n.disk.next()
	}
}

// end is a side of a link.
type end struct {
	id   LinkID
	node *Node
	far  *end
	in   *lane
	up   bool // this side has been told of it
	over bool // this side has let go of it, or been told that the other has
}

func (n *Node) end(id LinkID) *end {
	i := slices.IndexFunc(n.ends, func(e *end) bool { return e.id == id })
	if i < 0 {
		return nil
	}
	return n.ends[i]
}

// Peer is who is at the far side of a link, nil if it is over.
func (n *Node) Peer(id LinkID) *Node {
	if e := n.end(id); e != nil {
		return e.far.node
	}
	return nil
}

// Lose forgets what is on its way over a link from this side.
func (n *Node) Lose(id LinkID) {
	if e := n.end(id); e != nil {
		e.far.lose(0)
	}
}

// lose drops all but the first n things that are on their way to this side. That the link is up it has seen, if not heard.
func (e *end) lose(n int) {
	if !e.up {
		n = max(n, 1)
	}
	e.in.cut(n)
}

// Dial makes a link to who is at an address. LinkUp or NotDialled answers.
func (n *Node) Dial(d Dial) {
	w := n.World
	one, _ := w.delay()
	back, _ := w.delay()
	to, wait, err := n.find(d)
	if wait == 0 {
		wait = one + back
	}
	if err != nil || d.Probe {
		life := n.life
		w.newLane().put(w.now.Add(wait), func() {
			if n.engine != nil && n.life == life {
				w.Note("%d does not reach %s: %v", n.N, d.Address, err)
				n.engine.NotDialled(d, err)
			}
		})
		return
	}
	w.links += 2
	near, far := &end{id: w.links - 1, node: n, in: w.newLane()}, &end{id: w.links, node: to, in: w.newLane()}
	near.open(far, w.now.Add(2*(one+back)), Up{
		Tag: d.Tag, Self: n.self.Device(), Peer: to.self, Address: d.Address, Dialled: true,
	})
	far.open(near, w.now.Add(2*one+back), Up{Tag: d.Tag, Self: to.self.Device(), Peer: n.self, Address: n.Address})
}

// find looks who a dial leads to: if to nobody, err says why, and wait how long it takes to find out if that takes a while.
func (n *Node) find(d Dial) (to *Node, wait time.Duration, err error) {
	w := n.World
	i := slices.IndexFunc(w.nodes, func(o *Node) bool { return o.Address == d.Address })
	if i < 0 {
		return nil, 0, socket.ErrRefused
	}
	switch to = w.nodes[i]; {
	case w.silence[way{n.N, to.N}] || w.silence[way{to.N, n.N}] || (w.walls[way{n.N, to.N}] || to.Hidden) && w.Weather.Drop:
		return nil, dialTime, socket.ErrTimeout
	case to.engine == nil || n.Inbound || to.Hidden || w.walls[way{n.N, to.N}]:
		return nil, 0, socket.ErrRefused
	case to == n:
		return nil, 0, link.ErrSelf
	case !slices.Contains(to.rounds, d.Tag):
		return nil, 0, link.ErrNoAnswer
	case !d.Probe && !d.Want.IsZero() && d.Want != to.self.Fingerprint():
		return nil, 0, link.ErrRefused
	}
	return to, 0, nil
}

func (e *end) open(far *end, due time.Time, up Up) {
	up.ID, e.far, e.in.link, e.in.way = e.id, far, true, way{far.node.N, e.node.N}
	e.node.ends = append(e.node.ends, e)
	e.in.put(due, func() {
		e.up = true
		e.node.World.Note("%d has link %d to %d", e.node.N, e.id, far.node.N)
		e.node.engine.LinkUp(up)
	})
}

// Send puts messages on a link, in order. On one that is over nothing happens.
func (n *Node) Send(id LinkID, msgs ...link.Message) {
	e := n.end(id)
	for _, msg := range msgs {
		if e == nil || e.over {
			return
		}
		out := []any{msg}
		if n.Tamper != nil {
			out = n.Tamper(e.far.node, msg)
		}
		for _, m := range out {
			e.send(m)
		}
	}
}

// send puts a message, or bytes that may be none, on a link.
func (e *end) send(m any) {
	w := e.node.World
	raw, junk := m.([]byte)
	msg, _ := m.(link.Message)
	if !junk {
		var err error
		if raw, err = link.Encode(msg); err != nil {
			panic(err) // the engine's bounds are wrong
		}
	}
	wait, breaks := w.delay()
	if breaks {
		e.snap()
		return
	}
	e.node.Traffic.Out++
	e.node.Traffic.BytesOut += len(raw)
	e.far.in.put(w.now.Add(wait), func() { e.deliver(msg, raw) })
}

func (e *end) deliver(msg link.Message, raw []byte) {
	to, w := e.far, e.node.World
	if w.Trace != nil {
		w.Note("%d → %d %v %x", e.node.N, to.node.N, kindOf(msg), firstBytes(raw))
	}
	to.node.Traffic.In++
	to.node.Traffic.BytesIn += len(raw)
	if msg != nil && !e.over {
		e.node.engine.Written(e.id, msg)
	}
	if to.over {
		return
	}
	got, err := link.Decode(raw)
	if err != nil {
		to.letGo(nil)
		to.node.engine.LinkDown(to.id, err)
		return
	}
	to.node.engine.Received(to.id, got)
}

func kindOf(msg link.Message) string {
	if msg == nil {
		return "junk"
	}
	return link.KindOf(msg).String()
}

func firstBytes(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:6]
}

// HangUp ends a link from this side: after what was sent before the far side hears of it.
func (n *Node) HangUp(id LinkID) {
	if e := n.end(id); e != nil {
		e.letGo(nil)
	}
}

// letGo ends a link from this side. The other side is told, with the reason.
func (e *end) letGo(err error) {
	if e.over {
		return
	}
	e.forget()
	wait, _ := e.node.World.delay()
	e.far.down(wait, err)
}

// down tells a side of the end.
func (e *end) down(wait time.Duration, err error) {
	if e.over {
		return
	}
	e.in.put(e.node.World.now.Add(wait), func() {
		e.node.World.Note("%d loses link %d", e.node.N, e.id)
		e.forget()
		e.node.engine.LinkDown(e.id, err)
	})
}

// forget drops what was to come on a link that this side is done with.
func (e *end) forget() {
	e.over = true
	e.in.cut(0)
	e.node.ends = slices.DeleteFunc(e.node.ends, func(o *end) bool { return o == e })
}

// snap breaks a link in the middle: of what is under way each side may get the beginning.
func (e *end) snap() {
	for _, side := range []*end{e, e.far} {
		if !side.over {
			side.down(0, errCut)
		}
	}
}

// Peers are those that there is a link to.
func (n *Node) Peers() (peers []*Node) {
	for _, e := range n.ends {
		if e.far.node.self != nil {
			peers = append(peers, e.far.node)
		}
	}
	return peers
}
