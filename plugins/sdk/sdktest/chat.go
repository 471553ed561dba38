// Package sdktest runs a plugin against a chat that is none: no process, no network, and a clock that stands still until it is told
// to go on. What happens in it is what its caller makes happen, one thing after the other, and what the plugin does can be
// looked at afterwards.
//
//	chat, err := sdktest.New(plugin, sdktest.Options{})
//	…
//	chat.Say("bob", "alice: are you there?")
//	chat.Notified() // what the plugin has made of it
//
// The fake keeps the rules that the real chat does: capabilities, limits, who is asked in which order, what reaches only an
// extension that has declared [hook.CanHistory]. It knows no budgets, and no strikes: a handler that fails is an error of the
// call that led to it. With [Options.Wire] all that is said crosses gRPC, as it does between processes.
//
// It needs no testing.T, so that programs can use it, too.
package sdktest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/wire/wiretest"
)

// patience is that of a chat whose options say nothing of it. It is long, so that only what hangs is found out, on the slowest
// machine.
const patience = 10 * time.Second

// Options say what a chat is like. The zero value is one of alice, in a round "friends" with bob.
type Options struct {
	Config  any               // what is handed to the plugin, as JSON
	Granted []hook.Capability // nil is all that are declared
	Handle  string
	Now     time.Time
	Wire    bool // talk to the plugin over gRPC
	// Patience is how long the plugin may take for a call; 0 is ten seconds.
	Patience time.Duration
}

// OverrunError says that a handler has not come back within [Options.Patience]. It may still run, so nothing is called any more:
// every call fails with this error from then on.
type OverrunError struct {
	hook.Target
	Source   string // where it is defined; may be empty
	Patience time.Duration
}

func (e *OverrunError) Error() string {
	return fmt.Sprintf("handler %d of %s (%s) did not come back within %v", e.Handler, e.Extension, e.Source, e.Patience)
}

// Chat is a fake chat. Its methods are for one goroutine; the plugin may call the chat from any.
type Chat struct {
	plugin   hook.Extender
	end      func()
	name     string
	wire     bool
	granted  []hook.Capability
	patience time.Duration
	overrun  error // what is answered to every call once there is one

	mu      sync.Mutex
	now     time.Time
	config  json.RawMessage
	self    hook.Self
	rounds  []*round
	current *round
	ids     int

	extensions []hook.Extension
	storage    map[string]map[string][]byte
	timers     map[timerKey]*timer
	happened   []happening // not yet told

	sent     []hook.Message
	printed  []Line
	notified []Line
	logged   []Line
}

// Line is something that a plugin has printed, notified of or logged.
type Line struct {
	From  string // the extension
	Round string
	Level hook.Level // of what is logged
	Text  string
}

// round is one that the chat is in.
type round struct {
	hook.Round
	members []hook.Member
	history []hook.Message
}

// happening is an event, and the extension that is not told because it did it itself.
type happening struct {
	ctx    context.Context
	event  hook.Event
	except string
	only   string // the extension that alone is told, "" for all
}

// New starts a plugin.
func New(p sdk.Plugin, o Options) (*Chat, error) { return NewExtender(p.Name, p.Extender(), o) }

// NewExtender starts what answers the contract itself, as a plugin of a name.
func NewExtender(name string, e hook.Extender, o Options) (*Chat, error) {
	if o.Handle == "" {
		o.Handle = "alice"
	}
	if o.Now.IsZero() {
		o.Now = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	}
	c := &Chat{
		name: name, wire: o.Wire, granted: o.Granted, now: o.Now, patience: cmp.Or(o.Patience, patience),
		self:    hook.Self{Handle: o.Handle, Fingerprint: fingerprint(o.Handle), Device: fingerprint(o.Handle + "'s device")},
		storage: map[string]map[string][]byte{},
	}
	if err := c.Configure(o.Config); err != nil {
		return nil, err
	}
	c.Switch("friends")
	c.member("bob")
	if err := c.begin(e); err != nil {
		return nil, err
	}
	return c, nil
}

// begin starts what is to answer from now on.
func (c *Chat) begin(e hook.Extender) (err error) {
	c.plugin, c.end = e, func() {}
	c.mu.Lock()
	c.extensions, c.timers = nil, map[timerKey]*timer{}
	c.mu.Unlock()
	if c.wire {
		if c.plugin, c.end, err = wiretest.Connect(e); err != nil {
			return err
		}
	}
	if err := c.start(); err != nil {
		c.end()
		return err
	}
	return nil
}

// Configure changes what the plugin is told at its next start, and when it asks for its configuration; nil is an empty one.
func (c *Chat) Configure(v any) error {
	config := []byte("{}")
	if v != nil {
		var err error
		if config, err = json.Marshal(v); err != nil {
			return fmt.Errorf("encoding the config: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config = config
	return nil
}

func (c *Chat) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	hello := hook.Hello{Version: hook.Version, Chat: "sdktest", Name: c.name, Config: c.config, Self: c.self}
	all, err := c.plugin.Start(ctx, hello, &host{c})
	if err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	if err := c.register(all); err != nil {
		return fmt.Errorf("registering %s: %w", c.name, err)
	}
	return c.tell()
}

func (c *Chat) register(all hook.Registration) error {
	if err := all.Check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.extensions
	c.extensions = slices.Clone(all.Extensions)
	for _, e := range c.extensions {
		if !slices.ContainsFunc(before, func(o hook.Extension) bool { return o.Name == e.Name }) {
			c.happened = append(c.happened, happening{ctx: context.Background(), event: hook.Started{}, only: e.Name})
		}
	}
	for key := range c.timers {
		if c.extension(key.extension) == nil {
			delete(c.timers, key)
		}
	}
	return nil
}

// Close ends the chat: the plugin is told, stopped, and nothing of it is left but what it has started itself.
func (c *Chat) Close() error {
	err := c.Happen(hook.Shutdown{})
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	err = errors.Join(err, c.plugin.Stop(ctx))
	c.end()
	return err
}

// Restart ends the plugin, as [Chat.Close] does, and starts what is to be in its place, as when a chat has ended and begins again.
// What is stored stays, and so do the rounds with what was said in them, and the clock.
func (c *Chat) Restart(e hook.Extender) error { return errors.Join(c.Close(), c.begin(e)) }

// Registered returns what the plugin wants to be called for.
func (c *Chat) Registered() []hook.Extension {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.extensions)
}

// Switch makes a round the current one; one that is not there is begun.
func (c *Chat) Switch(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = c.enter(name)
}

// Current returns the current round.
func (c *Chat) Current() hook.Round {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.info(c.current)
}

// Person returns a member of the current round, who becomes one if they are none.
func (c *Chat) Person(handle string) hook.Person {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.member(handle)
}

// Sent returns what extensions have sent, Printed, Notified and Logged the rest of what they have done, from the beginning.
func (c *Chat) Sent() []hook.Message { return snapshot(c, &c.sent) }

// Printed returns what was shown to the person.
func (c *Chat) Printed() []Line { return snapshot(c, &c.printed) }

// Notified returns what attention was drawn to.
func (c *Chat) Notified() []Line { return snapshot(c, &c.notified) }

// Logged returns the log of all extensions.
func (c *Chat) Logged() []Line { return snapshot(c, &c.logged) }

func snapshot[T any](c *Chat, all *[]T) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(*all)
}

// Stored returns what an extension keeps under a key, nil if nothing.
func (c *Chat) Stored(extension, key string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.storage[extension][key]
}

// Now returns the time in the chat.
func (c *Chat) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// What follows needs c.mu.

func (c *Chat) extension(name string) *hook.Extension {
	for i := range c.extensions {
		if c.extensions[i].Name == name {
			return &c.extensions[i]
		}
	}
	return nil
}

// source is where a handler is defined, if its extension says so.
func (c *Chat) source(of hook.Target) string {
	e := c.extension(of.Extension)
	if e == nil {
		return ""
	}
	sources := map[hook.HandlerID]string{}
	for _, h := range e.Commands {
		sources[h.Handler] = h.Source
	}
	for _, h := range e.Filters {
		sources[h.Handler] = h.Source
	}
	for _, h := range e.Observes {
		sources[h.Handler] = h.Source
	}
	return sources[of.Handler]
}

// round finds a round by its name or its tag, nil if there is none.
func (c *Chat) round(name string) *round {
	for _, r := range c.rounds {
		if name == r.Name || name == r.Tag {
			return r
		}
	}
	return nil
}

// enter returns a round, which is begun if it is not there.
func (c *Chat) enter(name string) *round {
	if r := c.round(name); r != nil {
		return r
	}
	r := &round{Round: hook.Round{Name: name, Tag: fingerprint("round " + name), Handle: c.self.Handle}}
	r.members = []hook.Member{{Person: c.me(r), Devices: 1, Joined: c.now}}
	c.rounds = append(c.rounds, r)
	return r
}

func (c *Chat) me(r *round) hook.Person {
	return hook.Person{Handle: r.Handle, Fingerprint: c.self.Fingerprint, Own: true}
}

// member returns somebody, who from now on is a member of the current round.
func (c *Chat) member(handle string) hook.Person {
	for _, m := range c.current.members {
		if m.Handle == handle {
			return m.Person
		}
	}
	p := hook.Person{Handle: handle, Fingerprint: fingerprint(handle)}
	c.current.members = append(c.current.members, hook.Member{Person: p, Online: true, Devices: 1, Joined: c.now, Seen: c.now})
	return p
}

func (c *Chat) nextID() hook.MessageID {
	c.ids++
	return hook.MessageID(fmt.Sprintf("%064x", c.ids))
}

// info is what there is to say of a round.
func (r *round) info(current *round) hook.Round {
	i := r.Round
	i.Members, i.Current = len(r.members), r == current
	for _, m := range r.members {
		if m.Online && !m.Own {
			i.Online++
		}
	}
	return i
}

// add puts a message into a round's history.
func (r *round) add(m hook.Message) hook.Message {
	m.Cursor = hook.Cursor(fmt.Sprintf("%08d", len(r.history)+1))
	m.Round, m.Tag = r.Name, r.Tag
	if m.Form == "" {
		m.Form = hook.FormPlain
	}
	r.history = append(r.history, m)
	return m
}

func fingerprint(of string) string {
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:16])
}

func mentions(text, handle string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, handle) })
}
