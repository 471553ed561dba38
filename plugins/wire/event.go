package wire

import (
	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// setEvent puts an event into a request. One that has no place there is not sent at all.
func setEvent(r *pb.ObserveRequest, event hook.Event) bool {
	switch e := event.(type) {
	case hook.MessageEvent:
		r.Event = &pb.ObserveRequest_Message{Message: &pb.MessageEvent{Message: messageOut(e.Message)}}
	case hook.MentionEvent:
		r.Event = &pb.ObserveRequest_Mention{Mention: &pb.MentionEvent{Message: messageOut(e.Message)}}
	case hook.SentEvent:
		r.Event = &pb.ObserveRequest_Sent{Sent: &pb.SentEvent{Message: messageOut(e.Message), State: text(string(e.State))}}
	case hook.DeliveryEvent:
		r.Event = &pb.ObserveRequest_Delivery{Delivery: &pb.DeliveryEvent{
			Round: text(e.Round), Tag: text(e.Tag), Id: text(string(e.ID)), Held: int32(e.Held), Members: int32(e.Members),
		}}
	case hook.PeerEvent:
		r.Event = &pb.ObserveRequest_Peer{Peer: &pb.PeerEvent{
			Round: text(e.Round), Tag: text(e.Tag), Person: personOut(e.Person), Online: e.Online,
		}}
	case hook.MemberEvent:
		r.Event = &pb.ObserveRequest_Member{Member: &pb.MemberEvent{
			Round: text(e.Round), Tag: text(e.Tag), Person: personOut(e.Person), Change: text(string(e.Change)),
			Was: text(e.Was), Live: e.Live,
		}}
	case hook.TopicEvent:
		r.Event = &pb.ObserveRequest_Topic{Topic: &pb.TopicEvent{
			Round: text(e.Round), Tag: text(e.Tag), Topic: text(e.Topic), By: personOut(e.By), Live: e.Live,
		}}
	case hook.RoundEvent:
		r.Event = &pb.ObserveRequest_Round{Round: &pb.RoundEvent{Round: roundOut(e.Round), Change: text(string(e.Change))}}
	case hook.CaughtUp:
		r.Event = &pb.ObserveRequest_CaughtUp{CaughtUp: &pb.CaughtUp{Round: text(e.Round), Tag: text(e.Tag)}}
	case hook.Timer:
		r.Event = &pb.ObserveRequest_Timer{Timer: &pb.Timer{Name: text(e.Name), DueMs: msOut(e.Due)}}
	case hook.Missed:
		r.Event = &pb.ObserveRequest_Missed{Missed: &pb.Missed{Count: int32(e.Count)}}
	case hook.Started:
		r.Event = &pb.ObserveRequest_Start{Start: &pb.Started{}}
	case hook.Shutdown:
		r.Event = &pb.ObserveRequest_Shutdown{Shutdown: &pb.Shutdown{}}
	}
	return r.Event != nil
}

// event returns what happened, nil if it is something that this version does not know.
func event(r *pb.ObserveRequest) hook.Event {
	switch e := r.GetEvent().(type) {
	case *pb.ObserveRequest_Message:
		return hook.MessageEvent{Message: messageIn(e.Message.GetMessage())}
	case *pb.ObserveRequest_Mention:
		return hook.MentionEvent{Message: messageIn(e.Mention.GetMessage())}
	case *pb.ObserveRequest_Sent:
		return hook.SentEvent{Message: messageIn(e.Sent.GetMessage()), State: hook.State(e.Sent.GetState())}
	case *pb.ObserveRequest_Delivery:
		d := e.Delivery
		return hook.DeliveryEvent{
			Round: d.GetRound(), Tag: d.GetTag(), ID: hook.MessageID(d.GetId()), Held: int(d.GetHeld()), Members: int(d.GetMembers()),
		}
	case *pb.ObserveRequest_Peer:
		p := e.Peer
		return hook.PeerEvent{Round: p.GetRound(), Tag: p.GetTag(), Person: personIn(p.GetPerson()), Online: p.GetOnline()}
	case *pb.ObserveRequest_Member:
		m := e.Member
		return hook.MemberEvent{
			Round: m.GetRound(), Tag: m.GetTag(), Person: personIn(m.GetPerson()), Change: hook.Change(m.GetChange()),
			Was: m.GetWas(), Live: m.GetLive(),
		}
	case *pb.ObserveRequest_Topic:
		t := e.Topic
		return hook.TopicEvent{
			Round: t.GetRound(), Tag: t.GetTag(), Topic: t.GetTopic(), By: personIn(t.GetBy()), Live: t.GetLive(),
		}
	case *pb.ObserveRequest_Round:
		return hook.RoundEvent{Round: roundIn(e.Round.GetRound()), Change: hook.Change(e.Round.GetChange())}
	case *pb.ObserveRequest_CaughtUp:
		return hook.CaughtUp{Round: e.CaughtUp.GetRound(), Tag: e.CaughtUp.GetTag()}
	case *pb.ObserveRequest_Timer:
		return hook.Timer{Name: e.Timer.GetName(), Due: msIn(e.Timer.GetDueMs())}
	case *pb.ObserveRequest_Missed:
		return hook.Missed{Count: int(e.Missed.GetCount())}
	case *pb.ObserveRequest_Start:
		return hook.Started{}
	case *pb.ObserveRequest_Shutdown:
		return hook.Shutdown{}
	}
	return nil
}
