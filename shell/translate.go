package shell

import (
	"encoding/base64"
	"encoding/binary"

	"opentalk/engine"
	"opentalk/plugins/hook"
)

// What the engine tells, in the values of the hook contract, and back. Only this file knows both.

func (b *book) hookPerson(p engine.Person) hook.Person {
	return hook.Person{
		Handle: p.Name, Fingerprint: p.Fingerprint.String(), Own: p.Fingerprint == b.self.Fingerprint, Verified: p.Verified,
	}
}

func (b *book) hookMessage(m engine.Message) hook.Message {
	return hook.Message{
		ID: hook.MessageID(messageID(m.ID)), Round: b.name(m.Round), Tag: m.Round.String(), From: b.hookPerson(m.From), Text: m.Text,
		Form: formOf(m.Form), Auto: m.Auto, Written: m.Written, Received: m.Received, Live: m.Live, Late: m.Late,
		Mention: b.mentions(m), Cursor: cursorOf(m.At),
	}
}

func (b *book) hookRound(r engine.Round) hook.Round {
	return hook.Round{
		Name: r.Name, Tag: r.Tag.String(), Handle: b.called(r.Tag), Topic: r.Topic, Members: r.Members, Online: r.Online,
		Current: b.inRound && b.current == r.Tag,
	}
}

func formOf(f engine.Form) hook.Form {
	if f == engine.Action {
		return hook.FormAction
	}
	return hook.FormPlain
}

func hookForm(f hook.Form) engine.Form {
	if f == hook.FormAction {
		return engine.Action
	}
	return engine.Plain
}

// hookEvents are what extensions are told of an event, in order.
func (b *book) hookEvents(ev engine.Event) []hook.Event {
	switch ev := ev.(type) {
	case engine.MessageEvent:
		if ev.Message.Problem != "" {
			return nil
		}
		m := b.hookMessage(ev.Message)
		if m.Mention && !m.From.Own {
			return []hook.Event{hook.MessageEvent{Message: m}, hook.MentionEvent{Message: m}}
		}
		return []hook.Event{hook.MessageEvent{Message: m}}
	case engine.SentEvent:
		m := b.hookMessage(ev.Message)
		m.Live = true
		return []hook.Event{hook.SentEvent{Message: m, State: hook.State(ev.State)}}
	case engine.DeliveryEvent:
		return []hook.Event{hook.DeliveryEvent{
			Round: b.name(ev.Round), Tag: ev.Round.String(), ID: hook.MessageID(messageID(ev.ID)), Held: ev.Held, Members: ev.Members,
		}}
	case engine.PeerEvent:
		if ev.State == engine.Connecting || ev.Person.Fingerprint.IsZero() {
			return nil
		}
		return []hook.Event{hook.PeerEvent{
			Round: b.name(ev.Round), Tag: ev.Round.String(), Person: b.hookPerson(ev.Person), Online: ev.State == engine.Online,
		}}
	case engine.MemberEvent:
		return []hook.Event{hook.MemberEvent{
			Round: b.name(ev.Round), Tag: ev.Round.String(), Person: b.hookPerson(ev.Person), Change: hook.Change(ev.Change),
			Was: ev.Was, Live: ev.Live,
		}}
	case engine.TopicEvent:
		return []hook.Event{hook.TopicEvent{
			Round: b.name(ev.Round), Tag: ev.Round.String(), Topic: ev.Topic, By: b.hookPerson(ev.By), Live: ev.Live,
		}}
	case engine.CaughtUpEvent:
		return []hook.Event{hook.CaughtUp{Round: b.name(ev.Round), Tag: ev.Round.String()}}
	}
	return nil
}

func hookMember(b *book, m engine.Member) hook.Member {
	return hook.Member{
		Person: b.hookPerson(m.Person), Online: m.Online, Left: m.Left, Devices: len(m.Devices), Joined: m.Joined, Seen: m.Seen,
	}
}

func hookPeer(b *book, p engine.Peer) hook.Peer {
	return hook.Peer{Person: b.hookPerson(p.Person), Device: p.Person.Device.String(), RTT: p.RTT, Since: p.Since}
}

// cursorOf writes a position as text that nobody needs to understand.
func cursorOf(p engine.Position) hook.Cursor {
	if p == (engine.Position{}) {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, p.Block.T)
	raw = append(raw, p.Block.ID[:]...)
	raw = binary.BigEndian.AppendUint32(raw, uint32(p.Within))
	return hook.Cursor(base64.RawURLEncoding.EncodeToString(raw))
}

// positionOf is the other way round.
func positionOf(c hook.Cursor) (p engine.Position, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(string(c))
	if n := 8 + len(p.Block.ID) + 4; err != nil || len(raw) != n {
		return p, hook.Errorf(hook.CodeInvalid, "that is no cursor")
	}
	p.Block.T = binary.BigEndian.Uint64(raw)
	copy(p.Block.ID[:], raw[8:])
	p.Within = int(binary.BigEndian.Uint32(raw[len(raw)-4:]))
	return p, nil
}
