package sdktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
)

// Result is what has become of something that was typed or said.
type Result struct {
	ID      hook.MessageID // of what was sent
	Text    string         // what was sent, or is shown, after all filters; empty if it was dropped
	Lines   []string       // what a command has answered
	Dropped bool
	Reason  string // why

	sent hook.Message
}

// Type enters a line: a message, which is sent, or a command of the plugin, "/note add tea" or "/notes.note add tea". The error is
// that of a handler, joined with those of others; a required filter that fails drops.
func (c *Chat) Type(line string) (Result, error) {
	ctx := context.Background()
	name := c.currentName()
	verdict, err := c.filter(ctx, "", hook.Item{Stage: hook.StageInput, Line: line, Round: name})
	if verdict.Dropped {
		return verdict, err
	}
	line = verdict.Text
	var result Result
	var more error
	if command, ok := strings.CutPrefix(line, "/"); ok && !strings.HasPrefix(command, "/") {
		result.Lines, more = c.run(ctx, command)
	} else {
		result, more = c.send(ctx, "", hook.Outgoing{Round: name, Text: strings.TrimPrefix(line, "/"), Form: hook.FormPlain})
	}
	return result, errors.Join(err, more, c.tell())
}

func (c *Chat) currentName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Name
}

// Say has somebody say something in the current round, now. Whoever is no member becomes one.
func (c *Chat) Say(handle, text string) (Result, error) {
	return c.Hear(hook.Message{From: c.Person(handle), Text: text, Live: true})
}

// Hear is Say of any message. What is not set of its id, its times and whom it names is filled in; one that is not live was
// brought by catching up.
func (c *Chat) Hear(m hook.Message) (Result, error) {
	c.mu.Lock()
	r := c.current
	m.ID = cmp.Or(m.ID, c.nextID())
	if m.Written.IsZero() {
		m.Written = c.now
	}
	m.Received = c.now
	m.Mention = m.Mention || mentions(m.Text, r.Handle)
	m = r.add(m)
	c.mu.Unlock()

	ctx := context.Background()
	result, err := c.filter(ctx, "", hook.Item{Stage: hook.StageIncoming, Message: m})
	if result.Dropped {
		return result, err
	}
	m.Text = result.Text
	c.happen(ctx, hook.MessageEvent{Message: m}, "")
	if m.Mention {
		c.happen(ctx, hook.MentionEvent{Message: m}, "")
	}
	err = errors.Join(err, c.tell())
	result, more := c.filter(ctx, "", hook.Item{Stage: hook.StageRender, Message: m})
	return result, errors.Join(err, more)
}

// Complete returns what may stand in place of the last word of a line, as far as it is typed.
func (c *Chat) Complete(line string) ([]string, error) {
	name, rest, typed := strings.Cut(strings.TrimPrefix(line, "/"), " ")
	extension, command := c.command(name)
	if command == nil || !command.Complete || !typed {
		return nil, nil
	}
	args := strings.Fields(rest)
	if rest == "" || strings.HasSuffix(rest, " ") {
		args = append(args, "")
	}
	call := hook.Completion{Target: hook.Target{Extension: extension, Handler: command.Handler}, Round: c.currentName(), Args: args}
	words, err := ask(context.Background(), c, call.Target, func(ctx context.Context) ([]string, error) { return c.plugin.Complete(ctx, call) })
	if err == nil {
		err = hook.CheckCandidates(words)
	}
	return words, err
}

// Happen tells of an event, and of whatever follows from it.
func (c *Chat) Happen(e hook.Event) error {
	c.happen(context.Background(), e, "")
	return c.tell()
}

// Settle tells of what the plugin has done by itself meanwhile.
func (c *Chat) Settle() error { return c.tell() }

// Advance lets time pass: timers fire, each at its time.
func (c *Chat) Advance(d time.Duration) error {
	end := c.Now().Add(d)
	var errs error
	for c.fire(end) {
		errs = errors.Join(errs, c.tell())
	}
	return errs
}

// command finds a command by its name, short or full.
func (c *Chat) command(name string) (extension string, command *hook.Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.extensions {
		for i := range e.Commands {
			if name == e.Commands[i].Name || name == e.Name+"."+e.Commands[i].Name {
				return e.Name, &e.Commands[i]
			}
		}
	}
	return "", nil
}

func (c *Chat) run(ctx context.Context, line string) ([]string, error) {
	name, rest, _ := strings.Cut(line, " ")
	extension, command := c.command(name)
	if command == nil {
		return nil, hook.Errorf(hook.CodeNotFound, "no command /%s", name)
	}
	args := strings.Fields(rest)
	if len(args) < command.Min || command.Max > 0 && len(args) > command.Max {
		return nil, hook.Errorf(hook.CodeInvalid, "usage: /%s %s", name, command.Usage)
	}
	call := hook.Call{
		Target: hook.Target{Extension: extension, Handler: command.Handler}, Round: c.currentName(), Line: rest, Args: args, Person: true,
	}
	lines, err := ask(ctx, c, call.Target, func(ctx context.Context) ([]string, error) { return c.plugin.Run(ctx, call) })
	if err == nil {
		err = hook.CheckLines(lines)
	}
	return lines, err
}

// send has a message pass the outgoing filters of all extensions but the one that says it, "" for the person, and sends it.
func (c *Chat) send(ctx context.Context, from string, m hook.Outgoing) (Result, error) {
	result, failed := c.filter(ctx, from, hook.Item{Stage: hook.StageOutgoing, Round: m.Round, Out: m})
	if result.Dropped {
		return result, failed
	}
	c.mu.Lock()
	r := c.round(m.Round)
	sent := r.add(hook.Message{
		ID: c.nextID(), From: c.me(r), Text: result.Text, Form: m.Form, Auto: m.Auto, Written: c.now, Live: true,
	})
	c.mu.Unlock()
	result.ID, result.sent = sent.ID, sent
	c.happen(ctx, hook.SentEvent{Message: sent, State: hook.Sent}, from)
	return result, failed
}

// asked is a filter of an extension.
type asked struct {
	extension string
	hook.Filter
}

// row lists the filters of a stage in their order.
func (c *Chat) row(item hook.Item, except string) []asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	past := (item.Stage == hook.StageIncoming || item.Stage == hook.StageRender) && !item.Message.Live
	var row []asked
	for _, e := range c.extensions {
		for _, f := range e.Filters {
			if f.Stage == item.Stage && e.Name != except && (!past || c.may(e, hook.CanHistory)) {
				row = append(row, asked{e.Name, f})
			}
		}
	}
	slices.SortFunc(row, func(a, b asked) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.extension, b.extension), cmp.Compare(a.Handler, b.Handler))
	})
	return row
}

// filter asks the row of a stage, each with what the one before has made of the text.
func (c *Chat) filter(ctx context.Context, except string, item hook.Item) (Result, error) {
	text := textOf(&item)
	var failed error
	for _, f := range c.row(item, except) {
		verdict, err := c.decide(ctx, f, item)
		switch {
		case err != nil && f.Required:
			return Result{Dropped: true, Reason: f.extension + " has failed"}, errors.Join(failed, err)
		case err != nil:
			failed = errors.Join(failed, err)
		case verdict.Action == hook.Drop:
			return Result{Dropped: true, Reason: verdict.Reason}, failed
		case verdict.Action == hook.Rewrite:
			*text = verdict.Text
		}
	}
	return Result{Text: *text}, failed
}

func (c *Chat) decide(ctx context.Context, f asked, item hook.Item) (hook.Verdict, error) {
	to := hook.Target{Extension: f.extension, Handler: f.Handler}
	verdict, err := ask(ctx, c, to, func(ctx context.Context) (hook.Verdict, error) { return c.plugin.Filter(ctx, to, item) })
	if err == nil {
		err = verdict.Check(item.Stage)
	}
	if err != nil {
		return verdict, fmt.Errorf("filter %d of %s: %w", f.Handler, f.extension, err)
	}
	return verdict, nil
}

func textOf(item *hook.Item) *string {
	switch item.Stage {
	case hook.StageInput:
		return &item.Line
	case hook.StageOutgoing:
		return &item.Out.Text
	}
	return &item.Message.Text
}

// happen keeps an event to be told: not now, because an extension may be in the middle of what led to it.
func (c *Chat) happen(ctx context.Context, e hook.Event, except string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.happened = append(c.happened, happening{ctx: context.WithoutCancel(ctx), event: e, except: except})
}

// tell tells of everything that has happened, also of what happens meanwhile.
func (c *Chat) tell() error {
	var errs error
	for {
		c.mu.Lock()
		if len(c.happened) == 0 {
			c.mu.Unlock()
			return errs
		}
		h := c.happened[0]
		c.happened = c.happened[1:]
		targets := c.observers(h)
		c.mu.Unlock()
		for _, to := range targets {
			if err := c.observe(h, to); err != nil {
				errs = errors.Join(errs, fmt.Errorf("handler %d of %s, at %q: %w", to.Handler, to.Extension, h.event.Kind(), err))
			}
		}
	}
}

func (c *Chat) observe(h happening, to hook.Target) error {
	_, err := ask(h.ctx, c, to, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.plugin.Observe(ctx, to, h.event) })
	return err
}

// ask makes a call of a handler, unless one has overrun.
func ask[T any](ctx context.Context, c *Chat, to hook.Target, call func(context.Context) (T, error)) (T, error) {
	var none T
	c.mu.Lock()
	overrun := c.overrun
	c.mu.Unlock()
	if overrun != nil {
		return none, overrun
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	value, err := call(ctx)
	if err == nil || ctx.Err() == nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.overrun = &OverrunError{Target: to, Source: c.source(to), Patience: c.patience}
	return none, c.overrun
}

// observers needs c.mu.
func (c *Chat) observers(h happening) []hook.Target {
	var targets []hook.Target
	for _, e := range c.extensions {
		if e.Name == h.except || h.only != "" && e.Name != h.only || !hook.Live(h.event) && !c.may(e, hook.CanHistory) {
			continue
		}
		for _, o := range e.Observes {
			if o.Kind == h.event.Kind() {
				targets = append(targets, hook.Target{Extension: e.Name, Handler: o.Handler})
			}
		}
	}
	return targets
}
