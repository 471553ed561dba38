package engine

import (
	"cmp"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
)

// Names that the front needs of the floors below.
type (
	Tag         = identity.Tag
	Fingerprint = identity.Fingerprint
	Device      = identity.Device
	BlockID     = chain.ID
	MessageID   = chain.MessageID
	Form        = chain.Form
	Kind        = chain.Kind
)

// How a message is meant to be shown.
const (
	Plain  = chain.Plain
	Action = chain.Action
)

// Kinds of what may wait in the outbox.
const (
	KindMessage = chain.KindMessage
	KindProfile = chain.KindProfile
	KindTopic   = chain.KindTopic
)

// Position is a message's place in canonical order: its block's, and the number within it. The zero Position is none.
type Position struct {
	Block  chain.Position
	Within int
}

// Compare returns −1, 0 or 1 as p is before, at or after o.
func (p Position) Compare(o Position) int {
	return cmp.Or(p.Block.Compare(o.Block), cmp.Compare(p.Within, o.Within))
}

// PositionAt is before every message of that time and later, by the clock that gives the order.
func PositionAt(t time.Time) Position {
	return Position{Block: chain.Position{T: uint64(max(1, t.UnixMilli()))}}
}

// Person is somebody as this device shows them.
type Person struct {
	Name        string // the handle, with "~" and digits of the fingerprint where two clash: foreign text
	Fingerprint Fingerprint
	Device      Device
	Verified    bool // this person has compared the fingerprint with them
	Ignored     bool // this person does not want to see what they say: for the front to go by
}

// Message is one thing that was said. Text and names are foreign text.
type Message struct {
	Round    Tag
	ID       MessageID // names it together with its author; another author's may be the same
	Block    BlockID   // zero while the message waits
	At       Position
	From     Person
	Own      bool // by this identity, from whichever device
	Text     string
	Form     Form
	Auto     bool
	Written  time.Time // by the author's clock
	Received time.Time // by this device's; zero in history
	Live     bool      // said just now, not brought by catching up
	Late     bool      // lands before lines that this device has shown
	Held     bool      // its author's clock is more than 10 minutes ahead of this device's: nobody builds on it yet
	// Provisional: the newest lines of a round whose history is on its way. The author has signed it; that nothing before it
	// is missing is not known yet. It is told once: not again when its block is admitted.
	Provisional bool
	Problem     string // why the block cannot be shown, in place of Text: "unreadable", "needs a newer opentalk"
}

// Event is something that happened. The concrete types are those below.
type Event interface{ event() }

// RoundEvent tells of a round that this device is in: at start for each, and after New and Join.
type RoundEvent struct{ Round Round }

// MessageEvent tells of somebody else's message, or one by another device of one's own.
type MessageEvent struct{ Message Message }

// State is how far an own message has come.
type State string

// The states of an own message.
const (
	Waiting State = "waiting" // durable here, not signed: nobody was online
	Sent    State = "sent"    // signed, durable here, on its way to whoever is online
	Failed  State = "failed"  // will not be sent
)

// SentEvent tells of an own message, once for each change of its state.
type SentEvent struct {
	Message Message
	State   State
}

// SaidEvent answers [Engine.Say] with what Send returns. It comes after the SentEvent.
type SaidEvent struct {
	Number uint64 // that Say was given
	ID     MessageID
	Err    error
}

// DeliveryEvent tells how many of the other members are known to hold an own message.
type DeliveryEvent struct {
	Round         Tag
	ID            MessageID
	Held, Members int
}

// WaitingEvent tells how many own messages wait for somebody to come online, whenever that changes.
type WaitingEvent struct {
	Round Tag
	Count int
}

// PeerState is the state of a link.
type PeerState string

// The states of a link.
const (
	Connecting PeerState = "connecting"
	Online     PeerState = "online"
	Offline    PeerState = "offline"
)

// PeerEvent tells of a link that comes or goes.
type PeerEvent struct {
	Round   Tag
	Person  Person // zero while connecting to an address whose owner is not known
	Address string
	State   PeerState
	RTT     time.Duration
}

// Change is what happened to a member.
type Change string

// The changes.
const (
	Joined  Change = "joined"
	Left    Change = "left"
	Renamed Change = "renamed"

	// This person has compared a fingerprint, or has taken that back; told of every round that the member is in.
	Verified   Change = "verified"
	Unverified Change = "unverified"
)

// MemberEvent tells of a change among the members. Live is as in Message.
type MemberEvent struct {
	Round  Tag
	Person Person
	Change Change
	Was    string // the name before, if renamed
	Live   bool
}

// ForkEvent tells that a device of somebody else has written two histories; a NoticeEvent says so to people.
type ForkEvent struct {
	Round  Tag
	Person Person
}

// TopicEvent tells of a new topic of a round, "" for none. Live is as in Message.
type TopicEvent struct {
	Round Tag
	Topic string
	By    Person
	Live  bool
}

// ProgressEvent tells how far something long has come. Total is 0 when it is not known.
type ProgressEvent struct {
	Round       Tag
	What        string
	Done, Total int
}

// CaughtUpEvent tells that all is here that a peer had when it came online; for each that does it comes once, if nothing
// was missed as well.
type CaughtUpEvent struct{ Round Tag }

// NoticeEvent is a line for the person.
type NoticeEvent struct{ Text string }

// ErrorEvent is something that went wrong with nobody waiting for an answer.
type ErrorEvent struct {
	Round Tag // zero if of no round
	Err   error
}

func (RoundEvent) event()    {}
func (MessageEvent) event()  {}
func (SentEvent) event()     {}
func (SaidEvent) event()     {}
func (DeliveryEvent) event() {}
func (WaitingEvent) event()  {}
func (PeerEvent) event()     {}
func (MemberEvent) event()   {}
func (ForkEvent) event()     {}
func (TopicEvent) event()    {}
func (ProgressEvent) event() {}
func (CaughtUpEvent) event() {}
func (NoticeEvent) event()   {}
func (ErrorEvent) event()    {}

// Round is what there is to tell of a round.
type Round struct {
	Tag     Tag
	Name    string // unique on this device: foreign text
	Topic   string // foreign text, as is the name
	Members int    // identities, oneself included, without those who have left
	Blocks  int
	Online  int // identities with a link, oneself not
	Waiting int // own messages in the outbox
}

// Member is an identity in a round.
type Member struct {
	Person
	Own     bool
	Online  bool
	Left    bool
	Forked  bool // one of the devices has written two histories
	Devices []Device
	Joined  time.Time
	Seen    time.Time // when it was last online here; zero if never
}

// Peer is a device that there is a link to, or an address that is being dialled.
type Peer struct {
	Person  Person // zero when not known yet
	Address string
	State   PeerState
	RTT     time.Duration // 0 until the first answer
	Since   time.Time
	Dialled bool   // by this side
	Behind  int    // blocks that it is known to lack
	Problem string // the last failure, when offline
}

// Pending is an own message that is not held by any other member yet, or a new name or topic that is not signed, which is
// then the text of Message.
type Pending struct {
	Message Message
	Kind    Kind
	State   State
}

// Self is who runs this engine.
type Self struct {
	Handle      string
	Fingerprint Fingerprint
	Device      Device
	Listen      []string // bound addresses, "127.0.0.1:43121" or "unix:/p"
}
