// Irc is a plugin that speaks the client protocol of IRC, so that WeeChat, irssi or senpai is the face of opentalk: rounds are
// channels, people are nicks. README.md tells how to connect.
//
//	server, session   server.go events.go session.go commands.go …   a state machine: lines and events in, lines and questions out
//	hub               hub.go                                        the one goroutine that has it, and the chat that it asks
//	client, listeners conn.go listen.go                             sockets
//
// It uses nothing of opentalk but the SDK for plugins.
package main

import (
	"context"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

func main() { sdk.Serve(new(face).plugin()) }

// face is the plugin. Its fields are set by start, before there are events.
type face struct {
	hub       *hub
	listeners *listeners
}

func (f *face) plugin() sdk.Plugin {
	return sdk.Plugin{
		Name: "irc", Version: "1.0.0", Description: "lets IRC clients be the face of the chat",
		Needs: []hook.Capability{hook.CanSend, hook.CanSpeak, hook.CanHistory, hook.CanStore, hook.CanManage},
		Start: f.start, Stop: f.stop,
		Events: []sdk.Event{
			sdk.On(func(ctx context.Context, _ *sdk.Host, _ hook.Started) error { return f.started(ctx) }),
			on[hook.MessageEvent](f), on[hook.SentEvent](f), on[hook.DeliveryEvent](f), on[hook.PeerEvent](f),
			on[hook.MemberEvent](f), on[hook.TopicEvent](f), on[hook.RoundEvent](f), on[hook.CaughtUp](f), on[hook.Missed](f),
		},
	}
}

// on hands events of a kind to the hub.
func on[E hook.Event](f *face) sdk.Event {
	return sdk.On(func(_ context.Context, _ *sdk.Host, e E) error {
		f.hub.event(e)
		return nil
	})
}

// start listens, so that the person is told if that cannot be; clients wait until the chat may be asked.
func (f *face) start(_ context.Context, chat *sdk.Host) error {
	var s settings
	if err := chat.Config(&s); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	password, err := s.readPassword()
	if err != nil {
		return err
	}
	if f.listeners, err = listen(s, password); err != nil {
		return err
	}
	f.hub = newHub(chat, s, password)
	return nil
}

func (f *face) started(ctx context.Context) error {
	if err := f.hub.load(ctx); err != nil {
		return err
	}
	f.listeners.serve(f.hub)
	return nil
}

func (f *face) stop(ctx context.Context) error {
	if f.hub == nil {
		return nil // it has not started
	}
	f.listeners.close()
	f.hub.stop(ctx)
	f.listeners.wait(ctx)
	return nil
}
