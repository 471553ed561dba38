package engine

import (
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/seal"
)

// What stands in for the text of a block that cannot be shown.
const (
	problemUnreadable = "unreadable"
	problemNewer      = "needs a newer opentalk"
)

// reader turns the blocks of a round into what the front shows. What it needs is in it, so that it can be used outside the
// core; there author asks the core.
type reader struct {
	tag     Tag
	content identity.ContentKey
	own     Fingerprint
	device  Device // this one, which holds nothing of its own back
	genesis chain.ID
	ahead   uint64 // blocks of a t after this are held
	author  func(Device) Person
}

func (r *round) reader() reader {
	return reader{
		tag: r.tag, content: r.content, own: r.c.self.Credential.Fingerprint(), device: r.c.self.Key.Device(),
		genesis: r.chain.Genesis(), ahead: r.c.millis() + chain.MaxAhead, author: r.author,
	}
}

// isAhead reports whether a place is so far after the clock that its block is to be held.
func (v reader) isAhead(at chain.Place) bool {
	return at.T > v.ahead && at.Author != v.device && at.ID != v.genesis
}

// said opens what a block says: nothing unless it is a message. problem is why it cannot be shown.
func (v reader) said(b *chain.Block) (all []chain.Message, problem string) {
	switch {
	case b.Kind > chain.KindLeave:
		return nil, problemNewer
	case b.Kind != chain.KindMessage:
		return nil, ""
	}
	plain, err := seal.OpenBody(v.content, sealPlace(b.Header), b.Body())
	if err == nil {
		all, err = chain.ParseMessages(plain)
	}
	if err != nil {
		return nil, problemUnreadable
	}
	return all, ""
}

// show puts with what was said who said it, and where.
func (v reader) show(b *chain.Block, said []chain.Message, problem string) []Message {
	if len(said) == 0 && problem == "" {
		return nil
	}
	m := Message{
		Round: v.tag, Block: b.ID(), At: Position{Block: b.Position()}, From: v.author(b.Author), Written: time.UnixMilli(int64(b.Wall)),
	}
	m.Own = m.From.Fingerprint == v.own
	m.Held = v.isAhead(b.Place())
	if problem != "" {
		m.Problem = problem
		return []Message{m}
	}
	all := make([]Message, 0, len(said))
	for i := range said {
		one := m
		one.At.Within = i
		one.ID, one.Text, one.Form, one.Auto, one.Written = said[i].ID, said[i].Text, said[i].Form, said[i].Auto, said[i].When()
		all = append(all, one)
	}
	return all
}

// messages reads what a block says. Other kinds than messages say nothing.
func (v reader) messages(b *chain.Block) []Message {
	said, problem := v.said(b)
	return v.show(b, said, problem)
}

// messages reads what a block says, in the core.
func (r *round) messages(b *chain.Block) []Message { return r.reader().messages(b) }

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
	lost := b.Author == r.c.self.Key.Device() // by this home, and is back
	for _, m := range messages {
		m.Received, m.Late = r.c.now, late
		m.Live = pushed && !lost && r.c.clock().Sub(m.Written) < liveAge
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
	newcomer := r.enlist(cred, r.handleIn(b), b)
	if back = back && !r.people[f].left(); back {
		r.recount(f, false)
	}
	if back || newcomer {
		r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, b.Author), Change: Joined, Live: pushed})
	}
}
