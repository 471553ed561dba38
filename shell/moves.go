package shell

import (
	"slices"
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
	named []named
}

// named is one who did it, and their name before, if they have a new one.
type named struct {
	who       engine.Fingerprint
	name, was term.Text
}

func newMoves(in later, tell func(row, *move)) *moves {
	return &moves{rows: map[row]*move{}, who: map[engine.Fingerprint]bool{}, later: in, tell: tell}
}

// add gathers what somebody did. Who does it again meanwhile is told of once, under the newest name.
func (ms *moves) add(r row, by named) {
	if len(ms.rows) == 0 {
		ms.later(movesWait, ms.flush)
	}
	m := ms.rows[r]
	if m == nil {
		m = &move{}
		ms.rows[r] = m
	}
	if i := slices.IndexFunc(m.named, func(o named) bool { return o.who == by.who }); i >= 0 {
		m.named[i].name = by.name
		return
	}
	m.n++
	if len(m.named) < movesNamed {
		m.named = append(m.named, by)
		ms.who[by.who] = true
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
	all := make([]term.Text, len(m.named))
	for i, by := range m.named {
		if all[i] = by.name; r.change == engine.Renamed {
			all[i] = term.Sprintf("%s is now %s", by.was, by.name)
		}
	}
	names := term.Join(all, term.Literal(", "))
	switch {
	case m.n == 1 && r.change == engine.Renamed:
		return term.Concat(names, away)
	case m.n == 1:
		return term.Sprintf("%s %s%s", names, what, away)
	case m.n > len(m.named):
		names = term.Sprintf("%s and %d more", names, m.n-len(m.named))
	}
	return term.Sprintf("%d %s%s: %s", m.n, what, away, names)
}
