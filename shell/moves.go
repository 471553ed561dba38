package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

const (
	movesWait  = time.Second // coming and going within it is told together
	movesNamed = 10          // people that are named then
)

// moves gathers who has joined a round, has left, or has a new name, so that many of them are one line of a screen.
type moves struct {
	rows  map[row]*move
	who   map[engine.Fingerprint]bool // in rows
	later later
	tell  func(r row, m *move)
}

// row is what is told in one line.
type row struct {
	change engine.Change
	live   bool // not while one was away
}

// move is how many did it, and the first of them.
type move struct {
	n     int
	names []term.Text
}

func newMoves(in later, tell func(row, *move)) *moves {
	return &moves{rows: map[row]*move{}, who: map[engine.Fingerprint]bool{}, later: in, tell: tell}
}

func (ms *moves) add(r row, who engine.Fingerprint, name term.Text) {
	if len(ms.rows) == 0 {
		ms.later(movesWait, ms.flush)
	}
	m := ms.rows[r]
	if m == nil {
		m = &move{}
		ms.rows[r] = m
	}
	m.n++
	if len(m.names) < movesNamed {
		m.names = append(m.names, name)
		ms.who[who] = true
	}
}

// before tells at once what has gathered if it is about somebody of whom something else is told next.
func (ms *moves) before(who engine.Fingerprint) {
	if ms.who[who] {
		ms.flush()
	}
}

// flush tells what has gathered.
func (ms *moves) flush() {
	for _, live := range []bool{false, true} {
		for _, change := range []engine.Change{engine.Joined, engine.Left, engine.Renamed} {
			if m := ms.rows[row{change, live}]; m != nil {
				ms.tell(row{change, live}, m)
			}
		}
	}
	clear(ms.rows)
	clear(ms.who)
}

// text is the line: "bob joined", "3 joined: bob, carol, dave".
func (m *move) text(r row) term.Text {
	what := map[engine.Change]term.Text{
		engine.Joined: term.Literal("joined"), engine.Left: term.Literal("left"), engine.Renamed: term.Literal("have new names"),
	}[r.change]
	away := term.Text{}
	if !r.live {
		away = term.Literal(" while you were away")
	}
	names := term.Join(m.names, term.Literal(", "))
	switch {
	case m.n == 1 && r.change == engine.Renamed:
		return term.Concat(names, away)
	case m.n == 1:
		return term.Sprintf("%s %s%s", names, what, away)
	case m.n > len(m.names):
		names = term.Sprintf("%s and %d more", names, m.n-len(m.names))
	}
	return term.Sprintf("%d %s%s: %s", m.n, what, away, names)
}
