package enginetest

import "time"

// Weather is how the network is. The zero value is a network without delay, in which only the lot decides what comes first.
type Weather struct {
	Delay  time.Duration // of everything, one way
	Jitter time.Duration // at most this on top, drawn for each message
	Loss   float64       // how many of the messages are lost and sent again, each Resend later
	Breaks float64       // how many of the messages their link breaks at: they and what was to follow are lost
	Flush  time.Duration // a write takes on a disk
	Drop   bool          // walls drop what they do not let through, where otherwise they refuse it
}

// Resend is how much later than the first a lost message is sent again.
const Resend = 300 * time.Millisecond

// dialTime is how long a dial waits that nobody answers.
const dialTime = 10 * time.Second

// way is from one node to another.
type way struct{ from, to int }

// Wall keeps a node from dialling another, or lets it again. Links that there are stay.
func (w *World) Wall(from, to *Node, up bool) { w.walls[way{from.N, to.N}] = up }

// Part keeps two nodes from dialling each other from now on, and breaks the links between them.
func (w *World) Part(a, b *Node) {
	w.Wall(a, b, true)
	w.Wall(b, a, true)
	for _, e := range a.ends {
		if e.far.node == b {
			e.snap()
		}
	}
}

// Walled reports whether a wall keeps a node from dialling another.
func (w *World) Walled(from, to *Node) bool { return w.walls[way{from.N, to.N}] }

// Silence keeps everything that a node sends from reaching another, or lets it through again, and what was under way with
// it. Neither is told: it is a partition in one direction.
func (w *World) Silence(from, to *Node, on bool) {
	w.silence[way{from.N, to.N}] = on
	for _, e := range to.ends {
		if e.far.node == from {
			e.in.settle()
		}
	}
}

// Clear takes down all walls and ends all silence.
func (w *World) Clear() {
	clear(w.walls)
	clear(w.silence)
	for _, n := range w.nodes {
		for _, e := range n.ends {
			e.in.settle()
		}
	}
}

// delay draws how long a message takes, and whether its link breaks instead.
func (w *World) delay() (d time.Duration, breaks bool) {
	d = w.Weather.Delay
	if w.Weather.Jitter > 0 {
		d += time.Duration(w.Rand.Int64N(int64(w.Weather.Jitter)))
	}
	for w.Weather.Loss > 0 && w.Rand.Float64() < w.Weather.Loss {
		d += Resend
	}
	return d, w.Weather.Breaks > 0 && w.Rand.Float64() < w.Weather.Breaks
}
