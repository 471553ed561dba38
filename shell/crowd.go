package shell

import (
	"cmp"
	"slices"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// What a person may be shown before the screen condenses. Nothing but the screen does: what is stored, sent on, written as
// JSON or found with /history is all there.
const (
	authorRate, authorBurst = 20, 200 // messages a second of one author, and at once: PROTOCOL 9
	crowdRate, crowdBurst   = 40, 400 // of all together
	authorsNamed            = 5       // of those who say more, in one line each
	condenseFirst           = 2 * time.Second
	condenseLast            = time.Minute // between two such lines while it goes on
)

// level is how full a bucket is that a rate empties. The zero value is empty.
type level struct {
	full float64
	at   time.Time
	over bool // it has run over, and has not come down to half since
}

// add puts one in and reports whether there is room. Whoever goes on too fast stays out, for what goes over counts, too:
// half the bucket has to run out before there is room again.
func (l *level) add(rate, burst float64) bool {
	l.drain(rate)
	l.full = min(l.full+1, burst*1.25)
	switch {
	case l.full > burst:
		l.over = true
	case l.full < burst/2:
		l.over = false
	}
	return !l.over
}

func (l *level) drain(rate float64) {
	now := time.Now()
	l.full = max(0, l.full-rate*now.Sub(l.at).Seconds())
	l.at = now
}

// crowd counts what more there is than anybody could read.
type crowd struct {
	authors map[author]*speaker
	all     map[bool]*level // by whether it was said just now
	pause   time.Duration   // until the next count is told; 0: nothing is to be told
	later   later
	tell    func(term.Text)
}

// author is somebody who talks now, or who once did: catching up with what they said takes no room from what they say.
type author struct {
	who  engine.Fingerprint
	live bool
}

type speaker struct {
	level
	name term.Text
	more int // messages that were not shown
}

func newCrowd(in later, tell func(term.Text)) *crowd {
	return &crowd{authors: map[author]*speaker{}, all: map[bool]*level{true: {}, false: {}}, later: in, tell: tell}
}

// room reports whether a message is to be shown, and counts it if not. A mention is only held back by its author's own rate:
// others cannot crowd it out.
func (c *crowd) room(m engine.Message, name term.Text, mention bool) bool {
	a := author{m.From.Fingerprint, m.Live}
	s := c.authors[a]
	if s == nil {
		s = &speaker{}
		c.authors[a] = s
	}
	s.name = name
	own, all := s.add(authorRate, authorBurst), c.all[m.Live].add(crowdRate, crowdBurst)
	if own && (all || mention) {
		return true
	}
	s.more++
	if c.pause == 0 {
		c.pause = condenseFirst
		c.later(c.pause, c.next)
	}
	return false
}

// next tells what has gathered, and goes on, ever more slowly, until nothing gathers.
func (c *crowd) next() {
	if c.flush() == 0 {
		c.pause = 0
		return
	}
	c.pause = min(2*c.pause, condenseLast)
	c.later(c.pause, c.next)
}

// flush tells how much was not shown, and forgets whoever has fallen silent.
func (c *crowd) flush() (told int) {
	var loud []*speaker
	for a, s := range c.authors {
		if s.more > 0 {
			loud = append(loud, s)
		} else if s.drain(authorRate); s.full == 0 {
			delete(c.authors, a)
		}
	}
	slices.SortFunc(loud, func(a, b *speaker) int {
		return cmp.Or(b.more-a.more, cmp.Compare(a.name.String(), b.name.String()))
	})
	rest := 0
	for i, s := range loud {
		if i < authorsNamed {
			c.tell(term.Sprintf("%s: %d more, /history shows them", s.name, s.more))
		} else {
			rest += s.more
		}
		s.more = 0
	}
	if rest > 0 {
		c.tell(term.Sprintf("%s: %d more", count(len(loud)-authorsNamed, "other"), rest))
	}
	return len(loud)
}
