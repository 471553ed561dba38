package hook

import "time"

// Kind names what an observer is told of.
type Kind string

// The kinds, each with the type that carries it.
const (
	KindMessage  Kind = "message"   // [MessageEvent]: somebody else, or another device of one's own, has said something
	KindMention  Kind = "mention"   // [MentionEvent]: the same, if it names the person
	KindSent     Kind = "sent"      // [SentEvent]: an own message waits, is sent, has failed
	KindDelivery Kind = "delivery"  // [DeliveryEvent]: another member holds an own message
	KindPeer     Kind = "peer"      // [PeerEvent]: a link is up or down
	KindMember   Kind = "member"    // [MemberEvent]: somebody joined, left, has a new name, was verified
	KindTopic    Kind = "topic"     // [TopicEvent]: a round has a new topic
	KindRound    Kind = "round"     // [RoundEvent]: a round was joined or left here
	KindCaughtUp Kind = "caught-up" // [CaughtUp]: what was missed has come
	KindTimer    Kind = "timer"     // [Timer]: a timer has fired
	KindMissed   Kind = "missed"    // [Missed]: events were lost
	KindStart    Kind = "start"     // [Started]: the extension is registered
	KindShutdown Kind = "shutdown"  // [Shutdown]: the chat ends
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		KindMessage, KindMention, KindSent, KindDelivery, KindPeer, KindMember, KindTopic, KindRound, KindCaughtUp, KindTimer,
		KindMissed, KindStart, KindShutdown,
	}
}

// Event is something that happened: one of the types below.
type Event interface{ Kind() Kind }

// MessageEvent: an extension gets what is not live only with [CanHistory].
type MessageEvent struct{ Message Message }

// MentionEvent comes besides the MessageEvent.
type MentionEvent struct{ Message Message }

// State is how far an own message has come.
type State string

// The states.
const (
	Waiting State = "waiting" // durable here; nobody is online
	Sent    State = "sent"    // signed, and on its way to whoever is online
	Failed  State = "failed"  // will not be sent
)

// SentEvent comes once for each change. It is not told to the extension that has sent the message.
type SentEvent struct {
	Message Message
	State   State
}

// DeliveryEvent: Held of Members others hold a message.
type DeliveryEvent struct {
	Round, Tag    string
	ID            MessageID
	Held, Members int
}

// PeerEvent tells of a device.
type PeerEvent struct {
	Round, Tag string
	Person     Person
	Online     bool
}

// Change is what happened to a member, or to a round here.
type Change string

// The changes.
const (
	Joined  Change = "joined"
	Left    Change = "left"
	Renamed Change = "renamed"

	// The person has compared the fingerprint of a member, or has taken that back; told of every round that they are in.
	Verified   Change = "verified"
	Unverified Change = "unverified"
)

// MemberEvent tells of a change among the members.
type MemberEvent struct {
	Round, Tag string
	Person     Person
	Change     Change
	Was        string // the handle before, if renamed
	Live       bool
}

// TopicEvent tells of a topic, "" if it was taken away.
type TopicEvent struct {
	Round, Tag string
	Topic      string
	By         Person
	Live       bool
}

// RoundEvent tells of [Joined] and [Left], by this person.
type RoundEvent struct {
	Round  Round
	Change Change
}

// CaughtUp comes when a round holds all that a peer had when it came online, if nothing was missed as well.
type CaughtUp struct{ Round, Tag string }

// Timer comes when a timer of the extension has fired.
type Timer struct {
	Name string
	Due  time.Time
}

// Missed comes before the next event when the extension was so slow that some had to be thrown away. Whoever needs them all
// reads the history.
type Missed struct{ Count int }

// Started comes first, once for each time that the extension is registered anew.
type Started struct{}

// Shutdown comes last, before [Extender.Stop].
type Shutdown struct{}

func (MessageEvent) Kind() Kind  { return KindMessage }
func (MentionEvent) Kind() Kind  { return KindMention }
func (SentEvent) Kind() Kind     { return KindSent }
func (DeliveryEvent) Kind() Kind { return KindDelivery }
func (PeerEvent) Kind() Kind     { return KindPeer }
func (MemberEvent) Kind() Kind   { return KindMember }
func (TopicEvent) Kind() Kind    { return KindTopic }
func (RoundEvent) Kind() Kind    { return KindRound }
func (CaughtUp) Kind() Kind      { return KindCaughtUp }
func (Timer) Kind() Kind         { return KindTimer }
func (Missed) Kind() Kind        { return KindMissed }
func (Started) Kind() Kind       { return KindStart }
func (Shutdown) Kind() Kind      { return KindShutdown }

// Live reports whether an event is not one of the past: others are for extensions with [CanHistory] only.
func Live(event Event) bool {
	switch e := event.(type) {
	case MessageEvent:
		return e.Message.Live
	case MentionEvent:
		return e.Message.Live
	case MemberEvent:
		return e.Live
	case TopicEvent:
		return e.Live
	}
	return true
}
