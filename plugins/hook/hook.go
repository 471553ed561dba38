// Package hook is the contract between opentalk and what extends it: the values that cross the boundary, what an extension
// answers to ([Extender]) and what it may ask for ([Host]). HOOKS.md beside it tells when each hook fires, what an answer
// means, and what happens when there is none.
//
// Both sides import it: the chat, the SDK that plugin authors use, and the Lua host, which is a plugin like any other. It
// holds no behaviour but the checks of what crosses, and needs the standard library only. Values are copies; no key, no round
// id and nothing of the engine ever crosses. Text that others wrote is foreign: it is valid UTF-8 and may hold anything else,
// escape sequences included.
//
// An extension is a plugin or a script. A plugin process may hold several, as the Lua host does, each with its own name,
// storage, grants and faults; so every call names the extension that it is meant for, or comes from.
//
// The contract grows by fields, events and calls that an older side does not know and ignores. What would break somebody
// is a new [Version].
package hook

import (
	"context"
	"encoding/json"
)

// Version is that of the contract. A chat and a plugin that differ in it do not talk to each other, and say so.
const Version = 1

// Extender is what a plugin process answers. Calls come concurrently, but one at a time for each handler, and Observe in
// the order of what happened. ctx ends with the budget of the call (HOOKS 3); an answer after that is thrown away.
//
// An error says that the handler has failed. [Strikes] of them within [StrikeWindow] turn the extension off; an [*Error] of a
// command whose code is not [CodeFailed] is no strike but an answer to whoever gave the command.
type Extender interface {
	// Start is called once, before everything else. The registration is what the chat will call; [Host.Register] can
	// change it later. Until it is answered the host does nothing.
	Start(ctx context.Context, hello Hello, host Host) (Registration, error)
	// Run runs a command. What it returns is shown to whoever gave the command, line by line.
	Run(ctx context.Context, call Call) (lines []string, err error)
	// Complete returns what may stand in place of the last word, whole words.
	Complete(ctx context.Context, call Completion) ([]string, error)
	// Filter decides on one thing that passes by.
	Filter(ctx context.Context, to Target, item Item) (Verdict, error)
	// Observe tells of something that happened.
	Observe(ctx context.Context, to Target, event Event) error
	// Stop is called once, at the end of the chat or of this plugin. The process is ended soon after.
	Stop(ctx context.Context) error
}

// Host is what the chat does for an extension; from is its name, and must be one that is registered by the same plugin.
// It may be called at any time from when the extension is registered, which a [Started] tells, until Stop. While a call of
// the chat is answered, the context of that call should be passed on: by it the chat sees who set off what, and ends loops.
// Nothing that outlives the call should hang on its end: [context.WithoutCancel] keeps what set it off.
//
// Every error is an [*Error], or that of ctx.
type Host interface {
	// Register replaces what is registered. Whatever stays in it keeps its place. An extension that was left out and is
	// registered again begins anew: it gets its [Started], and is on even if it was turned off before.
	Register(ctx context.Context, all Registration) error
	// Config returns what [Hello.Config] would be now: the plugin's configuration, with what the person has set read anew. An
	// error says what is wrong with that.
	Config(ctx context.Context, from string) (json.RawMessage, error)

	// Send says something in a round, marked as written by a program ([Message.Auto]). It passes the outgoing filters of
	// the other extensions, and returns when the message is durable. Needs [CanSend], and [CanSpeak] if a person has
	// typed it ([Outgoing.Person]).
	Send(ctx context.Context, from string, m Outgoing) (MessageID, error)
	// Print shows text to the person, in a round if one is named. It is told apart from what people say.
	Print(ctx context.Context, from, round, text string) error
	// Notify draws the person's attention: a bell, or whatever they have set. Needs [CanNotify].
	Notify(ctx context.Context, from, text string) error

	Me(ctx context.Context, from string) (Self, error)
	Rounds(ctx context.Context, from string) ([]Round, error)
	// Peers lists the links of a round, Members the identities in it. The round is named by its name or its tag here, as
	// everywhere.
	Peers(ctx context.Context, from, round string) ([]Peer, error)
	Members(ctx context.Context, from, round string) ([]Member, error)
	// History reads what was said. Needs [CanHistory].
	History(ctx context.Context, from string, q Query) ([]Message, error)

	// SetNick changes the own handle in a round, SetTopic its topic, "" for none. Join enters the round of an invite and
	// takes up to 30 s; Leave says goodbye for good and deletes the round here. All need [CanManage].
	SetNick(ctx context.Context, from, round, handle string) error
	SetTopic(ctx context.Context, from, round, topic string) error
	Join(ctx context.Context, from, invite string) (Round, error)
	Leave(ctx context.Context, from, round string) error

	// Get, Set, Delete and Keys are a storage of the extension's own, which outlives the chat. Set and Delete return when
	// that is durable. Get of a key that is not there gives nil. Keys gives those that begin with prefix, sorted. All need
	// [CanStore]; see [MaxStorage].
	Get(ctx context.Context, from, key string) ([]byte, error)
	Set(ctx context.Context, from, key string, value []byte) error
	Delete(ctx context.Context, from, key string) error
	Keys(ctx context.Context, from, prefix string) ([]string, error)

	// SetTimer has a [Timer] event follow, after a while and, if t.Every is not 0, again and again. A timer of the same name
	// is replaced; one with neither is taken away. Timers end with the registration.
	SetTimer(ctx context.Context, from string, t TimerSetting) error

	// Log writes to the extension's own log, which /plugin log shows.
	Log(ctx context.Context, from string, level Level, text string) error
}

// Hello is what a plugin is told at its start.
type Hello struct {
	Version int             // of the contract: that of the chat
	Chat    string          // the version of the program
	Name    string          // of the plugin
	Config  json.RawMessage // an object: the defaults of plugin.toml, with what the person has set
	Self    Self
}

// Registration is everything that a plugin wants to be called for.
type Registration struct{ Extensions []Extension }

// Extension is a plugin or a script. A plugin that is no host of others registers one, which bears its own name.
type Extension struct {
	Name        string // letters, digits, "-" and "_"; unique among all
	Version     string
	Description string
	Source      string // a file, for the person to know it by; may be empty
	// Needs are the capabilities that it uses. Of a plugin they are part of what its manifest declares.
	Needs    []Capability
	Commands []Command
	Filters  []Filter
	Observes []Observer
}

// Capability is leave to do something that has consequences outside the extension.
type Capability string

// The capabilities.
const (
	CanSend    Capability = "send"    // say something in the name of the person, marked as written by a program
	CanSpeak   Capability = "speak"   // and not so marked, where the person has typed it elsewhere
	CanHistory Capability = "history" // read what was said, and see events that are not live
	CanStore   Capability = "storage" // keep something
	CanNotify  Capability = "notify"  // draw attention
	CanManage  Capability = "manage"  // names, topics, joining, leaving
)

// Capabilities lists all of them.
func Capabilities() []Capability {
	return []Capability{CanSend, CanSpeak, CanHistory, CanStore, CanNotify, CanManage}
}

// HandlerID names a handler within its extension. The extension chooses it: not 0, not twice.
type HandlerID uint32

// Target is the handler that a call is meant for.
type Target struct {
	Extension string
	Handler   HandlerID
}

// Command is what a person can type. Where the name is taken, it is still called by its full name, "/bell.test" for the
// command "test" of "bell".
type Command struct {
	Handler  HandlerID
	Name     string // without the slash: lower-case letters, digits, "-"
	Usage    string // the arguments, "NAME [TEXT]"; may be empty
	Help     string // one line
	Example  string // a whole line; may be empty
	Min, Max int    // arguments; Max 0 is any number
	Complete bool   // whether [Extender.Complete] is to be asked
	Source   string // where the handler is defined, "poll.lua:12"; may be empty, as in the others
}

// Call is a command that was typed.
type Call struct {
	Target
	Round  string   // the current one, "" if there is none
	Line   string   // all that was typed behind the name, as it stands
	Args   []string // the words of it
	Person bool     // whether somebody types, rather than a program
}

// Completion asks what may follow.
type Completion struct {
	Target
	Round string
	Args  []string // the words before the cursor; the last is the one being typed, and may be empty
}

// Stage is where in the way of a message a filter stands.
type Stage string

// The stages.
const (
	// StageInput sees each line that is entered, commands too, but never one that holds a secret.
	StageInput Stage = "input"
	// StageOutgoing sees each message before it is signed.
	StageOutgoing Stage = "outgoing"
	// StageIncoming sees each message of others after it is verified, and changes what is shown of it everywhere, other
	// extensions and --json included. The chain stays as it is. What is not live it sees only with [CanHistory].
	StageIncoming Stage = "incoming"
	// StageRender sees each message, own ones too, as it is about to be shown to a person, and changes only that. What is not
	// live it sees only with [CanHistory].
	StageRender Stage = "render"
)

// Stages lists all of them.
func Stages() []Stage { return []Stage{StageInput, StageOutgoing, StageIncoming, StageRender} }

// Filter is a handler that decides.
type Filter struct {
	Handler  HandlerID
	Stage    Stage
	Priority int // higher is asked earlier; those of the same by the name of their extension, then by Handler
	// Required: if the filter fails, what it was to decide on does not pass. Only of outgoing ones.
	Required bool
	Source   string
}

// Item is what a filter decides on.
type Item struct {
	Stage   Stage
	Line    string   // at StageInput
	Round   string   // at StageInput and StageOutgoing
	Out     Outgoing // at StageOutgoing
	Message Message  // at StageIncoming and StageRender
}

// Action is what is to be done with an item.
type Action int

// The actions.
const (
	Pass    Action = iota // leave it as it is
	Rewrite               // put Text in place of its text
	Drop                  // do not send it, do not show it; the filters behind are not asked
)

// Verdict is what a filter answers. The zero value lets pass.
type Verdict struct {
	Action Action
	Text   string // with Rewrite
	Reason string // with Drop, for the person; one line
}

// Observer is a handler that is told of events.
type Observer struct {
	Handler HandlerID
	Kind    Kind
	Source  string
}
