package engine

import (
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
)

// What stands in for the text of a block that cannot be shown.
const (
	problemUnreadable = "unreadable"
	problemNewer      = "needs a newer opentalk"
)

// messages reads what a block says. Other kinds than messages say nothing.
func (r *round) messages(b *chain.Block) []Message {
	m := Message{
		Round: r.tag, Block: b.ID(), At: b.Position(), From: r.author(b.Author), Written: time.UnixMilli(int64(b.Wall)),
	}
	m.Own = m.From.Fingerprint == r.c.self.Credential.Fingerprint()
	m.Held = r.ahead(b.Place())
	switch {
	case b.Kind > chain.KindLeave:
		m.Problem = problemNewer
		return []Message{m}
	case b.Kind != chain.KindMessage:
		return nil
	}
	plain, err := r.open(b)
	var said []chain.Message
	if err == nil {
		said, err = chain.ParseMessages(plain)
	}
	if err != nil {
		m.Problem = problemUnreadable
		return []Message{m}
	}
	all := make([]Message, 0, len(said))
	for i := range said {
		one := m
		one.ID, one.Text, one.Form, one.Auto, one.Written = said[i].ID, said[i].Text, said[i].Form, said[i].Auto, said[i].When()
		all = append(all, one)
	}
	return all
}

// show tells the front of a block that has just been admitted from a peer.
func (r *round) show(b *chain.Block, pushed bool) {
	if b.Kind == chain.KindPubKey {
		r.showFirst(b, pushed)
		return
	}
	messages := r.messages(b)
	if len(messages) == 0 {
		return
	}
	held := messages[0].Held
	late := !held && b.Position().Compare(r.shown) < 0 && r.shown.T-b.T > uint64(lateBy.Milliseconds())
	if !late && !held && b.Position().Compare(r.shown) > 0 {
		r.shown = b.Position()
	}
	if r.confirmed(b.ID()) {
		return
	}
	for _, m := range messages {
		m.Received, m.Late = r.c.now, late
		m.Live = pushed && r.c.clock().Sub(m.Written) < liveAge
		r.c.tell(MessageEvent{m})
	}
}

// showFirst tells of a new device, which may be a new member.
func (r *round) showFirst(b *chain.Block, pushed bool) {
	body, err := chain.ParsePubKey(b.Body())
	var cred *identity.Credential
	if err == nil {
		cred, err = r.c.self.Verifier.Parse(body.Credential)
	}
	if err != nil {
		return // Check has read both
	}
	f := cred.Fingerprint()
	back := r.people[f] != nil && r.people[f].left() // as another device
	newcomer := r.people.add(cred, r.handleIn(b), b)
	if back {
		r.recount(f, false)
	}
	if back || newcomer {
		r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, b.Author), Change: Joined, Live: pushed})
	}
}
