package link

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The search: a few honest sides, an attacker who is the network, and every message that it could give to any of them, in
// every order. It is bounded by the sides that there are; each takes a message once, as in the code.

// side is one honest end of a handshake: what it has, and what it has received.
type side struct {
	who       string // alice, tablet (alice's second device) or bob
	initiator bool
	want      string // whom an initiator wants: alice, bob, mallory or nobody
	taken     int    // messages received
	known     map[string]*term
	received  string // what makes this side's state different from another's
}

func dials(who, want string) side { return side{who: who, initiator: true, want: want} }
func listens(who string) side     { return side{who: who} }

// attacker is what the network is given beside what it carries. Each is an identity of its own, mallory, too.
type attacker struct {
	name   string
	member bool   // it has the round's keys, and knows the other members' credentials
	thief  string // whose device key it has
	breaks bool   // X25519 and ML-KEM hold nothing back: only signatures are left
}

var attackers = []attacker{
	{name: "outsider"},
	{name: "member", member: true},
	{name: "thief", member: true, thief: "alice"},
	{name: "breaker", member: true, breaks: true},
}

// rules are what the sides do: the table, and the checks that they leave out.
type rules struct {
	table     table
	unchecked string // "want" or "self"
}

// world is one moment.
type world struct {
	sides []side
	k     *knowledge
	story []string
}

// search is one scenario against one attacker.
type search struct {
	rules
	attacker
	*terms
	found   map[string][]string // the shortest way to each broken promise
	linked  int                 // most sides that were linked at once
	moments int
}

var identityOf = map[string]string{"alice": "alice", "tablet": "alice", "bob": "bob", "mallory": "mallory"}

func explore(rs rules, a attacker, sides ...side) *search {
	s := &search{rules: rs, attacker: a, terms: &terms{all: map[string]*term{}}, found: map[string][]string{}}
	first := world{k: newKnowledge(a.breaks)}
	first.k.learn(s.given()...)
	for n, sd := range sides {
		sd.known = map[string]*term{
			"magic": s.atom("magic"), "tag": s.atom("tag"), "mac1 key": s.atom("mac1 key"), "round secret": s.atom("round secret"),
		}
		if sd.initiator {
			sd.known["share i"], sd.known["kem key"] = s.make(share, "", s.own("x", n)), s.make(kemKey, "", s.own("k", n))
			sd.known["credential i"], sd.known["device i"] = s.certify(identityOf[sd.who], sd.who), s.atom("device "+sd.who)
			sd.known["want"] = s.atom("fingerprint " + sd.want)
			first.k.learn(s.read(sd.known, "m1"))
		} else {
			sd.known["credential r"], sd.known["device r"] = s.certify(identityOf[sd.who], sd.who), s.atom("device "+sd.who)
		}
		first.sides = append(first.sides, sd)
	}
	s.run(first)
	return s
}

// given is what the attacker knows from the beginning.
func (s *search) given() []*term {
	out := []*term{s.atom("magic"), s.atom("tag"), s.atom("x mallory"), s.atom("k mallory"), s.atom("r mallory"), s.atom("identity mallory"), s.atom("device mallory")}
	for _, who := range []string{"alice", "bob", "mallory", "nobody"} {
		out = append(out, s.atom("fingerprint "+who))
	}
	if s.member {
		out = append(out, s.atom("mac1 key"), s.atom("round secret"), s.certify("alice", "alice"), s.certify("alice", "tablet"), s.certify("bob", "bob"))
	}
	if s.thief != "" {
		out = append(out, s.atom("device "+s.thief))
	}
	return append(out, s.make(share, "", s.atom("x mallory")), s.make(kemKey, "", s.atom("k mallory")))
}

func (s *search) own(what string, n int) *term { return s.atom(fmt.Sprint(what, " ", n)) }

// certify is a credential. Who certifies a device needs only to know of it.
func (s *search) certify(id, device string) *term {
	return s.make(certified, "", s.atom("identity "+id), s.make("public", "", s.atom("device "+device)))
}

func deviceOf(cred *term) *term { return cred.args[1].args[0] }

func (s *search) read(known map[string]*term, name string) *term {
	return read(s.table, s.terms, known, name)
}

// run looks at every moment there can be, the nearest first.
func (s *search) run(first world) {
	seen := map[string]bool{}
	for queue := []world{first}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		s.moments++
		for n := range w.sides {
			for _, m := range s.offers(w, n) {
				next, out, ok := s.take(w, n, m)
				if !ok {
					continue
				}
				if id := next.id(); !seen[id] {
					seen[id] = true
					next.k.learn(out...)
					s.judge(next, n)
					queue = append(queue, next)
				}
			}
		}
	}
}

func (w world) id() string {
	var b strings.Builder
	for _, sd := range w.sides {
		b.WriteString(sd.received + "/")
	}
	return b.String()
}

// offer is what a side may find in the next message: names of the table that are not settled yet.
type offer map[string]*term

// offers are all that the attacker could put into the next message to side n, whether or not it can make that message.
func (s *search) offers(w world, n int) []offer {
	sd := w.sides[n]
	switch sd.next() {
	case "m1":
		return pairs("share i", w.k.of(share), "kem key", w.k.of(kemKey))
	case "m2":
		texts := w.k.of(kemText)
		for _, key := range w.k.of(kemKey) {
			texts = append(texts, s.make(kemText, "", key, s.atom("r mallory")))
		}
		return pairs("share r", w.k.of(share), "kem text", texts)
	case "m3":
		var wants []*term
		for _, who := range []string{"nobody", "alice", "bob", "mallory"} {
			wants = append(wants, s.atom("fingerprint "+who))
		}
		return pairs("credential i", s.credentials(), "want", wants)
	case "m4":
		return pairs("credential r", s.credentials(), "", []*term{nil})
	case "ack":
		return []offer{{}}
	case "nothing":
		return nil
	}
	var out []offer // of records: those seen
	for _, t := range w.k.of(kinds[sealed]) {
		if t.args[0] == s.read(sd.known, sd.far()+" traffic") {
			out = append(out, offer{"record": t})
		}
	}
	return out
}

func (s *search) credentials() (all []*term) {
	for _, c := range [][2]string{{"alice", "alice"}, {"alice", "tablet"}, {"bob", "bob"}, {"mallory", "mallory"}, {"mallory", "alice"}, {"mallory", "bob"}} {
		all = append(all, s.certify(c[0], c[1]))
	}
	return all
}

// of returns the terms of a kind that have been seen.
func (k *knowledge) of(kind string) (all []*term) {
	for t := range k.seen {
		if t.kind == kind {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *term) int { return a.id - b.id })
	return all
}

func pairs(a string, as []*term, b string, bs []*term) (all []offer) {
	for _, x := range as {
		for _, y := range bs {
			o := offer{a: x}
			if b != "" {
				o[b] = y
			}
			all = append(all, o)
		}
	}
	return all
}

// next names the message that a side waits for.
func (sd side) next() string {
	row := []string{"m1", "m3", "ack", "record", "nothing"}
	if sd.initiator {
		row = []string{"m2", "m4", "record", "nothing"}
	}
	return row[sd.taken]
}

func (sd side) linked() bool { return sd.next() == "record" || sd.next() == "nothing" }

// near and far name a side's own role and its peer's.
func (sd side) near() string {
	if sd.initiator {
		return "initiator"
	}
	return "responder"
}

func (sd side) far() string {
	if sd.initiator {
		return "responder"
	}
	return "initiator"
}

func (sd side) credential() *term { return sd.known["credential "+sd.near()[:1]] }

// peer is the credential of who is at the far end, nil before.
func (sd side) peer() *term { return sd.known["credential "+sd.far()[:1]] }

// take gives side n the message in which it would find o, if the attacker can make it and the side accepts it. It returns
// the moment after, and what the side sends.
func (s *search) take(w world, n int, o offer) (world, []*term, bool) {
	sd, name := w.sides[n], w.sides[n].next()
	sd.known = maps.Clone(sd.known)
	maps.Copy(sd.known, o)
	s.settle(&sd, name, n)
	if !s.accepts(w, sd, name) || name != "record" && !w.k.has(s.read(sd.known, name)) {
		return world{}, nil, false
	}
	sd.taken++
	for _, key := range slices.Sorted(maps.Keys(o)) {
		sd.received += fmt.Sprintf("%s %d,", key, o[key].id)
	}
	sd.received += name
	next := world{sides: slices.Clone(w.sides), k: w.k.clone(), story: append(slices.Clip(w.story), fmt.Sprintf("side %d, %s, takes %s", n, sd.who, name))}
	next.sides[n] = sd
	return next, s.answer(sd, name, n), true
}

// settle is what a side works out from a message before it can check it.
func (s *search) settle(sd *side, name string, n int) {
	switch name {
	case "m1":
		sd.known["share r"] = s.make(share, "", s.own("x", n))
		sd.known["kem text"] = s.make(kemText, "", sd.known["kem key"], s.own("r", n))
		sd.known["dh"] = s.agree(sd.known["share i"].args[0], s.own("x", n))
		sd.known["kem"] = s.make(shared, "", sd.known["kem text"])
	case "m2":
		sd.known["dh"] = s.agree(sd.known["share r"].args[0], s.own("x", n))
		sd.known["kem"] = s.make(shared, "", sd.known["kem text"])
		if sd.known["kem text"].args[0] != sd.known["kem key"] {
			sd.known["kem"] = s.make(rejected, "", s.own("k", n), sd.known["kem text"])
		}
	case "m3":
		sd.known["device i"] = deviceOf(sd.known["credential i"])
	case "m4":
		sd.known["device r"] = deviceOf(sd.known["credential r"])
	}
}

// accepts is what a side checks beyond that the message is the one of the table.
func (s *search) accepts(w world, sd side, name string) bool {
	fingerprint := func(cred *term) *term {
		return s.atom("fingerprint" + strings.TrimPrefix(cred.args[0].name, "identity"))
	}
	switch name {
	case "m1": // a device answers a first message once
		return !slices.ContainsFunc(w.sides, func(o side) bool {
			return o.who == sd.who && !o.initiator && o.taken > 0 && s.read(o.known, "m1") == s.read(sd.known, "m1")
		})
	case "m3", "m4":
		wanted := sd.known["want"] == s.atom("fingerprint nobody") || sd.known["want"] == fingerprint(sd.known["credential r"])
		return (wanted || s.unchecked == "want") && (deviceOf(sd.peer()) != deviceOf(sd.credential()) || s.unchecked == "self")
	}
	return true
}

// answer is what a side sends once it has taken a message: a record, too, when that links it.
func (s *search) answer(sd side, name string, n int) (out []*term) {
	if answers := map[string]string{"m1": "m2", "m2": "m3", "m3": "m4", "m4": "ack"}; answers[name] != "" {
		out = append(out, s.read(sd.known, answers[name]))
	}
	if name == "m4" || name == "ack" {
		out = append(out, s.make(kinds[sealed], "", s.read(sd.known, sd.near()+" traffic"), s.own("said by", n)))
	}
	return out
}
