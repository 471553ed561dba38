// Package enginetest is the world around an engine, made up: networks with weather, disks and clocks for simulations, and
// homes with a long history for measurements.
//
// A [World] drives many engines at once, from one goroutine. It is the other side of the engine's step function: what an
// engine asks for it asks of its [Node], and the world tells it, through the interface [Engine], what comes of it. Nothing
// happens by itself: each call of [World.Happen] does one thing, drawn by lot from all that could happen now, and the clock
// moves only when nothing can. So one seed is one course of events, to the byte; [World.Trace] sees it pass.
//
//	world.go     what happens next, and the clock
//	lane.go      things that happen in order
//	node.go      one device: its links, its disk, its clock
//	weather.go   delay, loss, walls, silence
//	liar.go      a member who sends what no engine would
//	figures.go   how a message spread, as a table and as a picture
//	history.go   homes that were long in use; member.go: who joins
//
// A link is a stream that keeps its order, since the engine speaks over nothing else: a lost packet delays what comes after
// it, and losing more breaks the link. What is made up is everything below the messages of a link: the handshake either
// succeeds or does not, nothing is encrypted, and the goroutines of the engine's driver are not there.
//
// The keys in this package are published, so only tests and measurements may import it.
package enginetest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// World is some nodes, the network between them, and the time. Make one with [NewWorld]. One goroutine uses it.
type World struct {
	Rand    *rand.Rand        // whatever a simulation draws, it draws here
	Weather Weather           // of all links; what is under way keeps the weather it left in
	Trace   func(line string) // is told what happens, if it is set

	began   time.Time
	now     time.Time
	nodes   []*Node // that can be dialled and have a clock
	ready   []*lane // something can happen there now
	later   laneHeap
	lanes   uint64
	links   LinkID
	walls   map[way]bool
	silence map[way]bool
	rested  int // how much has happened since the clock last moved
}

// NewWorld returns a world without nodes, on the first of January 2026.
func NewWorld(seed uint64) *World {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &World{
		Rand: rand.New(rand.NewPCG(seed, 1)), began: began, now: began, walls: map[way]bool{}, silence: map[way]bool{},
	}
}

// Now is the right time.
func (w *World) Now() time.Time { return w.now }

// Leap puts the clock on without anything happening meanwhile: everybody was asleep.
func (w *World) Leap(d time.Duration) {
	w.now = w.now.Add(d)
	w.ripen()
}

// Note adds a line to the trace.
func (w *World) Note(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(fmt.Sprintf("%12v ", w.now.Sub(w.began)) + fmt.Sprintf(format, args...))
	}
}

// maxAtOnce is how much may happen in one instant, and maxEach how much more for each two engines. Past it they talk in circles.
const (
	maxAtOnce = 2_000_000
	maxEach   = 20
)

// Happen does one of the things that can happen at this moment, drawn by lot. It reports false if there are none.
func (w *World) Happen() bool {
	if len(w.ready) == 0 {
		return false
	}
	if w.rested++; w.rested > maxAtOnce+maxEach*len(w.nodes)*len(w.nodes) {
		panic("enginetest: the engines never come to rest")
	}
	w.ready[w.Rand.IntN(len(w.ready))].next()
	return true
}

// Tick moves the clock to the next thing that is due, if that is before end, and reports whether it was. If that is what an
// engine waits for, it is told; otherwise something can happen now.
func (w *World) Tick(end time.Time) bool {
	var next *Node
	var wake time.Time
	for _, n := range w.nodes {
		if at, ok := n.wake(); ok && (next == nil || at.Before(wake)) {
			next, wake = n, at
		}
	}
	if len(w.later) > 0 && (next == nil || !w.later[0].due().After(wake)) {
		next, wake = nil, w.later[0].due()
	} else if next == nil {
		return false
	}
	if wake.After(end) {
		return false
	}
	w.moveTo(wake)
	if next != nil {
		w.Note("%d wakes", next.N)
		next.engine.Tick()
	}
	return true
}

func (w *World) moveTo(at time.Time) {
	if at.After(w.now) {
		w.now, w.rested = at, 0
	}
	w.ripen()
}

// Step does one thing: what can happen now, or else the next that is due before end. It reports false if there is neither.
func (w *World) Step(end time.Time) bool { return w.Happen() || w.Tick(end) }

// Settle lets everything happen that can, and the clock go on, until so much time has passed.
func (w *World) Settle(d time.Duration) {
	end := w.now.Add(d)
	for w.Step(end) {
	}
	w.moveTo(end)
}
