package engine

import (
	"sync"
	"time"

	"opentalk/engine/link"
)

// run is the one goroutine that owns the core.
func (e *Engine) run() {
	defer close(e.stopped)
	defer e.onPanic()
	for _, r := range e.core.order {
		e.core.tell(RoundEvent{r.info()})
		r.dialDue()
	}
	e.core.accepts()
	e.carryOut(e.core.effects)
	e.step(tick{})
	timer := time.NewTimer(0)
	defer timer.Stop()
	var deaf time.Time // since when links are not read, zero if they are
	for {
		if wake := e.core.wake; wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(0, time.Until(wake)))
		}
		inbox := e.inbox
		switch full := e.events.full() || e.core.behind(); {
		case full: // the front or the disk is behind: peers wait
			inbox = nil
			if deaf.IsZero() {
				deaf = time.Now()
			}
		case !deaf.IsZero():
			e.step(deafSince(&deaf))
			deaf = time.Time{}
		}
		select {
		case f := <-e.calls:
			e.step(f)
		case <-e.sayings.more:
			e.step(e.sayings.take())
		case ev := <-inbox:
			e.step(ev)
		case ev := <-e.synced:
			e.step(ev)
		case <-e.events.eased:
		case <-timer.C:
			if !deaf.IsZero() {
				e.step(deafSince(&deaf))
			}
			e.step(tick{})
		case <-e.ctx.Done():
			e.shutDown()
			return
		}
	}
}

// deafSince tells how long links have not been read, and counts anew.
func deafSince(t *time.Time) deaf {
	since := *t
	*t = time.Now()
	return deaf{t.Sub(since)}
}

func (e *Engine) step(ev event) { e.carryOut(e.core.step(time.Now(), ev)) }

// carryOut does what a step asked for. Nothing here waits.
func (e *Engine) carryOut(effects []effect) {
	for _, ef := range effects {
		switch ef := ef.(type) {
		case sendTo:
			if w := e.wires[ef.link]; w != nil {
				w.put(ef.msgs)
			}
		case hangUp:
			if w := e.wires[ef.link]; w != nil {
				delete(e.wires, ef.link)
				w.end(ef.reason)
			}
		case dial:
			e.spawn(func() { e.dial(ef) })
		case commit:
			e.disk <- ef // one at a time, so there is room
		case accept:
			e.accepted.Store(&ef)
		case emit:
			e.events.put(ef.Event)
		}
	}
}

// flush is the one goroutine that writes to the store.
func (e *Engine) flush() {
	defer e.onPanic()
	for batch := range e.disk {
		e.synced <- committed{e.home.store.Write(batch.apply)}
	}
}

// shutDown says goodbye and waits for the disk.
func (e *Engine) shutDown() {
	for id, w := range e.wires {
		delete(e.wires, id)
		w.end(link.ReasonDone)
	}
	e.step(call(func(c *core) {
		for _, r := range c.order {
			r.saveHolds()
			for _, p := range r.peers {
				r.remember(p)
			}
		}
	}))
	for e.core.committing {
		e.step(<-e.synced)
	}
	close(e.disk)
}

// sayings is what nobody waits for to be said. Whatever has gathered is one step.
type sayings struct {
	more chan struct{}

	mu  sync.Mutex
	all []call
}

func (s *sayings) put(f call) {
	s.mu.Lock()
	s.all = append(s.all, f)
	s.mu.Unlock()
	signal(s.more)
}

func (s *sayings) take() call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return func(c *core) {
		for _, f := range all {
			f(c)
		}
	}
}

// queue carries events to the front without ever making the core wait: straight where there is room, by way of pump where there
// is not.
type queue struct {
	out   chan Event
	eased chan struct{} // gets a token when the queue is no longer full
	more  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	events  []Event // that pump has not taken
	pumping bool    // pump has some, or is to take some: what comes now comes after those
	wasFull bool
}

func newQueue() *queue {
	return &queue{
		out: make(chan Event, eventsAhead), eased: make(chan struct{}, 1), more: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
}

func (q *queue) put(ev Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.pumping {
		select {
		case q.out <- ev:
			return
		default:
		}
	}
	q.events, q.pumping = append(q.events, ev), true
	signal(q.more)
}

// full reports whether the front is behind. If so, eased gets a token once it is not.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wasFull = len(q.events) > backlog
	return q.wasFull
}

// pump hands events over, one after another. After close it hands over what is left, while somebody reads.
func (q *queue) pump(onPanic func()) {
	defer close(q.out)
	defer onPanic()
	for {
		batch := q.take()
		if batch == nil {
			select {
			case <-q.more:
				continue
			case <-q.done:
				return
			}
		}
		for _, ev := range batch {
			select {
			case q.out <- ev:
			case <-q.done:
				return
			}
		}
	}
}

func (q *queue) take() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.events
	q.events, q.pumping = nil, len(batch) > 0
	if q.wasFull {
		q.wasFull = false
		signal(q.eased)
	}
	return batch
}

func (q *queue) close() { close(q.done) }

// signal leaves a token unless there is one.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
