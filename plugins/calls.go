package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
)

// Filter passes an item through the filters of its stage. It takes [hook.RowBudget] at most. A filter that fails lets pass and
// is named in the outcome, but a required one drops.
func (h *Host) Filter(ctx context.Context, item hook.Item) Outcome {
	row := h.view.Load().rows[item.Stage]
	if len(row) == 0 {
		return Outcome{Text: textOf(item)}
	}
	var why cause
	if item.Stage == hook.StageRender {
		why = h.senders.of(item.Message.ID)
	}
	return h.filter(ctx, row, item, why)
}

func (h *Host) filter(ctx context.Context, row []step, item hook.Item, why cause) Outcome {
	return run(withCause(ctx, why), row, h.budgets.row, item, why.from, func(s step, err error) {
		h.failed(s.ext, s.filter.Handler, err)
	})
}

// Observe tells every extension that wants to know of something that happened. It does not wait for any.
func (h *Host) Observe(event hook.Event) {
	watchers := h.view.Load().watchers[event.Kind()]
	if len(watchers) == 0 {
		return
	}
	why, live := h.causeOf(event), hook.Live(event)
	for _, e := range watchers {
		sent := event.Kind() == hook.KindSent && why.from == e.Name
		if !sent && (live || e.may(hook.CanHistory)) {
			e.queue.put(event, why)
		}
	}
}

func (h *Host) causeOf(event hook.Event) cause {
	switch e := event.(type) {
	case hook.SentEvent:
		return h.senders.of(e.Message.ID)
	case hook.DeliveryEvent:
		return h.senders.of(e.ID)
	}
	return cause{}
}

// deliver hands an event to the observers of an extension, one after the other. It reports false if its process was gone
// before it could be told.
func (h *Host) deliver(name string, t told) (taken bool) {
	if t.missed > 0 && !h.tell(name, hook.Missed{Count: t.missed}, cause{}) {
		return false
	}
	return h.tell(name, t.event, t.cause)
}

func (h *Host) tell(name string, event hook.Event, why cause) (taken bool) {
	v := h.view.Load()
	e := v.extensions[name]
	if e == nil || e.over.Load() || v.awaited[name] && event.Kind() != hook.KindStart {
		return false
	}
	budget := hook.ObserveBudget
	if event.Kind() == hook.KindStart {
		budget = hook.StartBudget
	}
	for i, o := range e.observers(event.Kind()) {
		ctx, cancel := context.WithTimeout(withCause(context.Background(), why), budget)
		_, err := invoke(ctx, e, o.Handler, func(ctx context.Context, x hook.Extender) (struct{}, error) {
			return struct{}{}, x.Observe(ctx, hook.Target{Extension: name, Handler: o.Handler}, event)
		})
		cancel()
		if errors.Is(err, errAway) && i == 0 {
			return false
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = overrun(budget)
		}
		if err != nil {
			h.failed(name, o.Handler, err)
		}
		if event.Kind() == hook.KindStart && !has(err, hook.CodeClosed) {
			h.arrived(e, err == nil)
		}
	}
	return true
}

// arrived takes note that an extension has taken its start, and whether it has come up: then what it has registered by
// now is all that there is.
func (h *Host) arrived(e *extension, well bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.was = nil
	if now := h.view.Load().extensions[e.Name]; now != nil && well {
		e.guest.keepRequired(now, true)
	}
	h.rebuild()
}

// Commands returns all that can be typed now, in alphabetical order. The caller must not change them.
func (h *Host) Commands() []Command { return h.view.Load().commands }

// Command finds a command by its bare or its full name.
func (h *Host) Command(name string) (Command, bool) {
	c := h.view.Load().names[name]
	if c == nil {
		return Command{}, false
	}
	return *c, true
}

// Run runs a command, for [hook.CommandBudget] at most, and returns what it answers: foreign text. call needs no target. The
// extension has been told of what happened before, unless it takes longer than [hook.FilterBudget] for that. If its process
// is being started again, it has [hook.StartBudget] to come back.
func (h *Host) Run(ctx context.Context, c Command, call hook.Call) ([]string, error) {
	for {
		now, err := h.back(ctx, c)
		if err != nil {
			return nil, err
		}
		lines, err := h.run(ctx, now, call)
		if !errors.Is(err, errAway) {
			return lines, err
		}
	}
}

// back returns a command as it is registered now, when its extension is there.
func (h *Host) back(ctx context.Context, c Command) (Command, error) {
	waiting, cancel := context.WithTimeout(ctx, hook.StartBudget)
	defer cancel()
	for {
		v := h.view.Load()
		e, awaited := v.extensions[c.Extension], v.awaited[c.Extension]
		switch {
		case awaited, e != nil && e.proc.child.hasExited():
		case e == nil:
			return c, hook.Errorf(hook.CodeClosed, "extension %q is not running", c.Extension)
		case v.names[c.Full] == nil:
			return c, hook.Errorf(hook.CodeNotFound, "extension %q has no command /%s any more", c.Extension, c.Name)
		default:
			return *v.names[c.Full], nil
		}
		select {
		case <-v.replaced:
		case <-waiting.Done():
			return c, hook.Errorf(hook.CodeClosed, "extension %q is being started again, and not there yet", c.Extension)
		}
	}
}

func (h *Host) run(ctx context.Context, c Command, call hook.Call) ([]string, error) {
	if e := h.view.Load().extensions[c.Extension]; e != nil {
		abreast, cancel := context.WithTimeout(ctx, hook.FilterBudget)
		h.idle(abreast, []*extension{e})
		cancel()
	}
	call.Target = hook.Target{Extension: c.Extension, Handler: c.Handler}
	return answer(ctx, h, c, hook.CommandBudget, func(ctx context.Context, x hook.Extender) ([]string, error) {
		return x.Run(ctx, call)
	})
}

// Complete returns what may stand in place of the last word of a command. It gives nothing rather than an error.
func (h *Host) Complete(ctx context.Context, c Command, ask hook.Completion) []string {
	e := h.view.Load().extensions[c.Extension]
	if !c.Complete || e == nil {
		return nil
	}
	ask.Target = hook.Target{Extension: c.Extension, Handler: c.Handler}
	words, _ := answer(ctx, h, c, e.guest.budget(), func(ctx context.Context, x hook.Extender) ([]string, error) {
		return x.Complete(ctx, ask)
	})
	return words
}

// answer asks a command for something. An error with a code is an answer, too; others count as failures.
func answer(
	ctx context.Context, h *Host, c Command, budget time.Duration, f func(context.Context, hook.Extender) ([]string, error),
) ([]string, error) {
	e := h.view.Load().extensions[c.Extension]
	if e == nil {
		return nil, hook.Errorf(hook.CodeClosed, "extension %q is not running", c.Extension)
	}
	asking, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	lines, err := invoke(asking, e, c.Handler, f)
	if err != nil && ctx.Err() == nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = overrun(budget)
		}
		switch {
		case has(err, hook.CodeFailed):
			h.failed(c.Extension, c.Handler, err)
		case has(err, hook.CodeClosed) && !errors.Is(err, errAway):
			err = hook.Errorf(hook.CodeClosed, "extension %q ended before it answered", c.Extension)
		}
	}
	return lines, err
}

// errSuspect is why an extension was not called: another one that may have ended their process was.
var errSuspect = hook.Errorf(hook.CodeClosed, "its plugin is being looked at")

// invoke makes a call of a handler. It returns with ctx at the latest. The handler gets no other call before it has answered
// this one; a builtin's is waited for behind the scenes, to see whether it comes back, and whether with an error.
func invoke[T any](
	ctx context.Context, e *extension, id hook.HandlerID, f func(context.Context, hook.Extender) (T, error),
) (T, error) {
	var none T
	leave, err := e.enter(ctx, id)
	if err != nil {
		return none, err
	}
	c, err := e.proc.beginCall(ctx, e.Name, id)
	if err != nil {
		leave()
		return none, err
	}
	calling := context.WithValue(ctx, callKey{}, c)
	if e.guest.builtin != nil {
		calling = context.WithoutCancel(calling)
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer e.host.cfg.OnPanic()
		v, err := f(calling, e.proc.extender)
		err = e.proc.endCall(c, err)
		leave()
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		if e.guest.builtin != nil {
			go func() {
				defer e.host.cfg.OnPanic()
				if a := <-answers; has(a.err, hook.CodeFailed) {
					e.host.failed(e.Name, id, a.err)
				}
			}()
		}
		return none, ctx.Err()
	}
}

// enter waits until the handler is free, and, of an extension that may have ended its process, every other such. leave must be
// called at the end of the call.
func (e *extension) enter(ctx context.Context, id hook.HandlerID) (leave func(), err error) {
	trial := e.suspect.Load()
	if trial {
		select {
		case e.guest.trial <- struct{}{}:
		case <-ctx.Done():
			return nil, errSuspect
		}
	}
	slot := e.slot(id)
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		if trial {
			<-e.guest.trial
		}
		return nil, ctx.Err()
	}
	return func() {
		<-slot
		if trial {
			<-e.guest.trial
		}
	}, nil
}

// failed takes note of a failure of a handler. The third within a minute turns its extension off. That a builtin was late is
// not one: it measures what its extensions compute, and answers with an error when that was too much, be it afterwards; the
// rest is for others to answer for, who keep the machine or its process busy.
func (h *Host) failed(name string, id hook.HandlerID, err error) {
	if has(err, hook.CodeClosed) {
		return // its process has ended, which is counted elsewhere
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.view.Load().extensions[name]
	if e == nil || e.guest.isOff(name) {
		return
	}
	what := e.guest.describe(name, id) + err.Error()
	var late overrun
	if e.guest.builtin != nil && errors.As(err, &late) {
		e.log.line("host", what)
		return
	}
	e.log.line("error", what)
	if !e.guest.manages(name) && e.guest.mark(name).strikes.add(time.Now()) {
		h.turnOff(e.guest, name, fmt.Sprintf("%d failures within a minute, the last of the %s", hook.Strikes, what))
	}
}

// turnOff makes an extension get no more calls, and tells the person. A plugin all of whose extensions are off is ended,
// unless it is builtin. h.mu is held.
func (h *Host) turnOff(g *guest, name, why string) {
	m := g.mark(name)
	if m.off {
		return
	}
	m.off = true
	source, rest := "", false
	for _, e := range g.extensions {
		if e.Name == name {
			e.end()
			source = e.Source
		}
		rest = rest || !g.isOff(e.Name)
	}
	kind := "extension"
	if g.name == name {
		kind, source = "plugin", g.manifest.Exec
	}
	if source != "" {
		source = " (" + source + ")"
	}
	h.fault(name, fmt.Sprintf("%s %q%s was turned off: %s", kind, name, source, why))
	if g.builtin == nil && !rest && g.proc != nil {
		g.state, g.why = StateOff, why
		g.cancel()
	}
	h.rebuild()
}

// fault tells the person. The line has one line only. h.mu is held, which is why the chat is told on the side.
func (h *Host) fault(name, text string) {
	h.logOf(name).line("host", text)
	go func() {
		defer h.cfg.OnPanic()
		h.chat.Fault(Fault{Extension: name, Text: strings.Join(strings.Fields(text), " "), Again: "/plugin enable " + name})
	}()
}

// describe names a handler, for a line: "outgoing filter (poll.lua:12): ". Host.mu is held.
func (g *guest) describe(name string, id hook.HandlerID) string {
	what, source := "handler", ""
	for _, e := range g.extensions {
		if e.Name != name {
			continue
		}
		for _, c := range e.Commands {
			if c.Handler == id {
				what, source = "command /"+c.Name, c.Source
			}
		}
		for _, f := range e.Filters {
			if f.Handler == id {
				what, source = string(f.Stage)+" filter", f.Source
			}
		}
		for _, o := range e.Observes {
			if o.Handler == id {
				what, source = "observer of "+string(o.Kind), o.Source
			}
		}
	}
	if source != "" {
		what += " (" + source + ")"
	}
	return what + ": "
}

// Filters reports whether anything passes a filter at one of these stages now.
func (h *Host) Filters(stages ...hook.Stage) bool {
	rows := h.view.Load().rows
	return slices.ContainsFunc(stages, func(s hook.Stage) bool { return len(rows[s]) > 0 })
}
