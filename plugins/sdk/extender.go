package sdk

import (
	"context"

	"opentalk/plugins/hook"
)

// Extender returns the plugin as the contract has it, for [ServeExtender] and for package sdktest.
func (p Plugin) Extender() hook.Extender {
	return &extender{plugin: p, handlers: map[hook.HandlerID]*handler{}}
}

// extender calls the handlers of a plugin. Its fields are set by Start, before there are other calls.
type extender struct {
	plugin   Plugin
	host     *Host
	handlers map[hook.HandlerID]*handler
}

// handler is a command, a filter or an event. turn holds a token while nobody runs it.
type handler struct {
	command Command
	filter  Filter
	event   Event
	turn    chan struct{}
}

// enter waits for the handler to be free: the chat gives up on a call that takes too long, and makes the next one while
// the handler still runs. leave ends the turn.
func (h *handler) enter(ctx context.Context) (leave func(), err error) {
	select {
	case <-h.turn:
		return func() { h.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *extender) Start(ctx context.Context, hello hook.Hello, host hook.Host) (hook.Registration, error) {
	p := e.plugin
	if hello.Name != p.Name {
		return hook.Registration{}, hook.Errorf(hook.CodeInvalid, "this is plugin %q, and was started as %q", p.Name, hello.Name)
	}
	all, err := e.register()
	if err != nil {
		return hook.Registration{}, err
	}
	if err := all.Check(); err != nil {
		return hook.Registration{}, err
	}
	e.host = &Host{host: host, hello: hello}
	if p.Start != nil {
		if err := p.Start(ctx, e.host); err != nil {
			return hook.Registration{}, err
		}
	}
	return all, nil
}

// register numbers the handlers.
func (e *extender) register() (hook.Registration, error) {
	p := e.plugin
	x := hook.Extension{Name: p.Name, Version: p.Version, Description: p.Description, Needs: p.Needs}
	add := func(h handler) hook.HandlerID {
		id := hook.HandlerID(len(e.handlers) + 1)
		h.turn = make(chan struct{}, 1)
		h.turn <- struct{}{}
		e.handlers[id] = &h
		return id
	}
	for _, c := range p.Commands {
		if c.Run == nil {
			return hook.Registration{}, hook.Errorf(hook.CodeInvalid, "command %q has no Run", c.Name)
		}
		x.Commands = append(x.Commands, hook.Command{
			Handler: add(handler{command: c}), Name: c.Name, Usage: c.Usage, Help: c.Help, Example: c.Example,
			Min: c.Min, Max: c.Max, Complete: c.Complete != nil, Source: source(c.Run),
		})
	}
	for _, f := range p.Filters {
		if f.Decide == nil {
			return hook.Registration{}, hook.Errorf(hook.CodeInvalid, "a filter of stage %q has no Decide", f.Stage)
		}
		x.Filters = append(x.Filters, hook.Filter{
			Handler: add(handler{filter: f}), Stage: f.Stage, Priority: f.Priority, Required: f.Required, Source: source(f.Decide),
		})
	}
	for _, v := range p.Events {
		x.Observes = append(x.Observes, hook.Observer{Handler: add(handler{event: v}), Kind: v.kind, Source: v.source})
	}
	return hook.Registration{Extensions: []hook.Extension{x}}, nil
}

// find returns the handler that a call is for, in its turn.
func (e *extender) find(ctx context.Context, to hook.Target) (*handler, func(), error) {
	h, ok := e.handlers[to.Handler]
	if !ok || to.Extension != e.plugin.Name {
		return nil, nil, hook.Errorf(hook.CodeNotFound, "%s has no handler %d", to.Extension, to.Handler)
	}
	leave, err := h.enter(ctx)
	return h, leave, err
}

func (e *extender) Run(ctx context.Context, call hook.Call) ([]string, error) {
	h, leave, err := e.find(ctx, call.Target)
	if err != nil {
		return nil, err
	}
	defer leave()
	return h.command.Run(ctx, e.host, call)
}

func (e *extender) Complete(ctx context.Context, call hook.Completion) ([]string, error) {
	h, leave, err := e.find(ctx, call.Target)
	if err != nil {
		return nil, err
	}
	defer leave()
	return h.command.Complete(ctx, e.host, call)
}

func (e *extender) Filter(ctx context.Context, to hook.Target, item hook.Item) (hook.Verdict, error) {
	h, leave, err := e.find(ctx, to)
	if err != nil {
		return hook.Verdict{}, err
	}
	defer leave()
	return h.filter.Decide(ctx, e.host, item)
}

func (e *extender) Observe(ctx context.Context, to hook.Target, event hook.Event) error {
	h, leave, err := e.find(ctx, to)
	if err != nil {
		return err
	}
	defer leave()
	return h.event.handle(ctx, e.host, event)
}

func (e *extender) Stop(ctx context.Context) error {
	if e.plugin.Stop == nil {
		return nil
	}
	return e.plugin.Stop(ctx)
}
