package link

import "strconv"

// Messages as terms, and what an attacker makes of those it has seen: the rules of Dolev and Yao. What is sealed opens only
// with its key, a hash has no other origin, and nobody guesses.

// term is a node that exists once: equal terms are one pointer. Besides the operations of the table there are kinds of
// its own.
type term struct {
	kind string
	name string // of an atom; the label of an operation
	args []*term
	id   int
}

const (
	atom      = "atom"      // a secret, or a constant: see knowledge.public
	share     = "share"     // of the X25519 secret args[0]
	agreed    = "agreed"    // by the X25519 secrets args[0] and args[1], the lesser id first
	kemKey    = "kem key"   // of the ML-KEM secret args[0]
	kemText   = "kem text"  // for kem key args[0], with randomness args[1]
	shared    = "shared"    // what kem text args[0] carries
	rejected  = "rejected"  // what ML-KEM secret args[0] makes of a text that is not for it, args[1]
	certified = "certified" // by identity args[0] for device args[1]
)

// terms makes terms.
type terms struct{ all map[string]*term }

func (ts *terms) make(kind, name string, args ...*term) *term {
	key := []byte(kind + "|" + name)
	for _, a := range args {
		key = strconv.AppendInt(append(key, '|'), int64(a.id), 36)
	}
	if t, ok := ts.all[string(key)]; ok {
		return t
	}
	t := &term{kind: kind, name: name, args: args, id: len(ts.all)}
	ts.all[string(key)] = t
	return t
}

func (ts *terms) atom(name string) *term { return ts.make(atom, name) }

func (ts *terms) agree(a, b *term) *term {
	if a.id > b.id {
		a, b = b, a
	}
	return ts.make(agreed, "", a, b)
}

var kinds = map[operation]string{joined: "joined", hashed: "hashed", extracted: "extracted", expanded: "expanded", macked: "macked", signed: "signed", sealed: "sealed"}

// compute reads a row of the table. All parts have a fixed size, so that joining flattens.
func (ts *terms) compute(r row, parts []*term) *term {
	var flat []*term
	for _, p := range parts {
		if p.kind == kinds[joined] && r.op != hashed {
			flat = append(flat, p.args...)
		} else {
			flat = append(flat, p)
		}
	}
	return ts.make(kinds[r.op], r.label, flat...)
}

// knowledge is what the attacker can make.
type knowledge struct {
	seen   map[*term]bool // closed under taking apart
	cached map[*term]bool
	breaks bool // X25519 and ML-KEM hold nothing back from it
}

func newKnowledge(breaks bool) *knowledge {
	return &knowledge{seen: map[*term]bool{}, cached: map[*term]bool{}, breaks: breaks}
}

func (k *knowledge) clone() *knowledge {
	c := newKnowledge(k.breaks)
	for t := range k.seen {
		c.seen[t] = true
	}
	return c
}

// learn adds what was seen, and whatever opens with it.
func (k *knowledge) learn(seen ...*term) {
	for _, t := range seen {
		k.seen[t] = true
	}
	for grown := true; grown; {
		grown = false
		clear(k.cached)
		for t := range k.seen {
			var inside []*term
			switch {
			case t.kind == kinds[joined]:
				inside = t.args
			case t.kind == kinds[sealed] && k.has(t.args[0]):
				inside = t.args[1:]
			}
			for _, in := range inside {
				if !k.seen[in] {
					k.seen[in], grown = true, true
				}
			}
		}
	}
	clear(k.cached)
}

// has reports whether the attacker has seen t or can make it.
func (k *knowledge) has(t *term) bool {
	if k.seen[t] {
		return true
	}
	if can, ok := k.cached[t]; ok {
		return can
	}
	can := k.makes(t)
	k.cached[t] = can
	return can
}

func (k *knowledge) makes(t *term) bool {
	switch t.kind {
	case atom:
		return false
	case agreed:
		return k.breaks || k.has(t.args[0]) || k.has(t.args[1])
	case shared:
		text := t.args[0]
		return k.breaks || k.has(text.args[0].args[0]) || k.has(text.args[1])
	case rejected:
		return k.breaks || k.has(t.args[0])
	case certified:
		return k.has(t.args[0]) // for any device: its identity asks nobody
	}
	for _, a := range t.args {
		if !k.has(a) {
			return false
		}
	}
	return true
}
