package hook

import "time"

// MessageID is the id of a message, hex, the same on every device.
type MessageID string

// Form is how a message is meant to be shown.
type Form string

// The forms.
const (
	FormPlain  Form = "plain"
	FormAction Form = "action" // "/me"
)

// Self is who runs this chat.
type Self struct {
	Handle      string // for rounds to come; a round may have another, see [Round.Handle]
	Fingerprint string // hex
	Device      string // hex
}

// Person is somebody, as this device shows them.
type Person struct {
	Handle      string // with "~" and digits where two clash: foreign text
	Fingerprint string // hex; this is who it is
	Own         bool   // this person
	Verified    bool   // this person has compared the fingerprint
}

// Round is a round that this device is in.
type Round struct {
	Name    string // unique on this device: foreign text
	Tag     string // hex; its public name everywhere
	Handle  string // the own one in it
	Topic   string // foreign text
	Members int    // with oneself
	Online  int    // of the others
	Current bool   // lines go to it
}

// Message is something that was said.
type Message struct {
	ID       MessageID
	Round    string // its name
	Tag      string // of the round
	From     Person
	Text     string
	Form     Form
	Auto     bool      // written by a program: do not answer it
	Written  time.Time // by the author's clock
	Received time.Time // by this device's; zero in history and for own ones
	Live     bool      // said just now, not brought by catching up: answer only these
	Late     bool      // lands before lines that were shown earlier
	Mention  bool      // names the person
	Cursor   Cursor    // its place in history; empty while it waits
}

// Outgoing is something to be said.
type Outgoing struct {
	Round string // name or tag
	Text  string // at most [MaxText] bytes
	Form  Form   // "" is plain
	Auto  bool   // in a filter: an extension says it by itself. Of what extensions send it is set, unless Person is
	// Person, of what an extension sends: somebody has typed it in another program, for which the extension speaks. It goes
	// the way of what is typed in the chat: the extension itself is told of it, too. Needs [CanSpeak]. Never set in a filter.
	Person bool
}

// Member is an identity in a round.
type Member struct {
	Person
	Online  bool
	Left    bool
	Devices int
	Joined  time.Time
	Seen    time.Time // last online here; zero if never
}

// Peer is a device that there is a link to.
type Peer struct {
	Person
	Device string // hex
	RTT    time.Duration
	Since  time.Time
}

// Cursor is a place in the history of a round, to be kept and given back as it is.
type Cursor string

// Query says which part of a history is wanted: at most Limit messages, the newest before Before or Until, or the oldest
// after After or from Since on. At most one of the four may be set; with none it is the newest of all. The answer is in
// canonical order, oldest first, in which a time is the place of what would be written then: of messages that were written
// apart some stand on the other side of it than their own times say.
type Query struct {
	Round  string
	Before Cursor
	After  Cursor
	Until  time.Time // in milliseconds
	Since  time.Time // in milliseconds
	Limit  int       // 1 to [MaxHistory]
}

// TimerSetting is when a timer is to fire.
type TimerSetting struct {
	Name  string
	After time.Duration
	Every time.Duration // 0 for once, or at least [MinTimer]
}

// Level is that of a line in the log.
type Level string

// The levels.
const (
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

// Levels lists all of them.
func Levels() []Level { return []Level{LevelDebug, LevelInfo, LevelWarn, LevelError} }
