package sdktest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/sdk/sdktest"
)

// both runs a test against a plugin as it is, and over gRPC.
func both(t *testing.T, p func() sdk.Plugin, o sdktest.Options, test func(*testing.T, *sdktest.Chat)) {
	for _, wire := range []bool{false, true} {
		o.Wire = wire
		t.Run(fmt.Sprintf("wire=%v", wire), func(t *testing.T) {
			chat, err := sdktest.New(p(), o)
			if err != nil {
				t.Fatal(err)
			}
			test(t, chat)
			if err := chat.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func code(err error) hook.Code {
	var e *hook.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// TestAConversation uses every way in which a plugin and a chat meet.
func TestAConversation(t *testing.T) {
	type config struct{ Greeting string }
	var settings config
	plugin := func() sdk.Plugin {
		return sdk.Plugin{
			Name: "butler", Version: "1.0.0", Needs: hook.Capabilities(),
			Start: func(ctx context.Context, chat *sdk.Host) error {
				if err := chat.Print(ctx, "", "too early"); code(err) != hook.CodeDenied {
					return fmt.Errorf("printing before it is registered: %w", err)
				}
				return chat.Config(&settings)
			},
			Commands: []sdk.Command{{
				Name: "greet", Usage: "NAME", Min: 1, Max: 1,
				Run: func(ctx context.Context, chat *sdk.Host, call hook.Call) ([]string, error) {
					greeting := settings
					if err := chat.ConfigNow(ctx, &greeting); err != nil {
						return nil, err
					}
					_, err := chat.Send(ctx, call.Round, greeting.Greeting+", "+call.Args[0])
					return []string{"greeted " + call.Args[0]}, err
				},
				Complete: func(ctx context.Context, chat *sdk.Host, call hook.Completion) ([]string, error) {
					members, err := chat.Members(ctx, call.Round)
					var names []string
					for _, m := range members {
						if strings.HasPrefix(m.Handle, call.Args[0]) {
							names = append(names, m.Handle)
						}
					}
					return names, err
				},
			}},
			Filters: []sdk.Filter{
				{Stage: hook.StageIncoming, Decide: func(_ context.Context, _ *sdk.Host, i hook.Item) (hook.Verdict, error) {
					if strings.Contains(i.Message.Text, "spam") {
						return sdk.Drop("spam"), nil
					}
					return sdk.Pass, nil
				}},
				{Stage: hook.StageOutgoing, Priority: 1, Decide: func(_ context.Context, _ *sdk.Host, i hook.Item) (hook.Verdict, error) {
					return sdk.Rewrite(i.Out.Text + "!"), nil
				}},
				{Stage: hook.StageOutgoing, Decide: func(_ context.Context, _ *sdk.Host, i hook.Item) (hook.Verdict, error) {
					return sdk.Rewrite(i.Out.Text + "?"), nil
				}},
			},
			Events: []sdk.Event{
				sdk.On(func(ctx context.Context, chat *sdk.Host, _ hook.Started) error {
					return chat.SetTimer(ctx, hook.TimerSetting{Name: "tea", After: time.Hour, Every: 2 * time.Hour})
				}),
				sdk.On(func(ctx context.Context, chat *sdk.Host, e hook.MentionEvent) error {
					chat.Logger().Warn("mentioned", "by", e.Message.From.Handle)
					return chat.Save(ctx, "last", e.Message.Text)
				}),
				sdk.On(func(ctx context.Context, chat *sdk.Host, e hook.Timer) error {
					return chat.Notify(ctx, e.Name+" at "+e.Due.UTC().Format("15:04"))
				}),
				sdk.On(func(ctx context.Context, chat *sdk.Host, _ hook.SentEvent) error {
					return chat.Print(ctx, "", "sent")
				}),
			},
		}
	}
	both(t, plugin, sdktest.Options{Config: config{"good day"}}, func(t *testing.T, chat *sdktest.Chat) {
		typed := must[sdktest.Result](t)
		if r := typed(chat.Type("/greet bob")); !slices.Equal(r.Lines, []string{"greeted bob"}) {
			t.Errorf("the command answers %q", r.Lines)
		}
		sent := chat.Sent()
		if len(sent) != 1 || sent[0].Text != "good day, bob" || !sent[0].Auto || len(chat.Printed()) != 0 {
			t.Errorf("it has sent %+v, and was told of it: %v", sent, chat.Printed())
		}
		if err := chat.Configure(config{"good night"}); err != nil {
			t.Fatal(err)
		}
		typed(chat.Type("/greet carol"))
		if sent := chat.Sent(); sent[1].Text != "good night, carol" || settings.Greeting != "good day" {
			t.Errorf("with other settings it has sent %+v, and was started with %q", sent[1], settings.Greeting)
		}
		if words := must[[]string](t)(chat.Complete("/greet b")); !slices.Equal(words, []string{"bob"}) {
			t.Errorf("completion offers %q", words)
		}
		if r := typed(chat.Type("hello")); r.Text != "hello!?" || len(chat.Printed()) != 1 {
			t.Errorf("what was typed goes out as %q; printed %v", r.Text, chat.Printed())
		}
		if _, err := chat.Type("/greet"); code(err) != hook.CodeInvalid {
			t.Errorf("a command without its argument: %v", err)
		}
		if r := typed(chat.Say("carol", "spam for alice")); !r.Dropped || r.Reason != "spam" || chat.Stored("butler", "last") != nil {
			t.Errorf("spam: %+v, stored %q", r, chat.Stored("butler", "last"))
		}
		typed(chat.Say("carol", "Alice: hello"))
		if got := chat.Stored("butler", "last"); string(got) != `"Alice: hello"` {
			t.Errorf("stored %s", got)
		}
		if log := chat.Logged(); len(log) != 1 || log[0].Text != "mentioned by=carol" || log[0].Level != hook.LevelWarn {
			t.Errorf("logged %+v", log)
		}
		if err := chat.Advance(4 * time.Hour); err != nil {
			t.Error(err)
		}
		if n := chat.Notified(); len(n) != 2 || n[0].Text != "tea at 13:00" || n[1].Text != "tea at 15:00" {
			t.Errorf("timers: %+v", n)
		}
		if err := chat.Restart(plugin().Extender()); err != nil {
			t.Fatal(err)
		}
		if got := chat.Stored("butler", "last"); string(got) != `"Alice: hello"` || settings.Greeting != "good night" {
			t.Errorf("started again it has stored %s and greets with %q", got, settings.Greeting)
		}
		if err := chat.Advance(time.Hour); err != nil || len(chat.Notified()) != 3 {
			t.Errorf("timers of before the restart: %+v, %v", chat.Notified(), err)
		}
	})
}

// TestTheRulesOfTheChat: what has not been declared or granted is denied, what is not live does not come, and messages that set
// each other off end.
func TestTheRulesOfTheChat(t *testing.T) {
	var heard int
	plugin := func() sdk.Plugin {
		heard = 0
		return sdk.Plugin{
			Name: "p", Needs: []hook.Capability{hook.CanSend},
			Commands: []sdk.Command{
				{Name: "read", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					_, err := chat.History(ctx, hook.Query{Round: c.Round, Limit: 1})
					return nil, err
				}},
				{Name: "say", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					_, err := chat.Send(ctx, c.Line, "x")
					return nil, err
				}},
			},
			Events: []sdk.Event{sdk.On(func(context.Context, *sdk.Host, hook.MessageEvent) error {
				heard++
				return nil
			})},
		}
	}
	both(t, plugin, sdktest.Options{}, func(t *testing.T, chat *sdktest.Chat) {
		if _, err := chat.Type("/read"); code(err) != hook.CodeDenied {
			t.Errorf("history that was not asked for: %v", err)
		}
		if _, err := chat.Type("/say nowhere"); code(err) != hook.CodeNotFound {
			t.Errorf("a round that there is not: %v", err)
		}
		must[sdktest.Result](t)(chat.Hear(hook.Message{Text: "last week"}))
		if heard != 0 {
			t.Error("it was told of what it may not know")
		}
	})
	both(t, plugin, sdktest.Options{Granted: []hook.Capability{}}, func(t *testing.T, chat *sdktest.Chat) {
		if _, err := chat.Type("/say friends"); code(err) != hook.CodeDenied {
			t.Errorf("a capability that was not granted: %v", err)
		}
	})
}

// twins are two extensions of one plugin, each of which answers what the other says.
type twins struct {
	hook.Extender
	host hook.Host
}

func (w *twins) Start(_ context.Context, _ hook.Hello, host hook.Host) (hook.Registration, error) {
	w.host = host
	observe := []hook.Observer{{Handler: 1, Kind: hook.KindMessage}, {Handler: 2, Kind: hook.KindSent}}
	needs := []hook.Capability{hook.CanSend}
	return hook.Registration{Extensions: []hook.Extension{
		{Name: "a", Needs: needs, Observes: observe[:1]}, {Name: "b", Needs: needs, Observes: observe[1:]},
		{Name: "c", Needs: needs, Observes: observe[1:]},
	}}, nil
}

func (w *twins) Observe(ctx context.Context, to hook.Target, _ hook.Event) error {
	_, err := w.host.Send(ctx, to.Extension, hook.Outgoing{Round: "friends", Text: "no, you"})
	return err
}

func (w *twins) Stop(context.Context) error { return nil }

func TestLoopsEnd(t *testing.T) {
	for _, wire := range []bool{false, true} {
		chat, err := sdktest.NewExtender("twins", &twins{}, sdktest.Options{Wire: wire})
		if err != nil {
			t.Fatal(err)
		}
		_, err = chat.Say("bob", "you")
		if n := len(chat.Sent()); code(err) != hook.CodeLoop || n > 10 {
			t.Errorf("wire=%v: %d messages, %v", wire, n, err)
		}
		chat.Close()
	}
}

// TestWhatHangsIsGivenUp: a handler that does not come back is named, and nothing waits for the plugin any more.
func TestWhatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		hang := func(ctx context.Context, _ *sdk.Host, _ hook.Call) ([]string, error) {
			asked++
			<-ctx.Done()
			return nil, ctx.Err()
		}
		chat, err := sdktest.New(sdk.Plugin{Name: "hanger", Commands: []sdk.Command{{Name: "hang", Run: hang}}}, sdktest.Options{Patience: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for range 2 {
			_, err := chat.Type("/hang")
			var overrun *sdktest.OverrunError
			if !errors.As(err, &overrun) || overrun.Extension != "hanger" || !strings.HasPrefix(overrun.Source, "sdktest_test.go:") {
				t.Errorf("/hang: %v", err)
			}
		}
		if took := time.Since(began); took != time.Minute || asked != 1 {
			t.Errorf("asked %d times, gave up after %v", asked, took)
		}
		if err := chat.Close(); err != nil {
			t.Error(err)
		}
	})
}
