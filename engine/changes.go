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
// The last in canonical order counts, in whatever order they come. What counts is kept in settings of the store, written
// together with the block, so that a start need not read the chain. Whether a device has left is kept nowhere: it has if the
// newest block of its line is a leave.

// change is what counts of one kind, and where in the order it stands.
type change struct {
	_    struct{} `cbor:",toarray"`
	T    uint64
	ID   chain.ID
	By   Device
	Text string
}

func (c change) position() chain.Position { return chain.Position{T: c.T, ID: c.ID} }

const topicSetting = "topic"

func handleSetting(f Fingerprint) string { return "handle " + f.String() }

// change takes in a block that is about to become part of the chain. What it returns, if anything, is to be written with
// the block.
func (r *round) change(b *chain.Block, live bool) func(store.Tx) error {
	line := r.chain.Line(b.Author)
	if line == nil {
		return nil // its first
	}
	if b.Position().Compare(line.Newest.Position()) > 0 {
		r.setGone(line.Credential.Fingerprint(), b.Author, b.Kind == chain.KindLeave, live)
	}
	if b.Kind != chain.KindProfile && b.Kind != chain.KindTopic {
		return nil
	}
	plain, err := r.open(b)
	if err != nil {
		return nil // as good a block as any, which says nothing
	}
	said := change{T: b.T, ID: b.ID(), By: b.Author}
	if b.Kind == chain.KindTopic {
		if said.Text, err = chain.ParseTopic(plain); err == nil && r.setTopic(said, live) {
			return r.keepChange(topicSetting, said)
		}
		return nil
	}
	f := line.Credential.Fingerprint()
	if said.Text, err = chain.ParseHandle(plain); err == nil && r.setHandle(f, said, live) {
		return r.keepChange(handleSetting(f), said)
	}
	return nil
}

func (r *round) setTopic(c change, live bool) bool {
	if c.position().Compare(r.topic.position()) <= 0 {
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
	if p == nil || c.position().Compare(p.at) <= 0 {
		return false
	}
	was := r.people.name(f, r.trusts)
	same := p.handle == c.Text
	p.call(c.Text, c.position())
	if !same {
		r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, c.By), Change: Renamed, Was: was, Live: live})
	}
	return true
}

// setGone notes whether a device has said goodbye. A person has left when all their devices have, and any later block means
// that they are back. Oneself never is gone: whoever has left a round does not have it.
func (r *round) setGone(f Fingerprint, d Device, gone, live bool) {
	p := r.people[f]
	if p == nil || gone == slices.Contains(p.gone, d) || f == r.c.self.Credential.Fingerprint() {
		return
	}
	before, who := p.left(), Joined
	if gone {
		p.gone, who = append(p.gone, d), Left
	} else {
		p.gone = slices.DeleteFunc(p.gone, func(o Device) bool { return o == d })
	}
	if p.left() == before {
		return
	}
	r.recount(f, p.left())
	r.c.tell(MemberEvent{Round: r.tag, Person: r.person(f, d), Change: who, Live: live})
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
	return p != nil && slices.Contains(p.gone, d)
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
	plain, err := seal.OpenPrivate(r.c.keys.Store, r.settingName(name), value)
	if err == nil {
		err = cbor.Unmarshal(plain, v)
	}
	if err != nil {
		return false, fmt.Errorf("%w: setting %q: %w", ErrStoreDamaged, name, err)
	}
	return true, nil
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
		if ok && c.position().Compare(p.at) > 0 {
			p.call(c.Text, c.position())
		}
	}
	for _, end := range ends {
		if end.Kind != uint8(chain.KindLeave) {
			continue
		}
		if f := r.chain.Line(end.Author).Credential.Fingerprint(); f != own {
			r.people[f].gone = append(r.people[f].gone, end.Author)
		}
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
