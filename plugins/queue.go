package plugins

import (
	"sync"

	"opentalk/plugins/hook"
)

// queue holds the events of one extension until it has taken those before. Put never waits. One goroutine delivers, as long
// as there is something to deliver.
type queue struct {
	deliver func(told)

	mu     sync.Mutex
	events []told
	missed int // since the last event that was put
	busy   bool
	closed bool
	idle   sync.Cond // nothing is being delivered
}

// told is an event with what set it off, and how many were lost before it.
type told struct {
	event  hook.Event
	cause  cause
	missed int
}

func newQueue(deliver func(told)) *queue {
	q := &queue{deliver: deliver}
	q.idle.L = &q.mu
	return q
}

// put adds an event, or counts it as missed when maxQueue wait.
func (q *queue) put(event hook.Event, why cause) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if len(q.events) >= maxQueue {
		q.missed++
		return
	}
	q.events = append(q.events, told{event, why, q.missed})
	q.missed = 0
	if !q.busy {
		q.busy = true
		go q.work()
	}
}

func (q *queue) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.events) > 0 {
		next := q.events[0]
		q.events = q.events[1:]
		q.mu.Unlock()
		q.deliver(next)
		q.mu.Lock()
	}
	q.busy = false
	q.idle.Broadcast()
}

// close throws away what waits. Nothing is delivered after what is being delivered now.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.events = true, nil
}

// wait returns when everything that was put is delivered.
func (q *queue) wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.busy {
		q.idle.Wait()
	}
}
