package engine

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
	"opentalk/engine/store"
	"opentalk/engine/store/storetest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the simulation with this seed alone and print its events")
	seedsFlag = flag.Int("seeds", 60, "how many seeds the simulation runs")
)

// sim is a round of real cores on a network, disks and a clock that are made up. One random choice after another decides
// what happens next; the same seed gives the same run.
type sim struct {
	t         *testing.T
	rnd       *rand.Rand
	now       time.Time
	nodes     []*node
	pipes     []*pipe
	links     linkID
	trace     bool
	delivered int
	ready     []choice // kept for its memory
	tag       Tag
	author    map[MessageID]*node  // who said it
	said      map[MessageID]string // what Send returned for: it must never be lost
	watch     func(*node, effect)  // sees everything that a node does, if set
	wall      map[[2]int]bool      // pairs that cannot reach each other
	verified  map[string]*chain.Block
	copied    map[Device]bool // devices whose home was copied, which may have written two histories
	trouble   trouble
	twice     map[MessageID]bool // what may be said twice: it waited in a home that was copied
}

// node is one device. Its store and keyring outlive a crash of its core.
type node struct {
	n        int
	dir      string
	core     *core // nil while it is down
	keys     *identity.Keyring
	store    *storetest.Memory
	disk     []commit
	accepted []*link.Round
	skew     time.Duration
	notices  []string
	shown    map[MessageID]int // how often the front was shown it, since the start
	inbound  bool              // it cannot dial, only be dialled
	moved    int               // how often it has come back at another address
}

// pipe is one direction of a link.
type pipe struct {
	from, to     *node
	fromID, toID linkID
	queue        []link.Message
	ended        bool // after the queue the far side sees the end
}

func newSim(t *testing.T, seed uint64, n int) *sim {
	cryptotest.SetGlobalRandom(t, seed) // keys, salts: ids decide what comes first
	s := &sim{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), trace: *seedFlag != 0,
		said: map[MessageID]string{}, wall: map[[2]int]bool{}, author: map[MessageID]*node{}, copied: map[Device]bool{}, twice: map[MessageID]bool{}, verified: map[string]*chain.Block{},
	}
	for i := range n {
		nd := &node{n: i, dir: t.TempDir(), store: storetest.New()}
		nd.keys = identitytest.Keyring(t, nd.dir, i)
		s.nodes = append(s.nodes, nd)
		s.start(nd)
	}
	return s
}

func (s *sim) log(format string, args ...any) {
	if s.trace {
		s.t.Logf(format, args...)
	}
}

// device is what the node is at the moment: it may retire.
func (nd *node) device() Device { return nd.keys.Device.Device() }

func (nd *node) address() string { return fmt.Sprintf("127.0.0.1:%d", 10000+nd.n+1000*nd.moved) }

func (s *sim) start(nd *node) {
	draw := func(b []byte) {
		for i := range b {
			b[i] = byte(s.rnd.Uint32())
		}
	}
	nd.core = newCore(nd.keys, nd.store, fmt.Sprintf("p%d", nd.n), slog.New(slog.DiscardHandler), draw)
	nd.core.listen, nd.shown = []string{nd.address()}, map[MessageID]int{}
	nd.core.now = s.now.Add(nd.skew)
	if nd.n%2 == 1 {
		nd.core.previewOver = 3 // histories here are short
	}
	if err := nd.core.finishLeaving(); err != nil {
		s.t.Fatal(err)
	}
	for i := range nd.keys.Rounds {
		if err := nd.core.restore(&nd.keys.Rounds[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	nd.core.accepts()
	s.effects(nd, nd.core.effects)
	s.step(nd, tick{})
}

func (s *sim) crash(nd *node) {
	s.log("crash %d", nd.n)
	nd.core, nd.disk, nd.accepted = nil, nil, nil
	nd.store = nd.store.Crash()
	for _, p := range s.pipes {
		if p.from == nd {
			p.ended = true
			if s.rnd.IntN(2) == 0 { // what was under way may still arrive, or a part of it
				p.queue = p.queue[:s.rnd.IntN(len(p.queue)+1)]
			}
		}
	}
	s.pipes = slices.DeleteFunc(s.pipes, func(p *pipe) bool { return p.to == nd })
}

func (s *sim) step(nd *node, ev event) {
	if nd.core != nil {
		s.effects(nd, nd.core.step(s.now.Add(nd.skew), ev))
	}
}

func (s *sim) effects(nd *node, effects []effect) {
	for _, ef := range effects {
		if s.watch != nil {
			s.watch(nd, ef)
		}
		switch ef := ef.(type) {
		case sendTo:
			if p := s.out(nd, ef.link); p != nil {
				p.queue = append(p.queue, ef.msgs...)
			}
		case hangUp:
			if p := s.out(nd, ef.link); p != nil {
				p.ended = true
			}
			s.pipes = slices.DeleteFunc(s.pipes, func(p *pipe) bool { return p.to == nd && p.toID == ef.link })
		case commit:
			nd.disk = append(nd.disk, ef)
		case accept:
			nd.accepted = ef.rounds
		case dial:
			s.dial(nd, ef)
		case emit:
			if m, ok := ef.Event.(MessageEvent); ok {
				nd.shown[m.Message.ID]++
			}
			if e, ok := ef.Event.(NoticeEvent); ok {
				s.log("node %d notices: %s", nd.n, e.Text)
				nd.notices = append(nd.notices, e.Text)
			}
			if e, ok := ef.Event.(ErrorEvent); ok {
				s.t.Fatalf("node %d: %v", nd.n, e.Err)
			}
		}
	}
}

func (s *sim) out(nd *node, id linkID) *pipe {
	for _, p := range s.pipes {
		if p.from == nd && p.fromID == id && !p.ended {
			return p
		}
	}
	return nil
}

func (s *sim) dial(nd *node, d dial) {
	var to *node
	for _, o := range s.nodes {
		if o.address() == d.address {
			to = o
		}
	}
	fail := func(err error) { s.later(nd, dialFailed{d.round.Tag(), d.address, err}) }
	if d.probe {
		fail = func(err error) { s.later(nd, probed{d.round.Tag(), d.address, err}) }
	}
	switch {
	case to == nil || to.core == nil || nd.inbound || s.wall[pair(nd, to)]:
		fail(ErrRefused)
	case to == nd:
		fail(link.ErrSelf)
	case !slices.ContainsFunc(to.accepted, func(r *link.Round) bool { return r.Tag() == d.round.Tag() }):
		fail(ErrWrongRound)
	case d.probe:
		fail(nil)
	case !d.want.IsZero() && d.want != to.keys.Credential.Fingerprint():
		fail(link.ErrRefused)
	default:
		s.links += 2
		there, back := s.links, s.links-1
		s.log("link %d → %d", nd.n, to.n)
		s.pipes = append(s.pipes,
			&pipe{from: nd, to: to, fromID: back, toID: there}, &pipe{from: to, to: nd, fromID: there, toID: back})
		s.later(nd, linkUp{link: back, tag: d.round.Tag(), self: nd.device(), cred: to.keys.Credential, address: d.address, dialled: true})
		s.later(to, linkUp{link: there, tag: d.round.Tag(), self: to.device(), cred: nd.keys.Credential, address: nd.address()})
	}
}

func pair(a, b *node) [2]int { return [2]int{min(a.n, b.n), max(a.n, b.n)} }

// cut puts a wall between two, and ends the links between them.
func (s *sim) cut(a, b *node) {
	s.wall[pair(a, b)] = true
	for _, p := range s.pipes {
		if p.from != nil && pair(p.from, p.to) == pair(a, b) {
			p.ended = true
		}
	}
}

// later delivers an event as if through a message, after the step under way.
func (s *sim) later(nd *node, ev event) {
	s.pipes = append(s.pipes, &pipe{to: nd, queue: []link.Message{internal{Message: link.Ping{}, ev: ev}}, ended: true, toID: 0})
}

// internal is an event of the driver in the queue of a pipe.
type internal struct {
	link.Message
	ev event
}

// choice is one thing that can happen next: something arrives through a pipe, or a batch reaches a node's disk.
type choice struct {
	pipe *pipe
	node *node
}

// choices are all of them. The slice is valid until the next call.
func (s *sim) choices() []choice {
	all := s.ready[:0]
	var early []*pipe // links whose linkUp has not been delivered wait for it
	for _, p := range s.pipes {
		if len(p.queue) > 0 {
			if in, ok := p.queue[0].(internal); ok {
				if _, ok := in.ev.(linkUp); ok {
					early = append(early, p)
				}
			}
		}
	}
	for _, p := range s.pipes {
		if len(p.queue) == 0 && !p.ended || slices.ContainsFunc(early, func(up *pipe) bool {
			return up.to == p.to && up.queue[0].(internal).ev.(linkUp).link == p.toID
		}) {
			continue
		}
		all = append(all, choice{pipe: p})
	}
	for _, nd := range s.nodes {
		if len(nd.disk) > 0 {
			all = append(all, choice{node: nd})
		}
	}
	s.ready = all
	return all
}

// happen makes one of the choices happen, drawn by lot. It reports false if there are none.
func (s *sim) happen() bool {
	all := s.choices()
	if len(all) == 0 {
		return false
	}
	switch c := all[s.rnd.IntN(len(all))]; {
	case c.node != nil:
		batch := c.node.disk[0]
		c.node.disk = c.node.disk[1:]
		s.step(c.node, committed{c.node.store.Write(batch.apply)})
	case len(c.pipe.queue) > 0:
		s.deliver(c.pipe)
	default:
		s.remove(c.pipe)
		s.step(c.pipe.to, linkDown{link: c.pipe.toID, err: errors.New("cut")})
	}
	return true
}

func (s *sim) remove(p *pipe) {
	s.pipes = slices.DeleteFunc(s.pipes, func(o *pipe) bool { return o == p })
}

func (s *sim) deliver(p *pipe) {
	s.delivered++
	msg := p.queue[0]
	p.queue = p.queue[1:]
	if in, ok := msg.(internal); ok {
		s.remove(p)
		s.step(p.to, in.ev)
		return
	}
	raw, err := link.Encode(msg)
	if err == nil {
		msg, err = link.Decode(raw)
	}
	if err != nil {
		s.t.Fatalf("message %T: %v", msg, err)
	}
	blocks, err := s.blocksIn(msg)
	if err != nil {
		s.t.Fatalf("node %d sent a bad block: %v", p.from.n, err)
	}
	s.log("%d → %d %v", p.from.n, p.to.n, link.KindOf(msg))
	s.step(p.from, written{p.fromID, weight(msg)})
	s.step(p.to, received{link: p.toID, msg: msg, blocks: blocks})
}

// blocksIn is what the driver does to a message before the core gets it; but as every node would come to the same, each block
// is verified once in a simulation.
func (s *sim) blocksIn(msg link.Message) (blocks []*chain.Block, err error) {
	var raws [][]byte
	switch m := msg.(type) {
	case link.Genesis:
		raws = [][]byte{m.Block}
	case link.Blocks:
		raws = m.Blocks
	}
	for _, raw := range raws {
		b, ok := s.verified[string(raw)]
		if !ok {
			one, err := blocksIn(link.Blocks{Blocks: [][]byte{raw}})
			if err != nil {
				return nil, err
			}
			b = one[0]
			s.verified[string(raw)] = b
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// settle lets everything happen that can, and the clock go on, for a while.
func (s *sim) settle(forHowLong time.Duration) {
	for end := s.now.Add(forHowLong); ; {
		for range 200_000 {
			if !s.happen() {
				break
			}
		}
		if !s.tick(end) {
			return
		}
	}
}

// tick moves the clock to the next thing that somebody waits for, if that is before end.
func (s *sim) tick(end time.Time) bool {
	var next *node
	for _, nd := range s.nodes {
		if nd.core != nil && !nd.core.wake.IsZero() &&
			(next == nil || nd.core.wake.Add(-nd.skew).Before(next.core.wake.Add(-next.skew))) {
			next = nd
		}
	}
	if next == nil || next.core.wake.Add(-next.skew).After(end) {
		return false
	}
	if at := next.core.wake.Add(-next.skew); at.After(s.now) {
		s.now = at
	}
	s.step(next, tick{})
	return true
}

// found makes node 0 begin a round, and join makes another enter it through node via.
func (s *sim) found() {
	s.step(s.nodes[0], call(func(c *core) {
		c.found("friends", func(r Round, err error) {
			if err != nil {
				s.t.Fatal(err)
			}
			s.tag = r.Tag
		})
	}))
	s.settle(time.Second)
}

func (s *sim) join(n, via int) {
	inv := Invite{
		Want: s.nodes[via].keys.Credential.Fingerprint(), Addresses: []string{s.nodes[via].address()},
		id: s.nodes[0].core.rounds[s.tag].id,
	}
	s.step(s.nodes[n], call(func(c *core) {
		c.joinRound(inv, func(_ Round, err error) {
			if err != nil {
				s.t.Errorf("node %d joins: %v", n, err)
			}
		})
	}))
}

func (s *sim) say(nd *node, text string) {
	if nd.core == nil || nd.core.rounds[s.tag] == nil || nd.core.rounds[s.tag].chain == nil {
		return
	}
	s.step(nd, call(func(c *core) {
		c.rounds[s.tag].say(text, Plain, false, func(id MessageID, err error) {
			if err != nil {
				s.t.Errorf("node %d says %q: %v", nd.n, text, err)
			}
			s.said[id], s.author[id] = text, nd
		})
	}))
}

// heal brings everybody back and waits until nothing more happens.
func (s *sim) heal() {
	clear(s.wall)
	for _, nd := range s.nodes {
		mended := s.trouble == clockAhead && nd.skew != 0
		if mended && nd.core != nil {
			s.crash(nd)
		}
		if mended {
			nd.skew = 0
		}
		if nd.core == nil {
			s.start(nd)
		}
		if mended {
			s.say(nd, "what year is it?")
		}
	}
	s.settle(15 * time.Minute)
}

// agree checks that all hold the same, in the same order, and everything that was ever acknowledged, once.
func (s *sim) agree() {
	s.t.Helper()
	var first []string
	for i, nd := range s.nodes {
		r := nd.core.rounds[s.tag]
		var ids []string
		for _, b := range s.blocksOf(nd) {
			ids = append(ids, b.ID().Short())
		}
		seen := s.holds(nd)
		for id, text := range s.said {
			if seen[id] != 1 && (seen[id] == 0 || !s.twice[id]) {
				s.t.Errorf("node %d holds %q %d times", i, text, seen[id])
			}
		}
		for id, n := range seen {
			if n > 1 && !s.twice[id] {
				s.t.Errorf("node %d holds a message %d times", i, n)
			}
		}
		for id, n := range nd.shown {
			if n > 1 && !s.twice[id] {
				s.t.Errorf("node %d showed a message %d times", i, n)
			}
		}
		forks := 0
		for _, d := range r.chain.Devices() {
			if f := r.chain.Line(d).Fork; f != nil {
				if forks++; !s.copied[d] {
					s.t.Errorf("node %d sees a fork of %s at %d", i, d.Short(), f.Seq)
				}
			}
		}
		if heads := r.chain.Heads(); len(heads) > len(r.chain.Devices())+forks {
			s.t.Errorf("node %d has %d heads", i, len(heads))
		}
		if len(r.drafts) > 0 {
			s.t.Errorf("node %d still has %d messages in its outbox", i, len(r.drafts))
		}
		if i == 0 {
			first = ids
		} else if !slices.Equal(first, ids) {
			s.t.Errorf("node %d has %d blocks, node 0 %d, or in another order", i, len(ids), len(first))
		}
	}
}

// blocksOf is all that a node has admitted, the newest in canonical order first.
func (s *sim) blocksOf(nd *node) (all []*chain.Block) {
	for at := store.End; ; {
		blocks, err := nd.store.Before(s.tag, at, store.Limit{})
		if errors.Is(err, store.ErrNoRound) {
			return nil
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if len(blocks) == 0 {
			return all
		}
		for _, raw := range blocks {
			b, err := chain.Parse(raw.Raw)
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, b)
		}
		at = blocks[len(blocks)-1].Position()
	}
}

// messageIDs are those of what a block says.
func (s *sim) messageIDs(b *chain.Block) (ids []MessageID) {
	for _, nd := range s.nodes {
		if nd.core != nil && nd.core.rounds[s.tag] != nil && nd.core.rounds[s.tag].chain != nil {
			for _, m := range nd.core.rounds[s.tag].messages(b) {
				if m.Problem == "" {
					ids = append(ids, m.ID)
				}
			}
			return ids
		}
	}
	return nil
}

// TestConvergence is I1, I3, I5 and I6: members that crash, restart, lose links and write while apart all end with the same
// blocks in the same order; what was acknowledged to its author is there once; nobody forks.
func TestConvergence(t *testing.T) {
	seeds := slices.Collect(func(yield func(uint64) bool) {
		for i := range *seedsFlag {
			if !yield(uint64(i + 1)) {
				return
			}
		}
	})
	if *seedFlag != 0 {
		seeds = []uint64{*seedFlag}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { converge(t, seed) })
	}
}

func converge(t *testing.T, seed uint64) {
	s := newSim(t, seed, 2+int(seed%4))
	s.trouble = trouble(seed / 4 % 3)
	s.chaos()
	s.heal()
	s.agree()
	for i, nd := range s.nodes {
		if n := len(nd.core.rounds[s.tag].unheld); n > 0 {
			t.Errorf("node %d does not know of %d of its blocks that all hold them", i, n)
		}
	}
	if t.Failed() {
		t.Logf("seed %d, %d nodes: %s", seed, len(s.nodes), strings.Join(slices.Sorted(maps.Values(s.said)), ", "))
	}
}

// trouble is what befalls one member besides what befalls all.
type trouble int

const (
	_          trouble = iota
	oldImage           // it is restored from backups, so that it may sign two histories
	clockAhead         // its clock is years ahead at times
)

// befall makes trouble for the last node, of which there are images, now and then.
func (s *sim) befall(images *[]image) {
	nd := s.nodes[len(s.nodes)-1]
	switch p := s.rnd.IntN(12); {
	case p == 0 && s.trouble == oldImage:
		*images = append(*images, s.copyOf(nd))
	case p == 1 && len(*images) > 0:
		if nd.core != nil {
			s.crash(nd)
		}
		s.log("restore %d", nd.n)
		s.lose(nd)
		s.put(nd, (*images)[s.rnd.IntN(len(*images))])
		s.start(nd)
	case p == 2 && s.trouble == clockAhead && nd.core != nil:
		s.log("clock of %d", nd.n)
		s.restart(nd, 10*year-nd.skew)
	}
}

// lose expects no more that what only this node has will reach the others.
func (s *sim) lose(nd *node) {
	safe := map[MessageID]bool{}
	for _, o := range s.nodes {
		if o != nd {
			for id := range s.holds(o) {
				safe[id] = true
			}
		}
	}
	maps.DeleteFunc(s.said, func(id MessageID, _ string) bool { return s.author[id] == nd && !safe[id] })
}

// holds counts the messages in the blocks on a node's disk.
func (s *sim) holds(nd *node) map[MessageID]int {
	held := map[MessageID]int{}
	for _, b := range s.blocksOf(nd) {
		for _, id := range s.messageIDs(b) {
			held[id]++
		}
	}
	return held
}

// chaos is a round whose members crash, restart, lose links and write all the time.
func (s *sim) chaos() {
	s.found()
	for n := 1; n < len(s.nodes); n++ {
		s.join(n, s.rnd.IntN(n))
		s.settle(time.Second)
	}
	var images []image
	for i := range 60 {
		if s.trouble != 0 {
			s.befall(&images)
		}
		nd := s.nodes[s.rnd.IntN(len(s.nodes))]
		switch p := s.rnd.IntN(20); {
		case p < 10:
			s.say(nd, fmt.Sprintf("message %d of %d", i, nd.n))
		case p < 12 && nd.core != nil:
			s.crash(nd)
		case p < 15 && nd.core == nil:
			s.start(nd)
		case p < 16:
			other := s.nodes[s.rnd.IntN(len(s.nodes))]
			if s.wall[pair(nd, other)] {
				delete(s.wall, pair(nd, other))
			} else {
				s.cut(nd, other)
			}
		case p < 17:
			s.settle(time.Duration(s.rnd.IntN(int(time.Minute))))
		}
		for range s.rnd.IntN(20) {
			s.happen()
		}
	}
}

// TestRelay: members that cannot reach each other have everything through a third, what came while one of them was away
// too.
func TestRelay(t *testing.T) {
	s := newSim(t, 7, 3)
	s.wall[[2]int{0, 2}] = true
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(time.Second)
	for _, nd := range s.nodes {
		s.say(nd, fmt.Sprintf("%d is here", nd.n))
	}
	s.settle(5 * time.Second)
	s.agree()
	s.crash(s.nodes[1])
	s.say(s.nodes[0], "written alone")
	s.say(s.nodes[2], "written alone, too")
	s.settle(time.Minute)
	s.start(s.nodes[1])
	s.settle(10 * time.Minute)
	s.agree()
}

// TestSilentMember: who has joined is known to everybody before they have said a word, also where they are not linked.
func TestSilentMember(t *testing.T) {
	s := newSim(t, 23, 3)
	s.wall[[2]int{0, 2}] = true
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(5 * time.Second)
	for _, nd := range s.nodes {
		if n := nd.core.rounds[s.tag].people.members(); n != 3 {
			t.Errorf("node %d knows %d members", nd.n, n)
		}
	}
}

// TestHeldByDescent: that a member holds a message is known from what they write after it, also without a link to them.
func TestHeldByDescent(t *testing.T) {
	s := newSim(t, 29, 3)
	s.wall[[2]int{0, 2}] = true
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 1)
	s.settle(5 * time.Second)
	s.say(s.nodes[0], "does anybody hear me?")
	s.settle(5 * time.Second)
	r := s.nodes[0].core.rounds[s.tag]
	if len(r.unheld) != 1 || r.unheld[0].held != 1 {
		t.Errorf("before an answer: %+v", r.unheld)
	}
	s.say(s.nodes[2], "yes")
	s.settle(5 * time.Second)
	if len(r.unheld) != 0 {
		t.Errorf("after an answer: %+v", r.unheld)
	}
}

// TestT13RestoredBackup: a device that comes back with an old copy of its store, or with none, takes its own later blocks
// from whoever is reachable before it writes, and so does not fork itself.
func TestT13RestoredBackup(t *testing.T) {
	for name, backup := range map[string]func(*storetest.Memory) *storetest.Memory{
		"old copy": (*storetest.Memory).Copy,
		"nothing":  func(*storetest.Memory) *storetest.Memory { return storetest.New() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, 11, 2)
			s.found()
			s.join(1, 0)
			s.settle(time.Second)
			s.say(s.nodes[1], "before the backup")
			s.settle(time.Second)
			old := backup(s.nodes[1].store)
			for i := range 5 {
				s.say(s.nodes[1], fmt.Sprintf("after the backup, %d", i))
				s.settle(time.Second)
			}
			s.crash(s.nodes[1])
			s.nodes[1].store = old
			if name == "nothing" { // nor an address book: the other comes and finds it
				s.crash(s.nodes[0])
				s.start(s.nodes[0])
			}
			s.start(s.nodes[1])
			s.say(s.nodes[1], "at once after the restore")
			s.settle(time.Hour)
			s.agree()
		})
	}
}

// TestT13KilledBetweenSteps: a device that has something in its outbox is killed after each single thing that happens from the
// moment on when others come, and starts again: it never forks, and what it has said is there once.
func TestT13KilledBetweenSteps(t *testing.T) {
	steps := 0
	for over := false; !over && !t.Failed(); steps++ {
		s := together(t, 11, 3)
		s.crash(s.nodes[0])
		s.crash(s.nodes[2])
		s.settle(time.Minute)
		s.say(s.nodes[1], "while nobody was there")
		s.settle(time.Minute)
		for _, n := range []int{0, 2, 1} { // it comes last, so that it dials them at once
			s.restart(s.nodes[n], 0)
		}
		s.say(s.nodes[2], "I am back")
		for range steps {
			if over = !s.happen(); over {
				break
			}
		}
		s.restart(s.nodes[1], 0)
		s.say(s.nodes[1], "after it was killed")
		s.heal()
		s.agree()
	}
	if t.Logf("killed after each of %d steps", steps); steps < 50 {
		t.Error("that is not all")
	}
}

// TestT14Clocks: members whose clocks are years apart agree all the same.
func TestT14Clocks(t *testing.T) {
	s := newSim(t, 13, 3)
	s.nodes[1].skew, s.nodes[2].skew = 10*365*24*time.Hour, -10*365*24*time.Hour
	s.found()
	s.join(1, 0)
	s.settle(time.Second)
	s.join(2, 0)
	s.settle(time.Second)
	for i := range 9 {
		s.say(s.nodes[i%3], fmt.Sprint("message ", i))
		s.settle(time.Second)
	}
	s.agree()
}

// TestMovedMember: who comes back at another address is found there again, also when its clock has gone back meanwhile.
func TestMovedMember(t *testing.T) {
	s := newSim(t, 19, 2)
	s.found()
	s.join(1, 0)
	s.settle(time.Minute)
	s.crash(s.nodes[1])
	s.nodes[1].moved, s.nodes[1].skew = 1, -time.Hour
	s.start(s.nodes[1])
	s.settle(time.Minute)
	s.crash(s.nodes[0])
	s.crash(s.nodes[1])
	s.nodes[0].moved, s.nodes[1].inbound = 1, true // so node 0 must find node 1
	s.start(s.nodes[1])
	s.start(s.nodes[0])
	s.say(s.nodes[1], "here I am")
	s.settle(10 * time.Minute)
	s.agree()
}

// TestLargeRound: past thirty members links are few and drawn, and every message reaches everybody all the same, also when
// some are gone and links are exchanged.
func TestLargeRound(t *testing.T) {
	s := newSim(t, 17, identitytest.Count)
	s.found()
	for n := 1; n < len(s.nodes); n++ {
		s.join(n, s.rnd.IntN(n))
		s.settle(2 * time.Second)
	}
	s.settle(rotateEvery + time.Minute) // links are exchanged meanwhile
	for _, nd := range s.nodes {
		dialled := 0
		for _, p := range nd.core.rounds[s.tag].peers {
			if p.dialled {
				dialled++
			}
			if !p.online() {
				t.Errorf("node %d has a link that does not come to life", nd.n)
			}
		}
		if dialled > largeLinks {
			t.Errorf("node %d keeps %d dialled links", nd.n, dialled)
		}
	}
	mute := s.nodes[5] // what it says leaves only by being announced and fetched
	s.crash(mute)
	mute.inbound = true
	s.start(mute)
	s.settle(10 * time.Minute)
	for _, n := range []int{3, 9, 20} {
		s.crash(s.nodes[n])
	}
	s.settle(5 * time.Minute) // who has lost a link has dialled another by now
	s.delivered = 0
	clear(s.said)
	for i := range 10 {
		s.say(s.nodes[(7*i+5)%len(s.nodes)], fmt.Sprint("message ", i))
		s.settle(2 * time.Second)
	}
	t.Logf("%d messages on links for each member and message", s.delivered/len(s.nodes)/10)
	for _, nd := range s.nodes {
		if nd.core == nil {
			continue
		}
		history, err := nd.core.rounds[s.tag].archive().history(Position{}, 10)
		if err != nil || len(history) != len(s.said) {
			t.Errorf("node %d is up and has %d of %d messages, err %v", nd.n, len(history), len(s.said), err)
		}
	}
	s.heal()
	s.agree()
}
