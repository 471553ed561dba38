package main

import (
	"fmt"

	"opentalk/plugins/hook"
)

// event takes something that has happened in the chat.
func (s *server) event(e hook.Event) {
	switch e := e.(type) {
	case hook.MessageEvent:
		s.message(e.Message)
	case hook.SentEvent:
		s.sent(e)
	case hook.DeliveryEvent:
		s.delivery(e)
	case hook.MemberEvent:
		s.changed(e)
	case hook.PeerEvent:
		s.refresh(e.Tag)
	case hook.TopicEvent:
		if r := s.rounds[e.Tag]; r != nil {
			s.topic(r, e.Topic, e.By)
		}
	case hook.RoundEvent, hook.CaughtUp:
		s.refresh("")
	case hook.Missed:
		s.missed()
	}
}

// message is one of somebody else, or of another device of one's own.
func (s *server) message(m hook.Message) {
	r := s.rounds[m.Tag]
	if r == nil {
		s.refresh(m.Tag) // whoever comes to see it finds the message in its history
		return
	}
	if m.Live {
		s.meet(r, m.From)
	}
	for _, c := range s.looking(m.Tag) {
		c.hear(m, "")
	}
}

// looking lists the clients that look at a round, or are about to.
func (s *server) looking(tag string) []*session {
	var all []*session
	for _, c := range s.sessions {
		if c.views[tag] != nil {
			all = append(all, c)
		}
	}
	return all
}

// sent tells of an own message. While one of a client is on its way it is not known yet whose it is: the event may come before
// the answer.
func (s *server) sent(e hook.SentEvent) {
	origin, known := s.origins.by[e.Message.ID]
	if !known && s.sending > 0 {
		s.parked = append(s.parked, e)
		return
	}
	for _, c := range s.looking(e.Message.Tag) {
		switch {
		case e.State == hook.Failed:
			c.notice(s.channel(e.Message.Tag), "not sent: "+e.Message.Text)
		case c.has(e.Message):
			c.state(e.Message.Tag, e.Message.ID, string(e.State))
		case c == origin && !c.caps["echo-message"]:
			c.note(e.Message)
		default:
			c.hear(e.Message, string(e.State))
		}
	}
}

// unpark goes on with what waited for an answer.
func (s *server) unpark() {
	waiting := s.parked
	s.parked = nil
	for _, e := range waiting {
		s.sent(e)
	}
}

func (s *server) delivery(e hook.DeliveryEvent) {
	for _, c := range s.looking(e.Tag) {
		c.state(e.Tag, e.ID, fmt.Sprintf("held:%d/%d", e.Held, e.Members))
	}
}

func (s *server) changed(e hook.MemberEvent) {
	r := s.rounds[e.Tag]
	switch {
	case r == nil:
		s.refresh(e.Tag)
	case e.Change == hook.Left:
		s.depart(r, e.Person)
	default:
		s.meet(r, e.Person)
		s.refresh(e.Tag)
	}
}

// missed is told when events were lost: all is asked for again.
func (s *server) missed() {
	for tag := range s.rounds {
		s.stale[tag] = true
	}
	s.refresh("")
	for _, c := range s.sessions {
		for tag := range c.views {
			c.catchUp(tag)
		}
	}
}

// origins remembers which clients have sent the last messages.
type origins struct {
	by    map[hook.MessageID]*session
	order []hook.MessageID
}

func (o *origins) add(id hook.MessageID, c *session) {
	if len(o.order) == maxOrigins {
		delete(o.by, o.order[0])
		o.order = o.order[1:]
	}
	o.by[id] = c
	o.order = append(o.order, id)
}
