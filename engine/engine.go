// Package engine is one person's side of every round: it keeps the chains, talks to the other members, and waits for them
// when nobody is there.
//
// This is the map. The floors below do one thing each and know nothing of each other:
//
//	identity   keys, credentials, the secrets file
//	chain      the format of blocks, which are admitted, their order    CHAIN.md
//	seal       encryption of what blocks say
//	link       the encrypted channel between two devices                LINK.md
//	store      what is on disk
//	socket     TCP and Unix sockets
//
// Here they come together, in two halves. The core (core.go) is a step function: one event in, effects out. All state of
// rounds, peers and outboxes is its own. Around it the driver (run.go, wire.go) is one goroutine that turns sockets, the
// disk and the clock into events, and effects into what happens.
//
//	salvage.go    what is saved of a damaged store; wreckage.go: what was found in it
//	begin.go      how a round begins: founded, joined, restored
//	round.go      a round: admission, and what is durable
//	peer.go       a link, from READY to goodbye
//	sync.go       how two devices come to hold the same blocks
//	catchup.go    asking for history, and its preview
//	serve.go      history for others
//	fetch.go      blocks asked for by id
//	outbox.go     what is said: drafts, signing; delivery.go: who holds it
//	clock.go      whose clock to go by
//	held.go       blocks of a clock that is ahead
//	forks.go      devices that write two histories
//	retire.go     a device gives way to a new one of the same person
//	dialling.go   addresses, back-off, joining; record.go: where members say they are
//	mesh.go       few links in large rounds; prune.go: who brings whom what
//	people.go     members and their names
//	announce.go   new names and topics; changes.go: what those and leave blocks change
//	depart.go     leaving a round, and coming back to it
//	connect.go    dialling on demand; doctor.go: finding out why somebody cannot be reached; reach.go: by whom this device is
//	marks.go      whom this person has verified, and whom they ignore
//	tally.go      what this run has seen, counted
//	view.go       blocks as the front shows them; archive.go: those on disk, read beside the core; search.go
//
// The front uses [Engine] and drains its events. The engine knows nothing of screens, scripts or plugins.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"opentalk/engine/link"
	"opentalk/engine/socket"
)

// Config is what an engine is opened with.
type Config struct {
	Dir        string                 // for secrets and rounds.db; made, for its owner alone, if missing
	Handle     string                 // for the first start; later it replaces what is kept, for rounds to come, unless empty
	Listen     []string               // "host:port", "unix:PATH", or "none"; if empty port 7654, or the next free one
	Proxy      string                 // "socks5://[user:pass@]host:port" for what is dialled over TCP; empty: none
	Passphrase func() ([]byte, error) // asked when the secrets file is sealed; nil: that is an error
	Tries      int                    // how often it is asked; 0: once
	Progress   func(what string)      // told when something slow begins; may be nil
	Log        *slog.Logger           // may be nil
	Network    socket.Network         // nil: the system's
	// OnPanic is deferred on every goroutine of the engine, so that whoever holds a terminal can recover, give it back, and
	// panic again. It may be nil.
	OnPanic func()
}

// Engine is one person's side of every round. Its methods are safe from any goroutine.
type Engine struct {
	home
	core     *core
	log      *slog.Logger
	network  socket.Network
	onPanic  func()
	replay   *link.Replay
	guard    *link.Guard
	accepted atomic.Pointer[accept] // as whom, and of which rounds, links are made

	events  *queue
	calls   chan call
	sayings sayings
	inbox   chan event // from links; read only while the front keeps up
	disk    chan commit
	synced  chan committed

	ctx      context.Context // ends when Close begins
	cancel   context.CancelFunc
	work     sync.WaitGroup // dials, handshakes, links
	stopped  chan struct{}  // run has ended
	closing  sync.Once
	closeErr error
	wires    map[linkID]*wire // run's
	nextLink atomic.Uint64
}

// Open opens a home and goes online with every round in it. The errors wrap those of this package.
func Open(cfg Config) (*Engine, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Network == nil && cfg.Proxy != "" {
		through, err := socket.Through(cfg.Proxy)
		if err != nil {
			return nil, err
		}
		cfg.Network = through
	}
	if cfg.Network == nil {
		cfg.Network = &socket.System{}
	}
	if cfg.Passphrase == nil {
		cfg.Passphrase = func() ([]byte, error) { return nil, ErrPassphrase }
	}
	if cfg.OnPanic == nil {
		cfg.OnPanic = func() {}
	}
	h, err := openHome(&cfg)
	if err != nil {
		return nil, err
	}
	e := newEngine(h, cfg)
	err = e.restore()
	if errors.Is(err, ErrStoreDamaged) && h.rescue == "" {
		if err = h.replaceStore(&cfg, err); err == nil {
			e = newEngine(h, cfg)
			err = e.restore()
		}
	}
	var listeners []net.Listener
	if err == nil {
		listeners, err = e.listen(cfg.Listen)
	}
	if err != nil {
		h.closeStore()
		return nil, err
	}
	go e.run()
	go e.events.pump(e.onPanic)
	go e.flush()
	for _, l := range listeners {
		e.spawn(func() { e.accept(l) })
	}
	return e, nil
}

// spawn runs f on a goroutine that Close waits for.
func (e *Engine) spawn(f func()) {
	e.work.Go(func() {
		defer e.onPanic()
		f()
	})
}

func newEngine(h home, cfg Config) *Engine {
	e := &Engine{
		home: h, log: cfg.Log, network: cfg.Network, onPanic: cfg.OnPanic,
		replay: &link.Replay{}, guard: link.NewGuard(time.Now),
		events: newQueue(), calls: make(chan call), sayings: sayings{more: make(chan struct{}, 1)}, inbox: make(chan event, inboxSize),
		disk: make(chan commit, 1), synced: make(chan committed, 1),
		stopped: make(chan struct{}), wires: map[linkID]*wire{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.core = newCore(h.keys, h.store, h.handle, cfg.Log, func(b []byte) { rand.Read(b) })
	e.core.now = time.Now()
	e.accepted.Store(&accept{self: e.core.self})
	return e
}

// restore brings back every round of the keyring.
func (e *Engine) restore() error {
	if err := e.core.finishLeaving(); err != nil {
		return err
	}
	for i := range e.keys.Rounds {
		if err := e.core.restore(&e.keys.Rounds[i]); err != nil {
			return err
		}
	}
	if len(e.core.writes) > 0 { // a round begins anew
		if err := e.core.flushTo(e.home.store); err != nil {
			return err
		}
	}
	if e.rescue != "" {
		e.events.put(NoticeEvent{Text: e.rescue})
	}
	return nil
}

// CheckProxy reports why [Config].Proxy cannot be this.
func CheckProxy(address string) error {
	_, err := socket.Through(address)
	return err
}

// CheckListen reports why an address of [Config].Listen cannot be this.
func CheckListen(address string) error { return socket.CheckListen(address) }

// Events gives everything that happens, in order. One reader must drain it; while it does not, peers wait. It is closed
// by Close.
func (e *Engine) Events() <-chan Event { return e.events.out }

// do runs f in the core.
func (e *Engine) do(f func(*core)) error {
	done := make(chan struct{})
	select {
	case e.calls <- func(c *core) { f(c); close(done) }:
		<-done
		return nil
	case <-e.ctx.Done():
		return ErrClosed
	}
}

// in runs f in the core on a round.
func (e *Engine) in(tag Tag, f func(*round)) error {
	err := ErrNoRound
	if e2 := e.do(func(c *core) {
		if r := c.rounds[tag]; r != nil && r.chain != nil {
			err = nil
			f(r)
		}
	}); e2 != nil {
		return e2
	}
	return err
}

// answer is what the core gives later.
type answer[T any] struct {
	value T
	err   error
}

// wait waits for an answer, for ctx, or for the end of the engine.
func wait[T any](ctx context.Context, e *Engine, ch <-chan answer[T]) (T, error) {
	select {
	case a := <-ch:
		return a.value, a.err
	default:
	}
	var zero T
	select {
	case a := <-ch:
		return a.value, a.err
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-e.stopped:
		return zero, ErrClosed
	}
}

// Self tells who runs this engine.
func (e *Engine) Self() Self {
	cred := e.accepted.Load().self.Credential
	return Self{
		Handle: e.handle, Fingerprint: cred.Fingerprint(), Device: cred.Device(),
		Listen: append([]string(nil), e.core.listen...),
	}
}

// New begins a round. It returns when that is durable. The name is one that [chain.CheckName] allows.
func (e *Engine) New(name string) (Round, error) {
	ch := make(chan answer[Round], 1)
	err := e.do(func(c *core) { c.found(name, func(r Round, err error) { ch <- answer[Round]{r, err} }) })
	if err != nil {
		return Round{}, err
	}
	return wait(context.Background(), e, ch)
}

// Join enters the round of an invite. It returns once a member holds this device's first block, when every address has
// failed ([UnreachableError]), or when ctx ends, 30 seconds at the most.
func (e *Engine) Join(ctx context.Context, inv Invite) (Round, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	ch := make(chan answer[Round], 1)
	err := e.do(func(c *core) { c.joinRound(inv, func(r Round, err error) { ch <- answer[Round]{r, err} }) })
	if err != nil {
		return Round{}, err
	}
	if round, err := wait(ctx, e, ch); ctx.Err() == nil || err == nil {
		return round, err
	}
	if err = fmt.Errorf("joining: %w", ErrTimeout); errors.Is(ctx.Err(), context.Canceled) {
		err = context.Canceled
	}
	if e2 := e.do(func(c *core) {
		if r := c.rounds[inv.Tag()]; r != nil {
			r.giveUp(err)
		}
	}); e2 != nil {
		return Round{}, e2
	}
	return wait(context.Background(), e, ch)
}

// Invite makes an invite to a round, by way of this device.
func (e *Engine) Invite(tag Tag) (inv Invite, err error) {
	err = e.in(tag, func(r *round) {
		addrs := socket.Reachable(r.c.listen)
		inv = Invite{Want: e.keys.Credential.Fingerprint(), Addresses: addrs[:min(len(addrs), maxInvite)], id: r.id}
	})
	return inv, err
}

// Send says something in a round: 1 byte to 8 KiB of UTF-8. It returns when the message is durable: signed if somebody is
// online, otherwise in the outbox, from where it goes when somebody comes. [SentEvent] tells which.
func (e *Engine) Send(tag Tag, text string, form Form, auto bool) (MessageID, error) {
	ch := make(chan answer[MessageID], 1)
	err := e.in(tag, func(r *round) {
		r.say(text, form, auto, func(id MessageID, err error) { ch <- answer[MessageID]{id, err} })
	})
	if err != nil {
		return MessageID{}, err
	}
	return wait(context.Background(), e, ch)
}

// Say is Send for who has more to say: it does not wait. The message has its place behind those that were said before, and
// what is said meanwhile is made durable together. A [SaidEvent] with the number that is given here tells what Send would
// return, unless the engine closes. How much is under way is for the caller to bound.
func (e *Engine) Say(tag Tag, text string, form Form, auto bool, number uint64) {
	e.sayings.put(func(c *core) {
		told := func(id MessageID, err error) { c.tell(SaidEvent{Number: number, ID: id, Err: err}) }
		if r := c.rounds[tag]; r != nil && r.chain != nil {
			r.say(text, form, auto, told)
		} else {
			told(MessageID{}, ErrNoRound)
		}
	})
}

// Close says goodbye to every peer, waits for the disk, and ends every goroutine. Whatever is asked of the engine later
// gets [ErrClosed]. Closing twice does nothing more.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		e.cancel()
		<-e.stopped
		e.work.Wait()
		e.core.tally.tell()
		e.events.close()
		e.closeErr = e.home.store.Close()
	})
	return e.closeErr
}
