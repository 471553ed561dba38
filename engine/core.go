package engine

import (
	"bytes"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// core is the engine without the world: a step function, event in and effects out. It reads the store and draws random
// bytes, both given to it, and otherwise touches nothing: no clock, no socket, no goroutine. Whoever drives it decides
// what happens when, so a simulation that repeats the events repeats everything.
//
// What is to be stored gathers in one batch. While one is being flushed the next gathers, so that a flush is shared by all
// that came meanwhile; what must only happen once it is durable – an ACK, a push, an answer to Send – waits in after.
type core struct {
	now time.Time // the plain clock, for waiting and measuring
	// correction is what the clock is to be put forward by to agree with the others. clock.go.
	correction time.Duration

	self   link.Self
	handle string
	keys   *identity.Keyring
	store  Store
	log    *slog.Logger
	tally  *tally
	draw   func([]byte) // fills with random bytes
	listen []string     // bound addresses, for invites

	rounds map[Tag]*round
	order  []*round // the same, in the order they came
	peers  map[linkID]*peer
	going  map[Tag]bool // rounds that are being forgotten

	marks marks // what this person has decided about others

	writes     []func(store.Tx) error // of the next batch
	gathered   int                    // bytes of blocks in writes
	after      []func(error)          // once it is durable, or has failed
	flying     []func(error)          // of the batch being flushed
	committing bool
	broken     error // the store takes nothing any more
	wake       time.Time
	retireNext time.Time // this device does not retire before
	retireWait time.Duration
	hearsay    time.Time // when an address that is only hearsay was last dialled
	effects    []effect

	previewOver, maxHeld int // as the constants; simulations set them lower
}

func newCore(keys *identity.Keyring, st Store, handle string, log *slog.Logger, draw func([]byte)) *core {
	return &core{
		self: link.Self{Key: keys.Device, Credential: keys.Credential, Verifier: &identity.Verifier{}},
		keys: keys, store: st, handle: handle, log: log, tally: newTally(log), draw: draw,
		rounds: map[Tag]*round{}, peers: map[linkID]*peer{}, previewOver: previewOver, maxHeld: maxHeld, going: map[Tag]bool{},
		marks: newMarks(),
	}
}

// linkID numbers the links of one run.
type linkID uint64

// event is something that the core is told.
type event interface{ apply(*core) }

type (
	// linkUp: a handshake is through.
	linkUp struct {
		link    linkID
		tag     Tag
		self    Device // what this side was when it was made
		cred    *identity.Credential
		address string
		dialled bool
	}
	// linkDown: a link has ended, for reason if that is a fault of the far end. err is nil when that said goodbye.
	linkDown struct {
		link   linkID
		reason link.Reason
		err    error
	}
	// received: a message has come. blocks are those in it, parsed and their signatures verified.
	received struct {
		link   linkID
		msg    link.Message
		blocks []*chain.Block
	}
	// written: that many bytes of what was sent have left.
	written struct {
		link  linkID
		bytes int
	}
	// dialFailed: no link came of a dial.
	dialFailed struct {
		tag     Tag
		address string
		err     error
	}
	// committed: the batch is durable, or err says why not.
	committed struct{ err error }
	// tick: the time that was asked for has come.
	tick struct{}
	// deaf: for so long this device has taken nothing in, because its front or its disk was behind.
	deaf struct{ lasted time.Duration }
	// call: somebody wants something of the core.
	call func(*core)
)

// effect is something that the core wants done.
type effect interface{ effect() }

type (
	// sendTo: messages for a link, in order.
	sendTo struct {
		link linkID
		msgs []link.Message
	}
	// hangUp: the end of a link, after what was sent before.
	hangUp struct {
		link   linkID
		reason link.Reason
	}
	// dial: a link to be made; linkUp or dialFailed answers. Of a probe no link comes; probed answers.
	dial struct {
		round   *link.Round
		address string
		want    Fingerprint
		probe   bool
	}
	// commit: a batch to be written and flushed; committed answers.
	commit struct {
		writes []func(store.Tx) error
	}
	// accept: as whom links are made from now on, and the rounds that a listener takes them of.
	accept struct {
		self   link.Self
		rounds []*link.Round
	}
	// emit: an event for the front.
	emit struct{ Event }
)

func (sendTo) effect() {}
func (hangUp) effect() {}
func (dial) effect()   {}
func (commit) effect() {}
func (accept) effect() {}
func (emit) effect()   {}

// apply is what the goroutine of the disk does: all of the batch in one transaction.
func (b commit) apply(tx store.Tx) error {
	for _, w := range b.writes {
		if err := w(tx); err != nil {
			return err
		}
	}
	return nil
}

// step applies one event at a time and returns what is to be done, in order.
func (c *core) step(now time.Time, ev event) []effect {
	c.effects = nil
	c.advance(now)
	ev.apply(c)
	c.retireSpent()
	for _, r := range c.order {
		r.settle()
	}
	if !c.committing && len(c.writes) > 0 && c.broken == nil {
		// First, though nothing in this step depends on it: the scheduler runs what was woken last, and the front and the
		// links are not to wait until the disk has been started.
		c.effects = append([]effect{commit{writes: c.writes}}, c.effects...)
		c.writes, c.flying, c.after, c.committing, c.gathered = nil, c.after, nil, true, 0
	}
	return c.effects
}

func (c *core) do(e effect)  { c.effects = append(c.effects, e) }
func (c *core) tell(e Event) { c.do(emit{e}) }

// write adds to the next batch; done, if there is one, is called when it is durable, or with the reason why it is not.
func (c *core) write(w func(store.Tx) error, done func(error)) {
	if c.broken != nil {
		if done != nil {
			done(c.broken)
		}
		return
	}
	c.writes = append(c.writes, w)
	if done != nil {
		c.after = append(c.after, done)
	}
}

// flushTo writes the batch that has gathered and waits for it. It is for when nothing runs yet.
func (c *core) flushTo(st Store) error {
	batch := commit{writes: c.writes}
	c.writes, c.flying, c.after, c.gathered = nil, c.after, nil, 0
	committed{st.Write(batch.apply)}.apply(c)
	return c.broken
}

// settled calls f once all that has been written so far is durable, or has failed.
func (c *core) settled(f func()) {
	if c.broken != nil || !c.committing && len(c.writes) == 0 {
		f()
		return
	}
	c.write(func(store.Tx) error { return nil }, func(error) { f() })
}

// behind reports whether as much waits for the disk as may.
func (c *core) behind() bool { return len(c.writes) > backlogWrites || c.gathered > backlogBytes }

// wakeAt asks for a tick not later than t.
func (c *core) wakeAt(t time.Time) {
	if c.wake.IsZero() || t.Before(c.wake) {
		c.wake = t
	}
}

func (f call) apply(c *core) { f(c) }

func (e committed) apply(c *core) {
	done := c.flying
	c.flying, c.committing = nil, false
	if e.err != nil {
		// What was not flushed is not tried again: what is on the disk now is not known.
		c.broken = e.err
		done, c.after, c.writes = append(done, c.after...), nil, nil
		c.tell(ErrorEvent{Err: e.err})
	}
	for _, d := range done {
		d(e.err)
	}
}

func (tick) apply(c *core) {
	c.wake = time.Time{}
	c.recheckHeld()
	for _, r := range c.order {
		r.rotate()
		r.dialDue()
		r.lateFetches()
		for _, p := range r.peers {
			p.tick()
		}
	}
}

func (c *core) accepts() {
	rounds := make([]*link.Round, 0, len(c.rounds))
	for _, r := range c.order {
		rounds = append(rounds, r.link)
	}
	c.do(accept{c.self, rounds})
}

// ordered ranges over a map in the order of its keys, so that the same events always have the same effects. What is added
// meanwhile is not seen.
func ordered[K comparable, V any](m map[K]V, compare func(a, b K) int) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.SortedFunc(maps.Keys(m), compare) {
			if v, ok := m[k]; ok && !yield(k, v) {
				return
			}
		}
	}
}

func compareDevices(a, b Device) int { return bytes.Compare(a[:], b[:]) }
