package enginetest

import (
	"container/heap"
	"time"
)

// lane is a row of things that happen in order, each not before it is due: one direction of a link, or what a node's disk or
// the machine under it has to tell.
type lane struct {
	world  *World
	number uint64
	way    way // of a link's lane: nothing passes while that way is silent
	link   bool
	queue  []item
	last   time.Time // when what was last put here is due: nothing overtakes it
	wait   waiting
	at     int // there
}

type item struct {
	due time.Time
	do  func()
}

// waiting is where a lane waits.
type waiting int

const (
	nowhere waiting = iota // there is nothing in it, or the way is silent
	inReady
	inLater
)

func (w *World) newLane() *lane {
	w.lanes++
	return &lane{world: w, number: w.lanes}
}

func (l *lane) due() time.Time { return l.queue[0].due }

// put adds what is to happen at due, or after what is there already.
func (l *lane) put(due time.Time, do func()) {
	if due.Before(l.last) {
		due = l.last
	}
	l.last = due
	l.queue = append(l.queue, item{due, do})
	if len(l.queue) == 1 {
		l.settle()
	}
}

// next does the first thing.
func (l *lane) next() {
	do := l.queue[0].do
	l.queue[0] = item{}
	l.queue = l.queue[1:]
	l.settle()
	do()
}

// cut drops all but the first n things.
func (l *lane) cut(n int) {
	if n < len(l.queue) {
		l.queue = l.queue[:n:n]
		l.settle()
	}
}

// settle puts the lane where it belongs now.
func (l *lane) settle() {
	w, want := l.world, nowhere
	switch {
	case len(l.queue) == 0 || l.link && w.silence[l.way]:
	case l.due().After(w.now):
		want = inLater
	default:
		want = inReady
	}
	if want == inLater && l.wait == inLater {
		heap.Fix(&w.later, l.at)
	}
	if want == l.wait {
		return
	}
	switch l.wait {
	case inReady:
		end := len(w.ready) - 1
		w.ready[l.at] = w.ready[end]
		w.ready[l.at].at = l.at
		w.ready = w.ready[:end]
	case inLater:
		heap.Remove(&w.later, l.at)
	}
	switch l.wait = want; want {
	case inReady:
		l.at = len(w.ready)
		w.ready = append(w.ready, l)
	case inLater:
		heap.Push(&w.later, l)
	}
}

// ripen makes ready what has become due.
func (w *World) ripen() {
	for len(w.later) > 0 && !w.later[0].due().After(w.now) {
		w.later[0].settle()
	}
}

// laneHeap has the lane whose first thing is due first at its top.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }
func (h laneHeap) Less(i, j int) bool {
	if c := h[i].due().Compare(h[j].due()); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *laneHeap) Push(l any) {
	l.(*lane).at = len(*h)
	*h = append(*h, l.(*lane))
}
func (h *laneHeap) Pop() any {
	end := len(*h) - 1
	l := (*h)[end]
	(*h)[end] = nil
	*h = (*h)[:end]
	return l
}
