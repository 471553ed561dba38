package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
	"opentalk/engine/store"
	"opentalk/engine/store/storetest"
)

// sim is a round of real cores in a world that is made up: see enginetest. The same seed gives the same run.
type sim struct {
	*enginetest.World
	t        *testing.T
	nodes    []*node
	links    linkID // of links that tests make by hand
	tag      Tag
	id       identity.RoundID
	genesis  chain.ID
	from     int                     // whose message came last
	liar     *node                   // a member who is not honest, nil if all are
	after    func(*node)             // looks at a node after each of its steps, if set
	author   map[MessageID]*node     // who said it
	said     map[MessageID]string    // what Send returned for: it must never be lost
	watch    func(*node, effect)     // sees everything that a node does, if set
	verifier *identity.Verifier      // shared by all: a credential is verified once
	verified map[string]*chain.Block // and so is a block
	copied   map[Device]bool         // devices whose home was copied, which may have written two histories
	twice    map[MessageID]bool      // what may be said twice: it waited in a home that was copied
}

// node is one device. Its store and keyring outlive a crash of its core.
type node struct {
	*enginetest.Node
	s       *sim
	dir     string
	core    *core // nil while it is down
	keys    *identity.Keyring
	store   *storetest.Memory
	full    bool // its disk takes nothing any more
	notices []string
	shown   map[MessageID]int // how often the front was shown it, since the start
}

func newSim(t *testing.T, seed uint64, n int) *sim {
	s := &sim{
		World: enginetest.NewWorld(seed), t: t, links: 1 << 32, said: map[MessageID]string{}, author: map[MessageID]*node{},
		copied: map[Device]bool{}, twice: map[MessageID]bool{}, verified: map[string]*chain.Block{}, verifier: &identity.Verifier{},
	}
	who := s.Rand.Perm(n)
	for i := range n {
		s.add()
		s.putSecrets(s.nodes[i], secrets(t, who[i]))
	}
	cryptotest.SetGlobalRandom(t, seed) // salts, and keys of who retires: ids decide what comes first
	for _, nd := range s.nodes {
		s.start(nd)
	}
	return s
}

// made are secrets files that newSim has made.
var made = map[int][]byte{}

// secrets is the secrets file of the i-th identity: the same in every run, so that the same seed is.
func secrets(t *testing.T, i int) []byte {
	if made[i] == nil {
		cryptotest.SetGlobalRandom(t, uint64(i))
		dir := homes(t)
		identitytest.Keyring(t, dir, i)
		raw, err := os.ReadFile(filepath.Join(dir, "secrets"))
		if err != nil {
			t.Fatal(err)
		}
		made[i] = raw
	}
	return made[i]
}

// putSecrets gives a node, which is down, a secrets file.
func (s *sim) putSecrets(nd *node, raw []byte) {
	path := filepath.Join(nd.dir, "secrets")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
	keys, err := identity.OpenKeyring(path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	nd.keys = keys
}

// homes makes a folder for a home: in memory where there is such a place, since simulations are not about this disk.
func homes(t *testing.T) string {
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "opentalk")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// add makes one more node, which has no keys and is down.
func (s *sim) add() *node {
	n := len(s.nodes)
	nd := &node{s: s, Node: s.NewNode(n, address(n)), dir: homes(s.t), store: storetest.New()}
	s.nodes = append(s.nodes, nd)
	return nd
}

func address(n int) string { return fmt.Sprintf("127.0.0.1:%d", 10000+n) }

// device is what the node is at the moment: it may retire.
func (nd *node) device() Device { return nd.keys.Device.Device() }

func (s *sim) start(nd *node) {
	draw := func(b []byte) {
		for i := range b {
			b[i] = byte(s.Rand.Uint32())
		}
	}
	c := newCore(nd.keys, nd.store, fmt.Sprintf("p%d", nd.N), slog.New(slog.DiscardHandler), draw)
	c.self.Verifier = s.verifier
	c.listen, nd.shown = []string{nd.Address}, map[MessageID]int{}
	c.now = nd.Now()
	if nd.N%2 == 1 {
		c.previewOver = 3 // histories here are short
	}
	if err := c.finishLeaving(); err != nil {
		s.t.Fatal(err)
	}
	for i := range nd.keys.Rounds {
		if err := c.restore(&nd.keys.Rounds[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	nd.core = c
	nd.Start(nd)
	nd.Accept(nd.keys.Credential, nil)
	c.accepts()
	s.effects(nd, c.effects)
	s.step(nd, tick{})
}

func (s *sim) crash(nd *node) {
	nd.Crash()
	nd.core, nd.store = nil, nd.store.Crash()
}

func (s *sim) step(nd *node, ev event) {
	if nd.core != nil {
		s.effects(nd, nd.core.step(nd.Now(), ev))
		if s.after != nil {
			s.after(nd)
		}
	}
}

func (s *sim) settle(d time.Duration) { s.Settle(d) }

// effects asks of the world what a core wants done.
func (s *sim) effects(nd *node, effects []effect) {
	for _, ef := range effects {
		if s.watch != nil {
			s.watch(nd, ef)
		}
		switch ef := ef.(type) {
		case sendTo:
			nd.Send(enginetest.LinkID(ef.link), ef.msgs...)
		case hangUp:
			nd.HangUp(enginetest.LinkID(ef.link))
		case commit:
			nd.Commit(func() error { return nd.write(ef) })
		case accept:
			var tags []Tag
			for _, r := range ef.rounds {
				tags = append(tags, r.Tag())
			}
			nd.Accept(ef.self.Credential, tags)
		case dial:
			nd.Dial(enginetest.Dial{Tag: ef.round.Tag(), Address: ef.address, Want: ef.want, Probe: ef.probe})
		case emit:
			s.emitted(nd, ef.Event)
		}
	}
}

func (nd *node) write(b commit) error {
	if nd.full {
		return store.ErrReadOnly
	}
	return nd.store.Write(b.apply)
}

func (s *sim) emitted(nd *node, e Event) {
	switch e := e.(type) {
	case MessageEvent:
		if e.Message.Problem == "" {
			nd.shown[e.Message.ID]++
		}
	case NoticeEvent:
		s.Note("%d notices: %s", nd.N, e.Text)
		nd.notices = append(nd.notices, e.Text)
	case ErrorEvent:
		if nd != s.liar && !nd.full {
			s.t.Fatalf("node %d: %v", nd.N, e.Err)
		}
	}
}

// What the world tells a node, as events of its core.

func (nd *node) LinkUp(u enginetest.Up) {
	nd.s.step(nd, linkUp{link: linkID(u.ID), tag: u.Tag, self: u.Self, cred: u.Peer, address: u.Address, dialled: u.Dialled})
}

func (nd *node) LinkDown(id enginetest.LinkID, err error) {
	nd.s.step(nd, linkDown{link: linkID(id), err: err})
}

func (nd *node) Written(id enginetest.LinkID, msg link.Message) {
	nd.s.step(nd, written{linkID(id), weight(msg)})
}

func (nd *node) NotDialled(d enginetest.Dial, err error) {
	if d.Probe {
		nd.s.step(nd, probed{d.Tag, d.Address, err})
	} else {
		nd.s.step(nd, dialFailed{d.Tag, d.Address, err})
	}
}

func (nd *node) Committed(err error) { nd.s.step(nd, committed{err}) }
func (nd *node) Tick()               { nd.s.step(nd, tick{}) }
func (nd *node) Wake() time.Time     { return nd.core.wake }

// Received verifies the blocks in a message, as the driver does, and ends the link over one that is none.
func (nd *node) Received(id enginetest.LinkID, msg link.Message) {
	if from := nd.Peer(id); from != nil {
		nd.s.from = from.N
	}
	blocks, err := nd.s.blocksIn(msg)
	if err != nil {
		if from := nd.Peer(id); from.Tamper == nil {
			nd.s.t.Fatalf("node %d sent a bad block: %v", from.N, err)
		}
		nd.HangUp(id)
		nd.s.step(nd, linkDown{link: linkID(id), err: err})
		return
	}
	nd.s.step(nd, received{link: linkID(id), msg: msg, blocks: blocks})
}

// wall keeps two nodes from dialling each other.
func (s *sim) wall(a, b *node) {
	s.Wall(a.Node, b.Node, true)
	s.Wall(b.Node, a.Node, true)
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
			if len(one) == 0 {
				continue // of a version to come, or a liar's
			}
			b = one[0]
			s.verified[string(raw)] = b
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// found makes node 0 begin a round, and join makes another enter it through node via.
func (s *sim) found() {
	s.step(s.nodes[0], call(func(c *core) {
		c.found("friends", func(r Round, err error) {
			if err != nil {
				s.t.Fatal(err)
			}
			s.tag, s.id, s.genesis = r.Tag, c.rounds[r.Tag].id, c.rounds[r.Tag].chain.Genesis()
		})
	}))
	s.settle(time.Second)
}

func (s *sim) join(n, via int) {
	inv := Invite{
		Want: s.nodes[via].keys.Credential.Fingerprint(), Addresses: []string{s.nodes[via].Address},
		id: s.id,
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
				s.t.Errorf("node %d says %q: %v", nd.N, text, err)
			}
			if nd != s.liar {
				s.said[id], s.author[id] = text, nd
			}
		})
	}))
}

// heal brings everybody back and waits until nothing more happens.
func (s *sim) heal() {
	s.Clear()
	for _, nd := range s.nodes {
		if nd.core == nil {
			s.start(nd)
		}
	}
	s.settle(15 * time.Minute)
}

// honest are the nodes but for the liar.
func (s *sim) honest() []*node {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(nd *node) bool { return nd == s.liar })
}

// agree checks that all hold the same, in the same order, and everything that was ever acknowledged, once.
func (s *sim) agree() {
	s.t.Helper()
	var first []chain.ID
	for i, nd := range s.honest() {
		r := nd.core.rounds[s.tag]
		s.once(nd)
		forks := s.forks(nd)
		if heads := r.chain.Heads(); len(heads) > len(r.chain.Devices())+len(forks) {
			s.t.Errorf("node %d has %d heads", nd.N, len(heads))
		}
		if len(r.drafts) > 0 {
			s.t.Errorf("node %d still has %d messages in its outbox", nd.N, len(r.drafts))
		}
		var ids []chain.ID
		for _, b := range s.blocksOf(nd) {
			if !forks[b.Author] { // of those each has the proof, and what others have built on
				ids = append(ids, b.ID())
			}
		}
		if i == 0 {
			first = ids
		} else if !slices.Equal(first, ids) {
			s.t.Errorf("node %d has %d blocks, node 0 %d, or in another order", nd.N, len(ids), len(first))
		}
	}
}

// once checks that a node holds everything that was acknowledged, and has shown nothing twice.
func (s *sim) once(nd *node) {
	s.t.Helper()
	seen := s.holds(nd)
	for id, text := range s.said {
		if seen[id] != 1 && (seen[id] == 0 || !s.twice[id]) {
			s.t.Errorf("node %d holds %q %d times", nd.N, text, seen[id])
		}
	}
	for id, n := range seen {
		if n > 1 && !s.twice[id] {
			s.t.Errorf("node %d holds a message %d times", nd.N, n)
		}
	}
	for id, n := range nd.shown {
		if n > 1 && !s.twice[id] {
			s.t.Errorf("node %d showed a message %d times", nd.N, n)
		}
	}
}

// forks checks that a node sees forks only of devices that may have written two histories, and returns those of the liar.
func (s *sim) forks(nd *node) map[Device]bool {
	s.t.Helper()
	forks, r := map[Device]bool{}, nd.core.rounds[s.tag]
	for _, d := range r.chain.Devices() {
		line := r.chain.Line(d)
		lies := s.liar != nil && line.Credential.Fingerprint() == s.liar.keys.Credential.Fingerprint()
		switch {
		case line.Fork == nil:
		case lies:
			forks[d] = true
		case !s.copied[d]:
			s.t.Errorf("node %d sees a fork of %s at %d", nd.N, d.Short(), line.Fork.Seq)
		}
	}
	return forks
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
