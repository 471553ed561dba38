package link

// The promises of LINK 1 and 11, about a side whose peer is not in the attacker's hands.
const (
	misled    = "is linked with a device that does not know it"
	unwanted  = "says who it is to a caller that did not call it"
	overheard = "has traffic keys that the attacker has, too"
	itself    = "is linked with itself"
	foreign   = "takes a record that its peer did not send"
	exposed   = "lets an outsider see who it is, or the round's secret"
)

// judge looks for promises that the moment after side n took a message breaks.
func (s *search) judge(w world, n int) {
	linked := 0
	for m, sd := range w.sides {
		if sd.linked() {
			linked++
			s.judgeKeys(w, m)
		}
	}
	s.linked = max(s.linked, linked)
	if !s.member && (w.k.has(s.atom("round secret")) || w.k.has(s.certify("alice", "alice")) || w.k.has(s.certify("bob", "bob"))) {
		s.broken(exposed, w, n)
	}
	sd := w.sides[n]
	switch {
	case sd.peer() == nil || w.k.has(deviceOf(sd.peer())):
	case sd.next() == "ack":
		s.judgeCaller(w, n)
	case sd.next() == "record":
		s.judgeLink(w, n)
	case sd.next() == "nothing" && !s.breaks:
		s.judgeRecord(w, n)
	}
}

func (s *search) broken(promise string, w world, n int) {
	if s.found[promise] == nil {
		s.found[promise] = append(w.story, "side of "+w.sides[n].who+" "+promise)
	}
}

// peers returns the sides that have the credential which side n was shown, in the other role, and have taken so many messages.
func (w world) peers(n, taken int) (all []int) {
	sd := w.sides[n]
	for m, p := range w.sides {
		if p.initiator != sd.initiator && p.credential() == sd.peer() && p.taken >= taken {
			all = append(all, m)
		}
	}
	return all
}

// judgeCaller: a responder names itself only to whoever called it, or called nobody by name.
func (s *search) judgeCaller(w world, n int) {
	sd := w.sides[n]
	for _, m := range w.peers(n, 1) {
		p := w.sides[m]
		if s.read(p.known, "confirmed") == s.read(sd.known, "confirmed") && (p.want == "nobody" || p.want == identityOf[sd.who]) {
			return
		}
	}
	s.broken(unwanted, w, n)
}

// judgeLink: the far end is in the same link, and knows with whom. An ACK is by the keys alone, so that who has broken those
// can tell a responder that it is linked when its peer is not yet.
func (s *search) judgeLink(w world, n int) {
	sd := w.sides[n]
	switch {
	case deviceOf(sd.peer()) == deviceOf(sd.credential()):
		s.broken(itself, w, n)
		return
	case s.breaks && !sd.initiator:
		return
	}
	for _, m := range w.peers(n, 2) {
		if p := w.sides[m]; p.peer() == sd.credential() && s.read(p.known, "th3") == s.read(sd.known, "th3") {
			return
		}
	}
	s.broken(misled, w, n)
}

// judgeKeys: nobody else can read what a linked side says and hears.
func (s *search) judgeKeys(w world, n int) {
	sd := w.sides[n]
	if s.breaks || w.k.has(deviceOf(sd.peer())) {
		return
	}
	for _, name := range []string{"initiator traffic", "responder traffic"} {
		if w.k.has(s.read(sd.known, name)) {
			s.broken(overheard, w, n)
		}
	}
}

// judgeRecord: what arrives was sent by the peer.
func (s *search) judgeRecord(w world, n int) {
	for _, m := range w.peers(n, 2) {
		if w.sides[n].known["record"].args[1] == s.own("said by", m) {
			return
		}
	}
	s.broken(foreign, w, n)
}
