package plugins

import (
	"sync"

	"opentalk/plugins/hook"
)

// queue holds the events of one extension until it has taken those before, and while its process is started again. Put never
// waits. One goroutine delivers, as long as there is something to deliver.
type queue struct {
	deliver func(told) (taken bool) // not if nobody is there to take it
	onPanic func()

	mu     sync.Mutex
	paused bool // nobody is there
	turn   int  // counts how often that has changed
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

func newQueue(deliver func(told) bool, onPanic func()) *queue {
	q := &queue{deliver: deliver, onPanic: onPanic}
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
	q.begin()
}

// begin has what waits delivered, if it can be. q.mu is held.
func (q *queue) begin() {
	if !q.busy && !q.paused && len(q.events) > 0 {
		q.busy = true
		go q.work()
	}
}

func (q *queue) work() {
	defer q.onPanic()
	q.mu.Lock()
	for len(q.events) > 0 && !q.paused {
		next, turn := q.events[0], q.turn
		q.events = q.events[1:]
		q.mu.Unlock()
		taken := q.deliver(next)
		q.mu.Lock()
		if !taken && !q.closed {
			q.events = append([]told{next}, q.events...)
			q.paused = q.paused || q.turn == turn
		}
	}
	q.busy = false
	q.idle.Broadcast()
	q.mu.Unlock()
}

// pause keeps what waits and what is put until resume.
func (q *queue) pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = true
	q.turn++
}

// resume delivers first, and then what waits, but for what was only meant for a process that is gone: its start and its timers.
func (q *queue) resume(first ...hook.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.paused = false
	q.turn++
	events := make([]told, 0, len(first)+len(q.events))
	for _, event := range first {
		events = append(events, told{event: event})
	}
	for _, t := range q.events {
		if kind := t.event.Kind(); kind != hook.KindStart && kind != hook.KindTimer {
			events = append(events, t)
		}
	}
	q.events = events
	q.begin()
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
