package wire

import (
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// Each value has two functions: …Out makes a message of it, …In makes it of a message, which may be nil.

func msOut(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func msIn(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func selfOut(s hook.Self) *pb.Self {
	return &pb.Self{Handle: text(s.Handle), Fingerprint: text(s.Fingerprint), Device: text(s.Device)}
}

func selfIn(p *pb.Self) hook.Self {
	return hook.Self{Handle: p.GetHandle(), Fingerprint: p.GetFingerprint(), Device: p.GetDevice()}
}

func personOut(v hook.Person) *pb.Person {
	return &pb.Person{Handle: text(v.Handle), Fingerprint: text(v.Fingerprint), Own: v.Own, Verified: v.Verified}
}

func personIn(p *pb.Person) hook.Person {
	return hook.Person{Handle: p.GetHandle(), Fingerprint: p.GetFingerprint(), Own: p.GetOwn(), Verified: p.GetVerified()}
}

func roundOut(v hook.Round) *pb.Round {
	return &pb.Round{
		Name: text(v.Name), Tag: text(v.Tag), Handle: text(v.Handle), Topic: text(v.Topic),
		Members: int32(v.Members), Online: int32(v.Online), Current: v.Current,
	}
}

func roundIn(p *pb.Round) hook.Round {
	return hook.Round{
		Name: p.GetName(), Tag: p.GetTag(), Handle: p.GetHandle(), Topic: p.GetTopic(),
		Members: int(p.GetMembers()), Online: int(p.GetOnline()), Current: p.GetCurrent(),
	}
}

func messageOut(v hook.Message) *pb.Message {
	return &pb.Message{
		Id: text(string(v.ID)), Round: text(v.Round), Tag: text(v.Tag), From: personOut(v.From), Text: text(v.Text),
		Form: text(string(v.Form)), Auto: v.Auto, WrittenMs: msOut(v.Written), ReceivedMs: msOut(v.Received),
		Live: v.Live, Late: v.Late, Mention: v.Mention, Cursor: text(string(v.Cursor)),
	}
}

func messageIn(p *pb.Message) hook.Message {
	return hook.Message{
		ID: hook.MessageID(p.GetId()), Round: p.GetRound(), Tag: p.GetTag(), From: personIn(p.GetFrom()), Text: p.GetText(),
		Form: hook.Form(p.GetForm()), Auto: p.GetAuto(), Written: msIn(p.GetWrittenMs()), Received: msIn(p.GetReceivedMs()),
		Live: p.GetLive(), Late: p.GetLate(), Mention: p.GetMention(), Cursor: hook.Cursor(p.GetCursor()),
	}
}

func outgoingOut(v hook.Outgoing) *pb.Outgoing {
	return &pb.Outgoing{Round: text(v.Round), Text: text(v.Text), Form: text(string(v.Form)), Auto: v.Auto, Person: v.Person}
}

func outgoingIn(p *pb.Outgoing) hook.Outgoing {
	return hook.Outgoing{
		Round: p.GetRound(), Text: p.GetText(), Form: hook.Form(p.GetForm()), Auto: p.GetAuto(), Person: p.GetPerson(),
	}
}

func memberOut(v hook.Member) *pb.Member {
	return &pb.Member{
		Person: personOut(v.Person), Online: v.Online, Left: v.Left, Devices: int32(v.Devices),
		JoinedMs: msOut(v.Joined), SeenMs: msOut(v.Seen),
	}
}

func memberIn(p *pb.Member) hook.Member {
	return hook.Member{
		Person: personIn(p.GetPerson()), Online: p.GetOnline(), Left: p.GetLeft(), Devices: int(p.GetDevices()),
		Joined: msIn(p.GetJoinedMs()), Seen: msIn(p.GetSeenMs()),
	}
}

func peerOut(v hook.Peer) *pb.Peer {
	return &pb.Peer{
		Person: personOut(v.Person), Device: text(v.Device), RttUs: v.RTT.Microseconds(), SinceMs: msOut(v.Since),
	}
}

func peerIn(p *pb.Peer) hook.Peer {
	return hook.Peer{
		Person: personIn(p.GetPerson()), Device: p.GetDevice(), RTT: time.Duration(p.GetRttUs()) * time.Microsecond,
		Since: msIn(p.GetSinceMs()),
	}
}

func timerOut(t hook.TimerSetting) (afterMs, everyMs int64) {
	return roundUp(t.After), roundUp(t.Every)
}

// roundUp: a timer that is set must not become one that is taken away.
func roundUp(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// timerIn keeps what does not fit a duration too big, for the check to find.
func timerIn(name string, afterMs, everyMs int64) hook.TimerSetting {
	bound := func(ms int64) time.Duration {
		const most = int64(hook.MaxTimer/time.Millisecond) + 1
		return time.Duration(max(-1, min(ms, most))) * time.Millisecond
	}
	return hook.TimerSetting{Name: name, After: bound(afterMs), Every: bound(everyMs)}
}
