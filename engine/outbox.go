package engine

import (
	"fmt"
	"slices"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// outbox is what this device has said in a round and nobody else is known to hold: first the drafts, which are not signed
// because nobody is online, then the blocks that nobody has acknowledged.
type outbox struct {
	drafts   []*draft
	signing  bool // an own block is on its way to the disk
	told     int  // waiting, as the front knows it
	patience patience
	delivery
}

// draft is something to say that is not signed yet: a message, or a block of another kind.
type draft struct {
	chain.Message            // of another kind, for people: the name or the topic
	kind          chain.Kind // 0: a message
	plain         []byte     // of another kind: what the block will say
	stored        bool
	done          []func(error) // told when it is durable, one way or the other
}

// waiting counts what is not signed.
func (o *outbox) waiting() int { return len(o.drafts) }

// say takes a message. done is called once it is durable: as a draft when nobody is online, otherwise in its block.
func (r *round) say(text string, form Form, auto bool, done func(MessageID, error)) {
	if r.farewell != nil {
		done(MessageID{}, ErrNoRound)
		return
	}
	m := chain.Message{Written: r.c.millis(), Form: form, Auto: auto, Text: text}
	if err := m.Check(); err != nil {
		done(MessageID{}, err)
		return
	}
	if r.c.broken != nil {
		done(MessageID{}, r.c.broken)
		return
	}
	r.c.draw(m.ID[:])
	r.drafts = append(r.drafts, &draft{Message: m, done: []func(error){func(err error) { done(m.ID, err) }}})
}

// informed reports whether an own block could be written now: somebody is online and has told all they have, and this
// device's own line is whole, so that it is never written twice. Of the others each gets a moment to do the same. CHAIN 6.2.
// Who says that they have more of the own line is waited for as well, but only who shows it for as long as it takes.
func (r *round) informed() bool {
	self := r.c.self.Key.Device()
	own := r.chain.Line(self)
	if own == nil || !r.member {
		return false
	}
	ready, wait := false, false
	for _, p := range r.peers {
		more := p.known[self] > own.Newest.Seq
		if more && r.hasOwnAside() {
			return false
		}
		done := p.online() && p.whole
		ready = ready || done
		wait = wait || more || !done && r.c.now.Sub(p.since) < catchUpWait
	}
	wait = wait && ready
	left := r.patience.left(r.c.now, wait && len(r.drafts) > 0)
	if wait && left > 0 {
		r.c.wakeAt(r.c.now.Add(left))
		return false
	}
	return ready
}

// hasOwnAside reports whether a block of the own line has come that waits for its edges: that line is longer than it is here.
func (r *round) hasOwnAside() bool {
	for _, w := range r.orphans.waiting {
		if w.block.Author == r.c.self.Key.Device() {
			return true
		}
	}
	return false
}

// patience is how long what is to be said may wait for peers who are not done: it runs out while something waits, however many
// they are and however often they come, and comes back slowly.
type patience struct {
	rest   time.Duration // at
	at     time.Time
	waited bool // since then
}

// left is how much of it is left; waits tells whether something waits from now on.
func (p *patience) left(now time.Time, waits bool) time.Duration {
	switch passed := max(0, now.Sub(p.at)); {
	case p.at.IsZero():
		p.rest = patienceMost
	case p.waited:
		p.rest -= passed
	default:
		p.rest += passed / patienceBack
	}
	p.rest = min(max(p.rest, 0), patienceMost)
	p.at, p.waited = now, waits && p.rest > 0
	return p.rest
}

// post signs what waits, or sees that it is stored.
func (r *round) post() {
	switch {
	case len(r.drafts) == 0:
	case r.c.broken != nil:
		r.giveBack()
	case r.informed() && r.spent() == "":
		r.sign()
	default:
		r.storeDrafts()
	}
	if n := r.waiting(); n != r.outbox.told && !r.signing {
		r.outbox.told = n
		r.c.tell(WaitingEvent{Round: r.tag, Count: n})
	}
}

// storeDrafts puts messages that cannot be signed now where a crash does not lose them.
func (r *round) storeDrafts() {
	for _, d := range r.drafts {
		if d.stored {
			continue
		}
		d.stored = true
		value := seal.Private(r.c.keys.Store, r.draftName(), d.encode())
		r.c.write(func(w store.Tx) error { return w.PutDraft(r.tag, d.ID, value) }, func(err error) {
			if d.stored = err == nil; d.stored && d.kind == 0 {
				r.c.tell(SentEvent{Message: r.waitingMessage(d.Message), State: Waiting})
			}
			d.finish(err)
		})
	}
}

// giveBack takes out what could not be stored, now that nothing is stored any more: it does not wait, and whoever said it is told.
func (r *round) giveBack() {
	var kept []*draft
	for _, d := range r.drafts {
		if d.stored {
			kept = append(kept, d)
		} else {
			d.finish(r.c.broken)
		}
	}
	r.drafts = kept
}

func (d *draft) finish(err error) {
	for _, f := range d.done {
		f(err)
	}
	d.done = nil
}

func (r *round) draftName() string { return "draft " + r.tag.String() }

// encode is a draft as the store has it: a message as in a block, which begins with 0x81 for one; another kind as its
// number in a byte and what the block will say.
func (d *draft) encode() []byte {
	if d.kind != 0 {
		return append([]byte{byte(d.kind)}, d.plain...)
	}
	plain, _, err := chain.EncodeMessages([]chain.Message{d.Message}, chain.MaxBody)
	if err != nil {
		panic(err) // it was checked
	}
	return plain
}

func decodeDraft(id MessageID, b []byte) (*draft, error) {
	d := &draft{stored: true}
	var err error
	switch {
	case len(b) > 0 && b[0] == byte(chain.KindProfile):
		d.kind, d.plain = chain.KindProfile, b[1:]
		d.Text, err = chain.ParseHandle(d.plain)
	case len(b) > 0 && b[0] == byte(chain.KindTopic):
		d.kind, d.plain = chain.KindTopic, b[1:]
		d.Text, err = chain.ParseTopic(d.plain)
	default:
		var ms []chain.Message
		if ms, err = chain.ParseMessages(b); err == nil && len(ms) == 1 {
			d.Message = ms[0]
			return d, nil
		}
		err = ErrStoreDamaged
	}
	d.ID = id
	return d, err
}

// restoreOutbox brings back the drafts and the own blocks that nobody is known to hold.
func (r *round) restoreOutbox() error {
	if !r.kept {
		return nil
	}
	drafts, err := r.c.store.Drafts(r.tag)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		plain, err := seal.OpenPrivate(r.c.keys.Store, r.draftName(), d.Value)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		back, err := decodeDraft(d.ID, plain)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", ErrStoreDamaged)
		}
		r.drafts = append(r.drafts, back)
	}
	return r.restoreHolds()
}

// sign puts all messages that wait, as much as fits, under one signature; what is of another kind gets one of its own. While it
// goes to the disk more gathers for the next.
func (r *round) sign() {
	if r.signing {
		return
	}
	b, n, err := r.compose()
	if err == nil {
		err = r.addOwn(b, slices.Clone(r.drafts[:n]))
	}
	if err != nil {
		r.c.tell(ErrorEvent{Round: r.tag, Err: fmt.Errorf("writing a block: %w", err)})
		r.storeDrafts()
		return
	}
	r.drafts, r.signing = r.drafts[n:], true
}

// addOwn makes an own block part of the round, in place of the drafts that it says.
func (r *round) addOwn(b *chain.Block, batch []*draft) error {
	return r.add(b, both(r.change(b, true), func(w store.Tx) error {
		for _, d := range batch {
			if !d.stored {
				continue
			}
			if err := w.RemoveDraft(r.tag, d.ID); err != nil {
				return err
			}
		}
		return nil
	}), func(err error) {
		r.signing = false
		if err == nil {
			r.posted(b, batch)
		} else {
			r.drafts = slices.Concat(batch, r.drafts)
		}
		for _, d := range batch {
			d.finish(err)
		}
	})
}

// unsay takes out of the outbox what a block of this person says that has come from elsewhere: a home that was restored from
// a backup, or runs twice, has it there still. What it returns, if anything, is to be written with the block.
func (r *round) unsay(b *chain.Block) func(store.Tx) error {
	line := r.chain.Line(b.Author)
	if len(r.drafts) == 0 || b.Kind != chain.KindMessage || line == nil || !r.isOwn(line) {
		return nil
	}
	var gone []MessageID
	for _, m := range r.messages(b) {
		before := len(r.drafts)
		r.drafts = slices.DeleteFunc(slices.Clone(r.drafts), func(d *draft) bool { return d.kind == 0 && d.ID == m.ID })
		if len(r.drafts) < before {
			gone = append(gone, m.ID)
			r.c.tell(SentEvent{Message: m, State: Sent})
		}
	}
	return func(w store.Tx) error {
		for _, id := range gone {
			if err := w.RemoveDraft(r.tag, id); err != nil {
				return err
			}
		}
		return nil
	}
}

// compose signs a block of the first n drafts. It passes the same check as anybody's, so that this device never sends what
// others refuse.
func (r *round) compose() (b *chain.Block, n int, err error) {
	kind, plain, n, err := r.sayNext()
	if err != nil {
		return nil, 0, err
	}
	h, _ := r.chain.Next(r.c.self.Key.Device(), r.c.millis())
	h.Wall = r.c.plain()
	h.Kind = kind
	b, err = chain.Sign(r.c.self.Key, h, seal.Body(r.content, sealPlace(h), plain))
	if err != nil {
		return nil, 0, err
	}
	missing, err := r.chain.Check(b)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%d edges are missing", len(missing))
	}
	return b, n, err
}

// sayNext is what the next block says, which takes the first n drafts.
func (r *round) sayNext() (kind chain.Kind, plain []byte, n int, err error) {
	if first := r.drafts[0]; first.kind != 0 {
		return first.kind, first.plain, 1, nil
	}
	ms := make([]chain.Message, 0, len(r.drafts))
	for _, d := range r.drafts {
		if d.kind != 0 {
			break
		}
		ms = append(ms, d.Message)
	}
	plain, n, err = chain.EncodeMessages(ms, chain.MaxBody-seal.Overhead)
	return chain.KindMessage, plain, n, err
}

// posted is called when an own block is durable: now it may leave.
func (r *round) posted(b *chain.Block, batch []*draft) {
	var said []chain.Message
	for _, d := range batch {
		if d.kind == 0 {
			said = append(said, d.Message)
		}
	}
	messages := r.reader().show(b, said, "")
	r.follow(b, messages)
	if b.Position().Compare(r.shown) > 0 {
		r.shown = b.Position()
	}
	for _, m := range messages {
		r.c.tell(SentEvent{Message: m, State: Sent})
	}
	for _, p := range r.peers {
		if p.level() {
			r.spread(p, b)
		}
	}
}

// pending lists what no other member is known to hold, in the order it was written.
func (r *round) pending() []Pending {
	var all []Pending
	for _, s := range r.unheld {
		if s.held > 0 {
			continue
		}
		if raw, ok, err := r.c.store.Block(r.tag, s.id); err == nil && ok {
			if b, err := chain.Parse(raw.Raw); err == nil {
				for _, m := range r.messages(b) {
					all = append(all, Pending{Message: m, Kind: chain.KindMessage, State: Sent})
				}
			}
		}
	}
	for _, d := range r.drafts {
		p := Pending{Message: r.waitingMessage(d.Message), State: Waiting}
		if p.Kind = chain.KindMessage; d.kind != 0 {
			p.Kind = d.kind
		}
		all = append(all, p)
	}
	return all
}

// waitingMessage is a draft as the front shows it.
func (r *round) waitingMessage(m chain.Message) Message {
	return Message{
		Round: r.tag, ID: m.ID, From: r.author(r.c.self.Key.Device()), Own: true, Text: m.Text, Form: m.Form, Auto: m.Auto,
		Written: time.UnixMilli(int64(m.Written)),
	}
}
