package sdktest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/sdk/sdktest"
)

// TestWhatAPersonHasTyped elsewhere goes the way of what is typed in the chat; what the plugin says itself does not.
func TestWhatAPersonHasTyped(t *testing.T) {
	var told []string
	face := func(needs ...hook.Capability) func() sdk.Plugin {
		return func() sdk.Plugin {
			told = nil
			return sdk.Plugin{
				Name: "face", Needs: needs,
				Commands: []sdk.Command{{Name: "type", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					if _, err := chat.Speak(ctx, c.Round, c.Line, hook.FormPlain); err != nil {
						return nil, err
					}
					_, err := chat.Send(ctx, c.Round, "said "+c.Line)
					return nil, err
				}}},
				Filters: []sdk.Filter{{Stage: hook.StageOutgoing, Decide: func(_ context.Context, _ *sdk.Host, i hook.Item) (hook.Verdict, error) {
					return sdk.Rewrite(fmt.Sprintf("%s (%v)", i.Out.Text, i.Out.Auto || i.Out.Person)), nil
				}}},
				Events: []sdk.Event{sdk.On(func(_ context.Context, _ *sdk.Host, e hook.SentEvent) error {
					told = append(told, e.Message.Text)
					return nil
				})},
			}
		}
	}
	both(t, face(hook.CanSend, hook.CanSpeak), sdktest.Options{}, func(t *testing.T, chat *sdktest.Chat) {
		must[sdktest.Result](t)(chat.Type("/type hello"))
		sent := chat.Sent()
		if len(sent) != 2 || sent[0].Auto || sent[0].Text != "hello (false)" || !sent[1].Auto || sent[1].Text != "said hello" {
			t.Errorf("it has sent %+v", sent)
		}
		if !slices.Equal(told, []string{"hello (false)"}) {
			t.Errorf("it was told of %q", told)
		}
	})
	both(t, face(hook.CanSend), sdktest.Options{}, func(t *testing.T, chat *sdktest.Chat) {
		if _, err := chat.Type("/type hello"); code(err) != hook.CodeDenied || len(chat.Sent()) != 0 {
			t.Errorf("without %q: %v, %d sent", hook.CanSpeak, err, len(chat.Sent()))
		}
	})
}

// TestWhatHappensAmongMembers: plugins are told of it, and find it when they ask.
func TestWhatHappensAmongMembers(t *testing.T) {
	var told []string
	watcher := func() sdk.Plugin {
		told = nil
		return sdk.Plugin{
			Name: "watcher", Needs: []hook.Capability{hook.CanManage, hook.CanHistory},
			Commands: []sdk.Command{
				{Name: "all", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					rounds, _ := chat.Rounds(ctx)
					members, err := chat.Members(ctx, c.Round)
					all := []string{rounds[0].Topic}
					for _, m := range members {
						all = append(all, fmt.Sprintf("%s %v %v", m.Handle, m.Online, m.Left))
					}
					return all, err
				}},
				{Name: "since", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					at := time.Date(2030, 1, 2, 13, 0, 0, 0, time.UTC)
					since, err := chat.History(ctx, hook.Query{Round: c.Round, Since: at, Limit: 1})
					if err != nil {
						return nil, err
					}
					until, err := chat.History(ctx, hook.Query{Round: c.Round, Until: at, Limit: 1})
					return []string{since[0].Text, until[0].Text}, err
				}},
				{Name: "nick", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
					return nil, chat.SetNick(ctx, c.Round, c.Line)
				}},
			},
			Events: []sdk.Event{
				sdk.On(func(_ context.Context, _ *sdk.Host, e hook.MemberEvent) error {
					told = append(told, fmt.Sprint(e.Person.Handle, " ", e.Change, " ", e.Was))
					return nil
				}),
				sdk.On(func(_ context.Context, _ *sdk.Host, e hook.PeerEvent) error {
					told = append(told, fmt.Sprint(e.Person.Handle, " ", e.Online))
					return nil
				}),
				sdk.On(func(_ context.Context, _ *sdk.Host, e hook.TopicEvent) error {
					told = append(told, e.By.Handle+" "+e.Topic)
					return nil
				}),
			},
		}
	}
	both(t, watcher, sdktest.Options{}, func(t *testing.T, chat *sdktest.Chat) {
		for _, err := range []error{
			chat.Enter("carol"), chat.Rename("bob", "rob"), chat.Depart("carol"), chat.Retitle("rob", "tea"), chat.Connect("rob", false),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		must[sdktest.Result](t)(chat.Type("/nick ada"))
		want := []string{"carol joined ", "rob renamed bob", "carol left ", "rob tea", "rob false", "ada renamed alice"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		r := must[sdktest.Result](t)(chat.Type("/all"))
		if !slices.Equal(r.Lines, []string{"tea", "ada false false", "rob false false", "carol false true"}) {
			t.Errorf("there are %q", r.Lines)
		}
		for _, text := range []string{"noon", "one", "two"} {
			must[sdktest.Result](t)(chat.Say("rob", text))
			if err := chat.Advance(time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if r := must[sdktest.Result](t)(chat.Type("/since")); !slices.Equal(r.Lines, []string{"one", "noon"}) {
			t.Errorf("since and until give %q", r.Lines)
		}
	})
}
