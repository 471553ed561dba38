package engine

import (
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// What blocks change besides adding to what is said: names, the topic, and who has left. CHAIN 3.4–3.6.
//
// The last in canonical order counts, in whatever order they come; but what is held only while there is nothing else, or a
// name that was given while a clock was wrong would stay for years. What counts is kept in settings of the store, written
// together with the block, so that a start need not read the chain. Whether a device has left is kept nowhere: that is in the
// newest block of its line, or of another of its person's.

// change is what counts of one kind, and where in the order it stands.
type change struct {
	_    struct{} `cbor:",toarray"`
	T    uint64
	ID   chain.ID
	By   Device
	Text string
}

func (c change) place() chain.Place { return chain.Place{T: c.T, ID: c.ID, Author: c.By} }

const topicSetting = "topic"

func handleSetting(f Fingerprint) string { return "handle " + f.String() }

// change takes in a block that is about to become part of the chain. What it returns, if anything, is to be written with
// the block.
func (r *round) change(b *chain.Block, live bool) func(store.Tx) error {
	line := r.chain.Line(b.Author)
	if line == nil {
		return nil // its first
	}
	f := line.Credential.Fingerprint()
	if b.Position().Compare(line.Newest.Position()) > 0 {
		r.setGone(f, b, live)
	}
	said := change{T: b.T, ID: b.ID(), By: b.Author}
	switch b.Kind {
	case chain.KindTopic:
		if r.reads(b, chain.ParseTopic, &said.Text) && r.setTopic(said, live) {
			return r.keepChange(topicSetting, said)
		}
	case chain.KindProfile:
		if r.reads(b, chain.ParseHandle, &said.Text) && r.setHandle(f, said, live) {
			return r.keepChange(handleSetting(f), said)
		}
	case chain.KindPubKey: // it was held
		if said.Text = r.handleIn(b); r.setHandle(f, said, live) {
			return r.keepChange(handleSetting(f), said)
		}
	}
	return nil
}

// reads reads a sealed text; one that cannot be read says nothing, and its block is as good as any.
func (r *round) reads(b *chain.Block, parse func([]byte) (string, error), text *string) bool {
	plain, err := r.open(b)
	if err == nil {
		*text, err = parse(plain)
	}
	return err == nil
}

// changeDue takes in what blocks change whose time has come.
func (r *round) changeDue(due []chain.Place) error {
	for _, at := range due {
		e, _, err := r.entry(at.ID)
		if err != nil {
			return err
		}
		if !slices.Contains([]chain.Kind{chain.KindPubKey, chain.KindProfile, chain.KindTopic}, chain.Kind(e.Kind)) {
			continue
		}
		b, err := r.block(at.ID)
		if err != nil {
			return err
		}
		if write := r.change(b, false); write != nil {
			r.c.write(write, nil)
		}
	}
	return nil
}

// outranks reports whether what was said at a counts, and not what was said at b.
func (r *round) outranks(a, b chain.Place) bool {
	if ahead := r.ahead(a); b != (chain.Place{}) && ahead != r.ahead(b) {
		return !ahead
	}
	return a.Position().Compare(b.Position()) > 0
}

func (r *round) setTopic(c change, live bool) bool {
	if !r.outranks(c.place(), r.topic.place()) {
		return false
	}
	was := r.topic.Text
	r.topic = c
	if c.Text != was {
		r.c.tell(TopicEvent{Round: r.tag, Topic: c.Text, By: r.author(c.By), Live: live})
	}
	return true
}

func (r *round) setHandle(f Fingerprint, c change, live bool) bool {
	p := r.people[f]
	if p == nil || !r.outranks(c.place(), p.at) {
		return false
	}
	was := r.people.name(f, r.trusts)
	same := p.handle == c.Text
	p.call(c.Text, c.place())
	if !same {
		r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, c.By), Change: Renamed, Was: was, Live: live})
	}
	return true
}

// setGone notes the newest block of a line, which may be a goodbye. A person has left when all their devices have, and any
// later block means that they are back. Oneself never is gone: whoever has left a round does not have it.
func (r *round) setGone(f Fingerprint, b *chain.Block, live bool) {
	p := r.people[f]
	if p == nil || f == r.c.self.Credential.Fingerprint() {
		return
	}
	before := p.left()
	p.said(b.Author, b.Seq, r.goodbye(b))
	if p.left() == before {
		return
	}
	who := Joined
	if !before {
		who = Left
	}
	r.recount(f, !before)
	r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, b.Author), Change: who, Live: live})
}

// goodbye is what a leave block speaks for: its own line, and those of the devices that its author was before, each up to a
// seq. It is nil for any other block.
func (r *round) goodbye(b *chain.Block) map[Device]uint64 {
	if b.Kind != chain.KindLeave {
		return nil
	}
	upTo := map[Device]uint64{}
	if plain, err := r.open(b); err == nil {
		if ends, err := chain.ParseLeave(plain); err == nil {
			for _, end := range ends {
				upTo[end.Device] = end.Seq
			}
		}
	}
	upTo[b.Author] = b.Seq
	return upTo
}

// isGone reports whether a device has said goodbye, and so need not be dialled.
func (r *round) isGone(d Device) bool {
	if r.chain == nil {
		return false
	}
	line := r.chain.Line(d)
	if line == nil {
		return false
	}
	p := r.people[line.Credential.Fingerprint()]
	return p != nil && p.gone(d)
}

// recount keeps "held by n of m" true when somebody who holds own blocks leaves or comes back.
func (r *round) recount(who Fingerprint, left bool) {
	for i := range r.unheld {
		if s := &r.unheld[i]; s.seq <= r.heldBy(s.line, who) {
			if left {
				s.held--
			} else {
				s.held++
			}
		}
	}
}

func (r *round) keepChange(name string, c change) func(store.Tx) error {
	plain, err := cbor.Marshal(c)
	if err != nil {
		panic(err) // plain values
	}
	value := seal.Private(r.c.keys.Store, r.settingName(name), plain)
	return func(w store.Tx) error { return w.PutSetting(r.tag, name, value) }
}

func (r *round) settingName(name string) string { return "setting " + r.tag.String() + " " + name }

// setting reads a sealed setting into v; ok is false if there is none.
func (r *round) setting(name string, v any) (ok bool, err error) {
	value, ok, err := r.c.store.Setting(r.tag, name)
	if err != nil || !ok {
		return false, err
	}
	if err := r.openSetting(name, value, v); err != nil {
		return false, fmt.Errorf("%w: setting %q: %w", ErrStoreDamaged, name, err)
	}
	return true, nil
}

// openSetting reads the value of a sealed setting into v.
func (r *round) openSetting(name string, value []byte, v any) error {
	plain, err := seal.OpenPrivate(r.c.keys.Store, r.settingName(name), value)
	if err != nil {
		return err
	}
	return cbor.Unmarshal(plain, v)
}

// restoreChanges brings back what counts. ends are the newest blocks of the lines.
func (r *round) restoreChanges(ends []store.Entry) error {
	if _, err := r.setting(topicSetting, &r.topic); err != nil {
		return err
	}
	own := r.c.self.Credential.Fingerprint()
	for f, p := range r.people {
		var c change
		ok, err := r.setting(handleSetting(f), &c)
		if err != nil {
			return err
		}
		if ok && r.outranks(c.place(), p.at) {
			p.call(c.Text, c.place())
		}
	}
	for _, end := range ends {
		f := r.chain.Line(end.Author).Credential.Fingerprint()
		if f == own {
			continue
		}
		var upTo map[Device]uint64
		if end.Kind == uint8(chain.KindLeave) {
			b, err := r.block(end.ID)
			if err != nil {
				return err
			}
			upTo = r.goodbye(b)
		}
		r.people[f].said(end.Author, end.Seq, upTo)
	}
	return nil
}

// rename makes a new name for this person in this round alone.
func (r *round) rename(name string, done func(State, error)) {
	plain, err := chain.EncodeHandle(name)
	if err != nil {
		done("", fmt.Errorf("%w: %w", ErrName, err))
		return
	}
	r.announce(chain.KindProfile, name, plain, done)
}

func (r *round) retitle(topic string, done func(State, error)) {
	plain, err := chain.EncodeTopic(topic)
	if err != nil {
		done("", fmt.Errorf("%w: %w", ErrTopic, err))
		return
	}
	r.announce(chain.KindTopic, topic, plain, done)
}

// announce puts a block of another kind than messages into the outbox, where it waits its turn. done is called once it is
// durable, with how far it has come.
func (r *round) announce(kind chain.Kind, text string, plain []byte, done func(State, error)) {
	if r.c.broken != nil {
		done("", r.c.broken)
		return
	}
	d := &draft{kind: kind, plain: plain, Message: chain.Message{Written: r.c.millis(), Text: text}}
	d.done = []func(error){func(err error) {
		if slices.Contains(r.drafts, d) {
			done(Waiting, err)
		} else {
			done(Sent, err)
		}
	}}
	r.c.draw(d.ID[:])
	r.drafts = append(r.drafts, d)
}
