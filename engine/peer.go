package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
)

// peer is a device that there is a link to.
type peer struct {
	id      linkID
	round   *round
	cred    *identity.Credential
	address string
	dialled bool
	since   time.Time

	ready    bool        // its READY has come
	lacksGen bool        // it has said that it lacks genesis
	stored   bool        // it holds this device's first block
	records  link.Digest // of the address records that it had at first
	theirs   bool        // its first block is durable here: it may have history
	shown    bool        // the front knows that it is online

	frontier bool              // its whole frontier has come
	known    map[Device]uint64 // newest seq it is known to hold, per device
	offered  []link.Entry      // the frontier that this device's READY stands for, until the peer's has come
	informed bool              // it has been told the whole frontier here
	told     map[Device]uint64 // newest seq it was told of or sent, per device
	stale    bool              // known may hold what this device lacks
	claim    link.Entry        // what it said last of this device's own line, until that has been looked into
	ackDue   map[Device]uint64 // lines whose progress it is to be told of, once they are durable up to there

	queued  int               // bytes on their way out
	lagging bool              // more was to be pushed than it took
	serving []*serving        // what it asked for
	owes    map[Device]uint64 // what was pushed to it and it has not acknowledged
	unacked time.Time         // since when it has acknowledged nothing of that; zero if it owes nothing

	heard   time.Time // of anything
	pinged  time.Time
	ping    uint64 // nonce of the ping under way, 0 if none
	rtt     time.Duration
	skew    skew
	request uint64 // the last request made to it
	want    uint64 // the number of the last WANT, and what it asked for
	ranges  []link.Range
	tried   map[Device]uint64 // how far it has been asked about each device
	proved  map[Device]bool   // forks that it knows of
	gave    int               // new blocks that it brought
	before  int               // of those that it gave before began
	began   time.Time         // when it was asked, or last looked at whether it is slow
	asked   time.Time         // when it was asked, or last gave something
	lifting uint64            // the number of the WANT for a flagged line, 0 if none is under way
	preview uint64            // the number of the NEWEST, 0 if there was none
	probing *probing          // the answer that it waits for, if it has asked whether it is reached
	asking  *asking           // what it has been asked about that
	pruned  pruned
	whole   bool // everything that it offered has been fetched: it no longer delays signing
}

func (p *peer) device() Device           { return p.cred.Device() }
func (p *peer) fingerprint() Fingerprint { return p.cred.Fingerprint() }
func (p *peer) person() Person           { return p.round.person(p.fingerprint(), p.device()) }

// wrote reports whether a line is by a device of the peer's person, who follows those of devices that have retired, too.
func (p *peer) wrote(d Device) bool {
	line := p.round.chain.Line(d)
	return line != nil && line.Credential.Fingerprint() == p.fingerprint()
}

// online reports whether both sides have stored each other's first block: from then on everything is shared.
func (p *peer) online() bool { return p.theirs && p.stored }

// level reports whether a new block can be pushed to it.
func (p *peer) level() bool { return p.online() && p.frontier && !p.lagging }

func (p *peer) send(msgs ...link.Message) {
	for _, m := range msgs {
		p.queued += weight(m)
	}
	p.round.c.do(sendTo{p.id, msgs})
}

// drop ends the link for a fault.
func (p *peer) drop(reason link.Reason, err error) {
	p.hangUp(reason, err)
	p.round.c.tally.turnedAway(slog.LevelWarn, "dropping a peer", "round", p.round.tag, "device", p.device().Short(), "err", err)
}

// hangUp ends the link from this side.
func (p *peer) hangUp(reason link.Reason, err error) {
	p.round.c.hangUp(p.id, reason)
	p.round.lost(p, err)
}

// hangUp ends a link that may be no peer's.
func (c *core) hangUp(id linkID, reason link.Reason) {
	c.tally.hungUp(reason)
	c.do(hangUp{id, reason})
}

func (e linkUp) apply(c *core) {
	r := c.rounds[e.tag]
	switch {
	case r == nil || !c.hasPlace(e.dialled) && !r.makePlace(e.cred.Device()):
		c.hangUp(e.link, link.ReasonFull)
		return
	case e.self != c.self.Key.Device(): // it has retired meanwhile
		c.hangUp(e.link, link.ReasonDone)
		r.dialAgain(e.address)
		return
	}
	p := &peer{
		id: e.link, round: r, cred: e.cred, address: e.address, dialled: e.dialled, since: c.now, heard: c.now,
		known: map[Device]uint64{}, told: map[Device]uint64{}, ackDue: map[Device]uint64{},
		owes: map[Device]uint64{}, tried: map[Device]uint64{}, proved: map[Device]bool{},
		pruned: pruned{theirs: map[Device]bool{}, ours: map[Device]time.Time{}, late: map[Device]bool{}},
	}
	if e.dialled {
		r.reached(e.address, p)
	}
	if !r.mayKeep(p) {
		c.hangUp(e.link, link.ReasonDuplicate)
		r.hasAlready(p)
		return
	}
	c.peers[p.id], r.peers = p, append(r.peers, p)
	p.theirs = r.chain != nil && r.holdsFirst(p.device())
	ready := link.Ready{HavePubKey: p.theirs, HaveGenesis: r.chain != nil, Clock: c.plain()}
	if p.theirs {
		p.offered = r.frontier()
		ready.Frontier, ready.Records = link.FrontierDigest(p.offered), p.recordsDigest()
	}
	p.send(ready)
	c.wakeAt(c.now.Add(pingEvery))
	c.wakeAt(c.now.Add(catchUpWait))
}

// hasPlace reports whether one more link may be kept.
func (c *core) hasPlace(dialled bool) bool {
	callers := 0
	for _, p := range c.peers {
		if !p.dialled {
			callers++
		}
	}
	return len(c.peers) < MaxPeers && (dialled || callers < maxCallers)
}

// makePlace ends the link of a caller for that of another device in a round, if there is one that deserves its place less:
// the last of a round that has more callers than this one, or of those of this round who came to it later than the other. So
// who comes back does not find that newcomers have taken every place, nor that a crowded round has taken those of another.
func (r *round) makePlace(d Device) bool {
	crowded, most := r, len(r.callers())
	for _, o := range r.c.order {
		if n := len(o.callers()); n > most {
			crowded, most = o, n
		}
	}
	last, spare := crowded.lastCaller(d)
	if last == nil || !spare && crowded == r && r.joined(last.device()) <= r.joined(d) {
		return false
	}
	last.hangUp(link.ReasonFull, nil)
	return true
}

// callers are the peers that have dialled this device.
func (r *round) callers() (callers []*peer) {
	for _, p := range r.peers {
		if !p.dialled {
			callers = append(callers, p)
		}
	}
	return callers
}

// lastCaller is the caller that is the first to go: the older of two links to one device, of which one may be to come, to d,
// or else who came to the round last. spare tells that it is the former, of which nobody misses anything.
func (r *round) lastCaller(d Device) (last *peer, spare bool) {
	seen, newest := map[Device]*peer{}, uint64(0)
	for _, p := range r.callers() {
		if older := seen[p.device()]; older != nil {
			return older, true
		}
		seen[p.device()] = p
		if at := r.joined(p.device()); last == nil || at > newest {
			last, newest = p, at
		}
	}
	if p := seen[d]; p != nil {
		return p, true
	}
	return last, false
}

// joined numbers the devices of a round in the order in which their first blocks came here, which nobody can backdate; who is
// not here yet comes last.
func (r *round) joined(d Device) uint64 {
	switch {
	case r.chain == nil || r.chain.Line(d) == nil:
		return math.MaxUint64
	case d == r.genesis.Author:
		return 0
	}
	first, ok, err := r.c.store.Entry(r.tag, r.chain.Line(d).First.ID())
	if !ok || err != nil {
		return math.MaxUint64
	}
	return first.Arrival
}

// mayKeep settles two links to one device. Of one dialled from either side, the one that the bytewise smaller device
// dialled stays. Of two dialled from the same side, that side keeps the first; the other side leaves it to them, since the
// first may be dead without either of the two knowing it here. So it is when the other side dials past a link that it should
// know: its end may be dead, or its home runs twice, and who is refused then would never find out.
func (r *round) mayKeep(p *peer) bool {
	self, other := r.c.self.Key.Device(), p.device()
	for _, old := range r.peers {
		if old.device() != other {
			continue
		}
		switch {
		case old.dialled == p.dialled && p.dialled:
			return false
		case old.dialled == p.dialled, old.dialled && r.c.now.Sub(old.since) >= crossTime:
			continue
		case old.dialled == (bytes.Compare(self[:], other[:]) < 0):
			return false
		default:
			old.hangUp(link.ReasonDuplicate, nil)
		}
	}
	return true
}

func (e linkDown) apply(c *core) {
	switch p := c.peers[e.link]; {
	case p == nil:
		c.hangUp(e.link, link.ReasonDone)
	case e.reason == link.ReasonDone:
		p.hangUp(e.reason, e.err)
	default:
		p.drop(e.reason, e.err)
	}
}

func (e written) apply(c *core) {
	p := c.peers[e.link]
	if p == nil {
		return
	}
	p.queued -= e.bytes
	if p.queued >= serveBelow {
		return
	}
	if p.lagging {
		p.lagging = false
		p.round.tellNews(p)
	}
	p.serve()
}

// tick looks after one link: whether it lives, and whether it does what was asked of it.
func (p *peer) tick() {
	p.tellLate()
	c := p.round.c
	quiet := c.now.Sub(p.heard)
	switch {
	case quiet >= deadAfter:
		p.hangUp(link.ReasonSlow, errors.New("silent for too long"))
		return
	case !p.unacked.IsZero() && c.now.Sub(p.unacked) >= ackTime:
		p.hangUp(link.ReasonSlow, errors.New("acknowledges nothing"))
		return
	case p.round.source == p && c.now.Sub(p.asked) >= ackTime:
		p.hangUp(link.ReasonSlow, errors.New("does not give what it has"))
		return
	case p.ping == 0 && c.now.Sub(p.pinged) >= pingEvery:
		p.pingNow()
	}
	p.giveWay()
	c.wakeAt(c.now.Add(pingEvery))
	if wait := p.since.Add(catchUpWait); c.now.Before(wait) {
		c.wakeAt(wait) // a message may wait for it
	}
	if !p.unacked.IsZero() {
		c.wakeAt(p.unacked.Add(ackTime))
	}
}

func (p *peer) pingNow() {
	c := p.round.c
	p.ping, p.pinged = uint64(p.id)<<32|uint64(c.now.Unix()&0xffffffff)|1, c.now
	p.send(link.Ping{Nonce: p.ping, Clock: c.plain()})
}

func (e received) apply(c *core) {
	p := c.peers[e.link]
	if p == nil {
		return
	}
	p.heard = c.now
	defer func() {
		if bug := recover(); bug != nil { // of this device; what set it off came from there
			p.drop(link.ReasonViolation, fmt.Errorf("panic over %v: %v\n%s", link.KindOf(e.msg), bug, debug.Stack()))
		}
	}()
	switch m := e.msg.(type) {
	case link.Ready:
		p.onReady(m)
	case link.Genesis:
		p.onGenesis(e.blocks)
	case link.Blocks:
		p.onBlocks(m, e.blocks)
	case link.Ping:
		p.onClock(m.Clock, p.rtt/2, false)
		p.send(link.Pong{Nonce: m.Nonce, Clock: c.plain()})
	case link.Pong:
		p.onPong(m)
	case link.Frontier:
		p.onFrontier(m)
	case link.Ack:
		p.onAck(m)
	case link.Announce:
		if p.level() {
			p.onAnnounce(m)
		}
	case link.Prune:
		if p.online() {
			p.onPrune(m)
		}
	case link.Addresses:
		if p.online() {
			p.onAddresses(m)
		}
	case link.Proof:
		if p.online() {
			p.onProof(m)
		}
	case link.Reach:
		p.onReach(m)
	case link.Reached:
		p.onReached(m)
	case link.Want, link.Fetch, link.Newest:
		// History is for members whose first block is stored here, nobody else.
		if p.theirs {
			p.onRequest(m)
		}
	}
}

func (p *peer) onPong(m link.Pong) {
	if p.ping == 0 || m.Nonce != p.ping {
		return
	}
	first := p.rtt == 0
	p.ping, p.rtt = 0, max(p.round.c.now.Sub(p.pinged), time.Microsecond)
	p.onClock(m.Clock, p.rtt/2, true)
	if first && p.online() {
		p.tellState(Online)
	}
}

func (p *peer) tellState(s PeerState) {
	p.round.c.tell(PeerEvent{Round: p.round.tag, Person: p.person(), Address: p.address, State: s, RTT: p.rtt})
}

// onReady answers with what the peer lacks of the first two things: genesis, and this device's first block.
func (p *peer) onReady(m link.Ready) {
	if p.ready {
		p.drop(link.ReasonViolation, errors.New("it says READY twice"))
		return
	}
	p.ready, p.lacksGen = true, !m.HaveGenesis
	p.stored = m.HavePubKey
	p.round.recognised = p.round.recognised || m.HavePubKey
	p.records = m.Records
	p.onClock(m.Clock, 0, false)
	if p.theirs {
		p.compare(m.Frontier)
	}
	p.introduce()
	p.cameOnline()
}

// introduce sends what the peer needs before it may be given anything else. It is called again when this device itself has
// just learnt genesis.
func (p *peer) introduce() {
	r := p.round
	if r.chain == nil || !r.member || !p.ready {
		return
	}
	if p.lacksGen {
		p.lacksGen = false
		p.send(link.Genesis{Block: r.genesis.Bytes()})
	}
	if !p.stored {
		if first := r.chain.Line(r.c.self.Key.Device()).First; first.ID() != r.chain.Genesis() {
			p.push(first)
		}
	}
}

// push sends blocks and expects an ACK.
func (p *peer) push(bs ...*chain.Block) {
	raws := make([][]byte, len(bs))
	for i, b := range bs {
		raws[i] = b.Bytes()
		p.expectAck(b)
	}
	p.send(link.Blocks{Blocks: raws, Last: true})
}

// expectAck notes that the peer is about to be sent a block, or its id, and owes an ACK.
func (p *peer) expectAck(b *chain.Block) {
	p.told[b.Author] = max(p.told[b.Author], b.Seq)
	if p.round.chain.Line(b.Author).Fork == nil { // what a forked line goes on with may be set aside
		p.owes[b.Author] = max(p.owes[b.Author], b.Seq)
	}
	if p.unacked.IsZero() && len(p.owes) > 0 {
		p.unacked = p.round.c.now
		p.round.c.wakeAt(p.unacked.Add(ackTime))
	}
}

// cameOnline is called whenever theirs or stored may have become true.
func (p *peer) cameOnline() {
	if p.online() && !p.shown {
		p.shown = true
		p.round.remember(p)
		p.tellState(Online)
		p.pingNow()
		p.sendRecords()
		p.sendProofs()
		p.round.welcomed()
		p.round.connected(p.address, p.person(), nil)
	}
}
