package wire

import (
	"context"
	"errors"
	"math"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// extender is a plugin as the chat sees it.
type extender struct {
	client    pb.PluginClient
	broker    Broker
	onPanic   func()
	calls     *calls
	filtering filtering
}

func (e *extender) Start(ctx context.Context, hello hook.Hello, host hook.Host) (hook.Registration, error) {
	id := e.broker.NextId()
	go func() {
		defer e.onPanic()
		e.broker.AcceptAndServe(id, hostServer(host, e.calls))
	}()
	reply, err := e.client.Start(ctx, &pb.StartRequest{
		Version: uint32(hello.Version), Chat: text(hello.Chat), Name: text(hello.Name), ConfigJson: text(string(hello.Config)),
		Self: selfOut(hello.Self), HostId: id, Call: e.calls.begin(ctx),
	})
	if err != nil {
		return hook.Registration{}, errorIn(ctx, err)
	}
	if int64(reply.GetVersion()) != int64(hello.Version) {
		return hook.Registration{}, mismatch(hello.Version, int(reply.GetVersion()))
	}
	return registrationIn(reply.GetRegistration())
}

// mismatch says that the two sides speak different versions of the contract, and which of them is to be renewed.
func mismatch(chat, plugin int) *hook.Error {
	err := hook.Errorf(hook.CodeVersion, "the plugin was made for version %d of the plugin contract, this opentalk has version %d",
		plugin, chat)
	switch {
	case plugin > chat:
		err.Hint = "a newer opentalk is needed, or an older plugin"
	default:
		err.Hint = "a newer plugin is needed, or an older opentalk"
	}
	return err
}

func (e *extender) Run(ctx context.Context, call hook.Call) ([]string, error) {
	reply, err := e.client.Run(ctx, &pb.RunRequest{
		Call: e.calls.begin(ctx), To: targetOut(call.Target), Round: text(call.Round), Line: text(call.Line),
		Args: texts(call.Args), Person: call.Person,
	})
	if err != nil {
		return nil, errorIn(ctx, err)
	}
	if err := hook.CheckLines(reply.GetLines()); err != nil {
		return nil, err
	}
	return reply.GetLines(), nil
}

func (e *extender) Complete(ctx context.Context, call hook.Completion) ([]string, error) {
	reply, err := e.client.Complete(ctx, &pb.CompleteRequest{
		Call: e.calls.begin(ctx), To: targetOut(call.Target), Round: text(call.Round), Args: texts(call.Args),
	})
	if err != nil {
		return nil, errorIn(ctx, err)
	}
	if err := hook.CheckCandidates(reply.GetCandidates()); err != nil {
		return nil, err
	}
	return reply.GetCandidates(), nil
}

func (e *extender) Filter(ctx context.Context, to hook.Target, item hook.Item) (hook.Verdict, error) {
	request := &pb.FilterRequest{
		Call: e.calls.begin(ctx), To: targetOut(to), Stage: string(item.Stage), Round: text(item.Round), Line: text(item.Line),
		WithinMs: within(ctx),
	}
	switch item.Stage {
	case hook.StageOutgoing:
		request.Out = outgoingOut(item.Out)
	case hook.StageIncoming, hook.StageRender:
		request.Message = messageOut(item.Message)
	}
	reply, err := e.filtering.ask(ctx, request)
	if err != nil {
		return hook.Verdict{}, errorIn(ctx, err)
	}
	return verdictIn(reply, item.Stage)
}

// within is how long ctx has, in milliseconds, as long as that can be said: 0 is not said.
func within(ctx context.Context) uint32 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return uint32(min(max(1, time.Until(deadline).Milliseconds()), math.MaxUint32))
}

func (e *extender) Observe(ctx context.Context, to hook.Target, event hook.Event) error {
	request := &pb.ObserveRequest{To: targetOut(to)}
	if !setEvent(request, event) {
		return nil
	}
	request.Call = e.calls.begin(ctx)
	_, err := e.client.Observe(ctx, request)
	return errorIn(ctx, err)
}

func (e *extender) Stop(ctx context.Context) error {
	_, err := e.client.Stop(ctx, &pb.StopRequest{})
	if err = errorIn(ctx, err); errors.Is(err, &hook.Error{Code: hook.CodeVersion}) {
		return nil // a plugin that has nothing to do at its end need not say so
	}
	return err
}
