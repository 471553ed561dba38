package shell

import (
	"context"
	"sync"
	"time"

	"opentalk/engine"
	"opentalk/plugins"
	"opentalk/plugins/hook"
)

// extensions is the shell's side of plugins and scripts: what they ask of the chat, and in which order what happens passes
// them ([sieve]). A nil *extensions is none: every line and every event goes its way at once.
type extensions struct {
	host  *plugins.Host
	shell *Shell

	mu      sync.Mutex
	told    []func(view) // by extensions, for the loop to show
	wake    chan struct{}
	sending sync.RWMutex // held for reading while an own message of an extension gets its id
}

// Child is how this program is started again to run the scripts.
type Child struct {
	Exec    string // a whole path
	Args    []string
	Manager string // the extension that /script is a command of
	// Wanted reports whether there is a script in a folder that runs from the start. If not, a chat without a person at it, which
	// may be there for one line only, starts the child when a line is about extensions.
	Wanted func(folder string) bool
}

// scriptsName is that of the plugin that runs the scripts.
const scriptsName = "scripts"

// settleTime bounds how long the first line waits for extensions to be there.
const settleTime = 5 * time.Second

// Extend has plugins and scripts run with the shell, unless the person wants none. It is called before Run.
func (s *Shell) Extend(scripts Child) {
	if s.opts.NoExtensions {
		return
	}
	var builtins []plugins.Builtin
	folder := s.paths.scripts()
	if scripts.Exec != "" {
		builtins = append(builtins, plugins.Builtin{
			Name: scriptsName, Exec: scripts.Exec, Args: scripts.Args, Manager: scripts.Manager,
			Asleep: !s.person && !scripts.Wanted(folder),
		})
	}
	reserved := make([]string, 0, 64)
	for _, c := range commands() {
		reserved = append(reserved, c.name)
	}
	s.ext = &extensions{shell: s, wake: make(chan struct{}, 1), host: plugins.New(plugins.Config{
		Dir: s.paths.data, Version: Version, Reserved: reserved, Builtins: builtins, Log: s.log, OnPanic: s.giveBack,
		Settings: (&settings{paths: s.paths, flags: s.flags, last: s.opts}).of,
	})}
}

// settings owns what config.toml has for extensions.
type settings struct {
	paths paths
	flags Options

	mu   sync.Mutex
	last Options // read without a mistake
}

// of reads the file anew and returns what is in it for a plugin; with an error what was there before.
func (s *settings) of(plugin string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.flags
	err := now.readConfig(s.paths.configFile())
	if err == nil {
		s.last = now
	} else {
		err = &hook.Error{Code: hook.CodeInvalid, Text: newReport(err, 0).text, Hint: "mend it, and do this again: nothing was changed"}
	}
	if plugin == scriptsName {
		return map[string]any{"folder": s.paths.scripts(), "config": s.last.Scripts}, err
	}
	return s.last.Plugins[plugin], err
}

// start starts what is enabled, and waits until it is there. It blocks.
func (x *extensions) start(ctx context.Context) error {
	if x == nil {
		return nil
	}
	err := x.host.Start(x) // the host is of use all the same
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	x.host.Settled(ctx)
	return err
}

// awakened starts what was left asleep, if a line can be about it, and reports whether it does: then the line is run afterwards.
func (s *Shell) awakened(in input) bool {
	name, _, is := splitCommand(in.text)
	if s.ext == nil || !is || lookup(name) != nil && name != "help" && name != "plugin" || !s.ext.host.Asleep() {
		return false
	}
	s.busy = true
	s.spawn(func() {
		ctx, cancel := context.WithTimeout(s.ctx, settleTime)
		defer cancel()
		s.ext.host.Wake(ctx)
		s.post(func() {
			s.busy = false
			s.queue = append([]input{in}, s.queue...)
		})
	})
	return true
}

// close ends every extension. It blocks.
func (x *extensions) close() {
	if x != nil {
		x.host.Close()
	}
}

// observe tells extensions of what has happened.
func (x *extensions) observe(events ...hook.Event) {
	if x == nil {
		return
	}
	for _, ev := range events {
		x.host.Observe(ev)
	}
}

// show has the loop show something, in order, and does not wait for it.
func (x *extensions) show(f func(view)) {
	x.mu.Lock()
	x.told = append(x.told, f)
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// awake gets a token when there is something to show.
func (x *extensions) awake() <-chan struct{} {
	if x == nil {
		return nil
	}
	return x.wake
}

// take is what there is to show.
func (x *extensions) take() []func(view) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.told
	x.told = nil
	return all
}

// ask runs f on the loop, past everything that waits in the sieve: what waits there may be waiting for this answer.
func ask[T any](ctx context.Context, s *Shell, f func() (T, error)) (value T, err error) {
	done := make(chan struct{})
	select {
	case s.asks <- func() { value, err = f(); close(done) }:
		<-done
		return value, err
	case <-ctx.Done():
		return value, ctx.Err()
	case <-s.done:
		return value, hook.Errorf(hook.CodeClosed, "the chat ends")
	}
}

// round finds a round by its name or its tag.
func (x *extensions) round(ctx context.Context, name string) (engine.Round, error) {
	return ask(ctx, x.shell, func() (engine.Round, error) {
		for _, r := range x.shell.book.rounds {
			if r.Name == name || r.Tag.String() == name {
				return r, nil
			}
		}
		return engine.Round{}, hook.Errorf(hook.CodeNotFound, "no round %q", name)
	})
}

// hookError makes of an error of the engine one of the contract.
func hookError(err error) error {
	if err == nil {
		return nil
	}
	r := newReport(err, 0)
	code := hook.CodeFailed
	switch r.code {
	case "no-round", "unknown-round", "unknown-member":
		code = hook.CodeNotFound
	case "too-long":
		code = hook.CodeTooBig
	case "not-utf8", "empty", "bad-name", "bad-topic", "bad-invite", "bad-address", "already-joined":
		code = hook.CodeInvalid
	case "closed", "interrupted":
		code = hook.CodeClosed
	}
	return &hook.Error{Code: code, Text: r.text, Hint: r.hint}
}

// senders returns once every message that is being sent for an extension has told its id: events of it wait for that.
func (x *extensions) senders() {
	x.sending.Lock()
	defer x.sending.Unlock()
}

// What follows is [plugins.Chat].

// Send says something for an extension, or for a person who types at one.
func (x *extensions) Send(ctx context.Context, m hook.Outgoing, took func(hook.MessageID)) error {
	r, err := x.round(ctx, m.Round)
	if err != nil {
		return err
	}
	x.sending.RLock()
	defer x.sending.RUnlock()
	id, err := x.shell.engine.Send(r.Tag, m.Text, hookForm(m.Form), m.Auto)
	if err == nil {
		took(hook.MessageID(messageID(id)))
	}
	return hookError(err)
}

// Print shows what an extension says, to the person alone.
func (x *extensions) Print(from, round, text string) {
	x.show(func(v view) { v.aside(aside{extension: from, round: round, text: text}) })
}

// Notify does so, and draws attention.
func (x *extensions) Notify(from, text string) {
	x.show(func(v view) { v.aside(aside{extension: from, text: text, ring: true}) })
}

// Fault tells that an extension was turned off.
func (x *extensions) Fault(f plugins.Fault) {
	x.show(func(v view) {
		v.fail(newReport(faultf(errExtensionOff, "%s", f.Text).
			but("%s tries again; /plugin log %s shows what it said", f.Again, f.Extension), 0))
	})
}

// Me tells who runs this chat.
func (x *extensions) Me(context.Context) (hook.Self, error) {
	self := x.shell.engine.Self()
	return hook.Self{Handle: self.Handle, Fingerprint: self.Fingerprint.String(), Device: self.Device.String()}, nil
}

// Rounds lists the rounds of this device.
func (x *extensions) Rounds(ctx context.Context) ([]hook.Round, error) {
	all, err := x.shell.engine.Rounds()
	if err != nil {
		return nil, hookError(err)
	}
	return ask(ctx, x.shell, func() (list []hook.Round, _ error) {
		for _, r := range all {
			list = append(list, x.shell.book.hookRound(r))
		}
		return list, nil
	})
}

// in asks the engine about a round, and puts the answer into the values of the contract.
func in[E, H any](
	ctx context.Context, x *extensions, round string, get func(engine.Tag) ([]E, error), put func(*book, E) H,
) ([]H, error) {
	r, err := x.round(ctx, round)
	if err != nil {
		return nil, err
	}
	all, err := get(r.Tag)
	if err != nil {
		return nil, hookError(err)
	}
	return ask(ctx, x.shell, func() ([]H, error) {
		list := make([]H, len(all))
		for i, e := range all {
			list[i] = put(x.shell.book, e)
		}
		return list, nil
	})
}

// Peers lists the links of a round.
func (x *extensions) Peers(ctx context.Context, round string) ([]hook.Peer, error) {
	return in(ctx, x, round, func(tag engine.Tag) (online []engine.Peer, err error) {
		all, err := x.shell.engine.Peers(tag)
		for _, p := range all {
			if p.State == engine.Online {
				online = append(online, p)
			}
		}
		return online, err
	}, hookPeer)
}

// Members lists the people of a round.
func (x *extensions) Members(ctx context.Context, round string) ([]hook.Member, error) {
	return in(ctx, x, round, x.shell.engine.Members, hookMember)
}

// History reads what was said in a round.
func (x *extensions) History(ctx context.Context, q hook.Query) ([]hook.Message, error) {
	return in(ctx, x, q.Round, func(tag engine.Tag) ([]engine.Message, error) { return x.read(ctx, tag, q) },
		func(b *book, m engine.Message) hook.Message { return b.hookMessage(m) })
}

func (x *extensions) read(ctx context.Context, tag engine.Tag, q hook.Query) (all []engine.Message, err error) {
	if q.After == "" && q.Since.IsZero() {
		before, err := placeOf(q.Before, q.Until)
		if err != nil {
			return nil, err
		}
		return x.shell.engine.History(tag, before, q.Limit)
	}
	after, err := placeOf(q.After, q.Since)
	if err != nil {
		return nil, err
	}
	n, err := x.shell.engine.Arrived(ctx, tag)
	if err != nil {
		return nil, err
	}
	for m, err := range x.shell.engine.After(ctx, tag, after, n) {
		if err != nil {
			return nil, err
		}
		if all = append(all, m); len(all) == q.Limit {
			break
		}
	}
	return all, nil
}

// placeOf is the position that a cursor or, without one, a moment names; the zero one for neither.
func placeOf(c hook.Cursor, at time.Time) (engine.Position, error) {
	switch {
	case c != "":
		return positionOf(c)
	case !at.IsZero():
		return engine.PositionAt(at), nil
	}
	return engine.Position{}, nil
}

// SetNick changes the own name in a round.
func (x *extensions) SetNick(ctx context.Context, round, handle string) error {
	r, err := x.round(ctx, round)
	if err == nil {
		_, err = x.shell.engine.Rename(r.Tag, handle)
		err = hookError(err)
	}
	return err
}

// SetTopic changes the topic of a round.
func (x *extensions) SetTopic(ctx context.Context, round, topic string) error {
	r, err := x.round(ctx, round)
	if err == nil {
		_, err = x.shell.engine.SetTopic(r.Tag, topic)
		err = hookError(err)
	}
	return err
}

// Join enters the round of an invite. The person stays where they are.
func (x *extensions) Join(ctx context.Context, invite string) (hook.Round, error) {
	inv, err := engine.ParseInvite(invite)
	if err != nil {
		return hook.Round{}, hookError(err)
	}
	r, err := x.shell.engine.Join(ctx, inv)
	if err != nil {
		return hook.Round{}, hookError(err)
	}
	return ask(ctx, x.shell, func() (hook.Round, error) { return x.shell.book.hookRound(r), nil })
}

// Leave says goodbye to a round for good.
func (x *extensions) Leave(ctx context.Context, round string) error {
	r, err := x.round(ctx, round)
	if err != nil {
		return err
	}
	if _, err := x.shell.engine.Leave(ctx, r.Tag); err != nil {
		return hookError(err)
	}
	_, err = ask(ctx, x.shell, func() (struct{}, error) {
		x.shell.left(r)
		return struct{}{}, nil
	})
	return err
}
