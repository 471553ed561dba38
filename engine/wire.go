package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/socket"
)

// DefaultPort is where an engine listens that is not told where; if it is taken, on one of the next.
const DefaultPort = 7654

const portsTried = 20

// listen opens the listeners. An address that was asked for must be free.
func (e *Engine) listen(addrs []string) (listeners []net.Listener, err error) {
	if len(addrs) == 0 {
		l, err := e.listenAnywhere()
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	for _, addr := range addrs {
		if addr == "none" {
			continue
		}
		l, err := e.network.Listen(addr)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		e.core.listen = append(e.core.listen, socket.Address(l.Addr()))
	}
	return listeners, nil
}

func (e *Engine) listenAnywhere() (l net.Listener, err error) {
	for port := DefaultPort; port < DefaultPort+portsTried; port++ {
		l, err = e.network.Listen(fmt.Sprintf(":%d", port))
		if !errors.Is(err, socket.ErrTaken) {
			return l, err
		}
	}
	return e.network.Listen(":0")
}

// accept takes callers until the engine closes.
func (e *Engine) accept(l net.Listener) {
	stop := context.AfterFunc(e.ctx, func() {
		defer e.onPanic()
		l.Close()
	})
	defer stop()
	cfg := link.AcceptConfig{
		Gate:  link.Gate{Rounds: func() []*link.Round { return e.accepted.Load().rounds }, Replay: e.replay},
		Guard: e.guard,
	}
	for {
		nc, err := l.Accept()
		if err == nil {
			e.spawn(func() { e.answer(nc, cfg) })
			continue
		}
		if e.ctx.Err() != nil {
			return
		}
		e.log.Warn("accepting a connection", "err", err)
		select { // out of descriptors, say: it may pass
		case <-time.After(100 * time.Millisecond):
		case <-e.ctx.Done():
		}
	}
}

// answer talks to a caller, or closes the socket.
func (e *Engine) answer(nc net.Conn, cfg link.AcceptConfig) {
	self := e.accepted.Load().self
	conn, err := link.Accept(e.ctx, nc, self, cfg)
	if err != nil {
		e.core.tally.refused(err)
		return
	}
	e.talk(conn, self, socket.Address(nc.RemoteAddr()))
}

// dial makes a link, or says why there is none.
func (e *Engine) dial(d dial) {
	if d.probe {
		e.post(probed{d.round.Tag(), d.address, e.probe(e.ctx, d.round, d.address)})
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, dialTime)
	defer cancel()
	nc, err := e.network.Dial(ctx, d.address)
	self := e.accepted.Load().self
	var conn *link.Conn
	if err == nil {
		if conn, err = link.Dial(e.ctx, nc, self, d.round, d.want); err == nil {
			e.talk(conn, self, d.address)
			return
		}
	}
	e.log.Info("dialling", "round", d.round.Tag(), "address", d.address, "err", err)
	e.post(dialFailed{d.round.Tag(), d.address, err})
}

// post hands an event of the network to the core. It reports false when the engine closes.
func (e *Engine) post(ev event) bool {
	select {
	case e.inbox <- ev:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// talk reads a link until it ends. Signatures are verified here, so that this happens on all cores and not in the core.
func (e *Engine) talk(conn *link.Conn, self link.Self, address string) {
	w := &wire{id: linkID(e.nextLink.Add(1)), conn: conn, engine: e, more: make(chan struct{}, 1)}
	e.spawn(w.run)
	up := linkUp{
		link: w.id, tag: conn.Tag(), self: self.Key.Device(), cred: conn.Peer(), address: address, dialled: conn.Initiated(),
	}
	known := e.do(func(c *core) {
		e.wires[w.id] = w // calls run on run's goroutine, which owns the map
		up.apply(c)
	})
	if known != nil {
		w.end(link.ReasonDone)
		return
	}
	reason, err := w.hear()
	e.down(w, reason, err)
}

// hear hands what comes to the core, in order, until the link ends. A message of many blocks is verified while the next ones are
// read, so that the network, the signatures and the disk are all busy at once; whatever is short goes the shortest way.
func (w *wire) hear() (link.Reason, error) {
	under := make(chan struct{}, readAhead)
	before := make(chan struct{}) // closed once the core has all that came before
	close(before)
	for {
		msg, err := w.conn.Receive()
		switch m, many := msg.(link.Blocks); {
		case errors.Is(err, link.ErrViolation):
			<-before
			return link.ReasonViolation, err
		case err != nil:
			<-before
			return link.ReasonDone, err
		case many && len(m.Blocks) > 1:
			under <- struct{}{}
			earlier, done := before, make(chan struct{})
			before = done
			w.engine.spawn(func() {
				defer close(done)
				if reason, err := w.handOver(msg, earlier); err != nil {
					w.engine.down(w, reason, err)
				}
				<-under
			})
		default:
			if reason, err := w.handOver(msg, before); err != nil {
				return reason, err
			}
		}
	}
}

// handOver verifies what is in a message, and gives it to the core after those before it.
func (w *wire) handOver(msg link.Message, before <-chan struct{}) (link.Reason, error) {
	blocks, err := blocksIn(msg)
	<-before
	if err != nil {
		return link.ReasonBlock, err
	}
	if !w.engine.post(received{w.id, msg, blocks}) {
		return link.ReasonDone, net.ErrClosed
	}
	return link.ReasonDone, nil
}

// down ends a link, and tells the core.
func (e *Engine) down(w *wire, reason link.Reason, err error) {
	w.end(reason)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	e.post(linkDown{w.id, reason, err})
}

// blocksIn parses the blocks of a message and verifies their signatures, in parallel where there are many. A block of a
// version to come is left out; the error is a [*chain.Fault].
func blocksIn(msg link.Message) ([]*chain.Block, error) {
	var raws [][]byte
	switch m := msg.(type) {
	case link.Genesis:
		raws = [][]byte{m.Block}
	case link.Blocks:
		raws = m.Blocks
	}
	blocks, errs := verifyAll(raws)
	kept := blocks[:0]
	for i, err := range errs {
		switch {
		case err == nil:
			kept = append(kept, blocks[i])
		case !errors.Is(err, chain.ErrVersion):
			return nil, err
		}
	}
	return kept, nil
}

// verifyAll parses blocks and verifies their signatures, on all cores. Of each there is the block or an error.
func verifyAll(raws [][]byte) (blocks []*chain.Block, errs []error) {
	blocks, errs = make([]*chain.Block, len(raws)), make([]error, len(raws))
	if workers := runtime.GOMAXPROCS(0); len(raws) < 2*workers {
		verifySome(raws, blocks, errs, 0, 1)
	} else {
		var wg sync.WaitGroup
		for from := range workers {
			wg.Go(func() { verifySome(raws, blocks, errs, from, workers) })
		}
		wg.Wait()
	}
	return blocks, errs
}

// verifySome is what one core does of verifyAll: the block at from, and every step-th after it.
func verifySome(raws [][]byte, blocks []*chain.Block, errs []error, from, step int) {
	i := from
	defer func() {
		if bug := recover(); bug != nil {
			errs[i] = fmt.Errorf("panic over a block: %v", bug)
		}
	}()
	for ; i < len(raws); i += step {
		if blocks[i], errs[i] = chain.Parse(raws[i]); errs[i] == nil {
			errs[i] = blocks[i].Verify()
		}
	}
}

// wire writes to a link: what is put there leaves in order, as much at a time as has gathered.
type wire struct {
	id     linkID
	conn   *link.Conn
	engine *Engine
	more   chan struct{}

	mu     sync.Mutex
	queue  []link.Message
	ended  bool
	reason link.Reason
}

// put appends to the queue. It never waits: the core keeps the queue within bounds.
func (w *wire) put(msgs []link.Message) {
	w.mu.Lock()
	if !w.ended {
		w.queue = append(w.queue, msgs...)
	}
	w.mu.Unlock()
	signal(w.more)
}

// end closes the link once the queue has left, and within a few seconds in any case.
func (w *wire) end(reason link.Reason) {
	w.mu.Lock()
	if !w.ended {
		w.ended, w.reason = true, reason
		time.AfterFunc(closeTime, func() {
			defer w.engine.onPanic()
			w.conn.Close(reason)
		})
	}
	w.mu.Unlock()
	signal(w.more)
}

func (w *wire) run() {
	n := 0 // what has left and the core has not been told of
	for {
		w.mu.Lock()
		batch, ended := w.queue, w.ended
		w.queue = nil
		w.mu.Unlock()
		switch {
		case len(batch) > 0:
			if err := w.conn.Send(batch...); err != nil {
				w.conn.Close(link.ReasonDone)
				return // Receive fails, too, and says so
			}
			for _, m := range batch {
				n += weight(m)
			}
			if n >= writtenStep {
				w.engine.post(written{w.id, n})
				n = 0
			}
		case ended:
			w.conn.Close(w.reason)
			return
		default:
			<-w.more
		}
	}
}

// weight is about what a message takes on its way out.
func weight(m link.Message) int {
	n := 64
	switch m := m.(type) {
	case link.Blocks:
		for _, b := range m.Blocks {
			n += len(b) + 4
		}
	case link.Genesis:
		n += len(m.Block)
	case link.Frontier:
		n += 76 * len(m.Entries)
	case link.Ack:
		n += 76 * len(m.Entries)
	case link.Want:
		n += 52 * len(m.Ranges)
	case link.Fetch:
		n += 34 * len(m.IDs)
	case link.Announce:
		n += 34 * len(m.IDs)
	case link.Addresses:
		for _, rec := range m.Records {
			n += len(rec) + 3
		}
	case link.Proof:
		n += len(m.A) + len(m.B)
	}
	return n
}
