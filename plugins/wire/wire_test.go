package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/wiretest"
)

// plugin is an extender whose answers are set, and which keeps what it was asked.
type plugin struct {
	start   func(context.Context, hook.Hello, hook.Host) (hook.Registration, error)
	lines   []string
	verdict hook.Verdict
	err     error
	run     func(context.Context, hook.Call)

	call       hook.Call
	completion hook.Completion
	to         hook.Target
	item       hook.Item
	event      hook.Event
	stopped    bool
}

func (p *plugin) Start(ctx context.Context, hello hook.Hello, host hook.Host) (hook.Registration, error) {
	return p.start(ctx, hello, host)
}

func (p *plugin) Run(ctx context.Context, call hook.Call) ([]string, error) {
	p.call = call
	if p.run != nil {
		p.run(ctx, call)
	}
	return p.lines, p.err
}

func (p *plugin) Complete(_ context.Context, call hook.Completion) ([]string, error) {
	p.completion = call
	return p.lines, p.err
}

func (p *plugin) Filter(_ context.Context, to hook.Target, item hook.Item) (hook.Verdict, error) {
	p.to, p.item = to, item
	return p.verdict, p.err
}

func (p *plugin) Observe(_ context.Context, to hook.Target, event hook.Event) error {
	p.to, p.event = to, event
	return p.err
}

func (p *plugin) Stop(context.Context) error {
	p.stopped = true
	return p.err
}

// connect returns p as the chat sees it, not yet started.
func connect(t *testing.T, p hook.Extender) hook.Extender {
	t.Helper()
	remote, end, err := wiretest.Connect(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return remote
}

var hello = hook.Hello{
	Version: hook.Version, Chat: "1.2.3", Name: "bell", Config: json.RawMessage(`{"loud":true}`),
	Self: hook.Self{Handle: "alice", Fingerprint: "aa", Device: "bb"},
}

// values makes any value of a type that crosses: times and spans as precise as they cross, kinds of events one of all.
func values[T any](t *rapid.T, label string) T {
	return rapid.Custom(func(t *rapid.T) T {
		var v T
		fill(t, reflect.ValueOf(&v).Elem())
		return v
	}).Draw(t, label)
}

func fill(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.ValueOf(time.UnixMilli(rapid.Int64Range(1, 1<<45).Draw(t, "ms"))))
		}
		return
	case time.Duration:
		v.SetInt(rapid.Int64Range(0, 1<<40).Draw(t, "ms") * int64(time.Millisecond))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.StringN(-1, 20, 60).Draw(t, "s"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "b"))
	case reflect.Int:
		v.SetInt(int64(rapid.Int32().Draw(t, "n")))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, "id")))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "len")
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	default:
		t.Fatalf("no values of type %s", v.Type())
	}
}

func same(t rapid.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s crossed as\n%#v\nfrom\n%#v", what, got, want)
	}
}

// TestEveryCallOfTheChatCrosses with all its fields, and the answer comes back.
func TestEveryCallOfTheChatCrosses(t *testing.T) {
	p := &plugin{}
	remote := connect(t, p)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		p.lines, p.err = nil, nil
		if n := rapid.IntRange(0, 3).Draw(t, "lines"); n > 0 {
			p.lines = rapid.SliceOfN(rapid.String(), n, n).Draw(t, "answer")
		}
		call := values[hook.Call](t, "call")
		lines, err := remote.Run(ctx, call)
		same(t, "call", p.call, call)
		same(t, "answer", lines, p.lines)
		same(t, "error", err, nil)

		completion := values[hook.Completion](t, "completion")
		lines, _ = remote.Complete(ctx, completion)
		same(t, "completion", p.completion, completion)
		same(t, "candidates", lines, p.lines)

		item := hook.Item{Stage: rapid.SampledFrom(hook.Stages()).Draw(t, "stage"), Round: rapid.String().Draw(t, "round")}
		switch item.Stage {
		case hook.StageInput:
			item.Line = rapid.String().Draw(t, "line")
		case hook.StageOutgoing:
			item.Out = values[hook.Outgoing](t, "out")
		default:
			item.Message = values[hook.Message](t, "message")
		}
		p.verdict = values[hook.Verdict](t, "verdict")
		p.verdict.Action = rapid.SampledFrom([]hook.Action{hook.Pass, hook.Rewrite, hook.Drop}).Draw(t, "action")
		to := values[hook.Target](t, "to")
		verdict, err := remote.Filter(ctx, to, item)
		same(t, "item", p.item, item)
		same(t, "target", p.to, to)
		same(t, "verdict", verdict, p.verdict)
		same(t, "error", err, nil)
	})
}

// TestEveryEventCrosses of every kind that there is.
func TestEveryEventCrosses(t *testing.T) {
	p := &plugin{}
	remote := connect(t, p)
	rapid.Check(t, func(t *rapid.T) {
		events := []hook.Event{
			values[hook.MessageEvent](t, "message"), values[hook.MentionEvent](t, "mention"), values[hook.SentEvent](t, "sent"),
			values[hook.DeliveryEvent](t, "delivery"), values[hook.PeerEvent](t, "peer"), values[hook.MemberEvent](t, "member"),
			values[hook.TopicEvent](t, "topic"), values[hook.RoundEvent](t, "round"), values[hook.CaughtUp](t, "caught up"),
			values[hook.Timer](t, "timer"), values[hook.Missed](t, "missed"), hook.Started{}, hook.Shutdown{},
		}
		if len(events) != len(hook.Kinds()) {
			t.Fatalf("%d events of %d kinds", len(events), len(hook.Kinds()))
		}
		for i, e := range events {
			if e.Kind() != hook.Kinds()[i] {
				t.Fatalf("event %d is of kind %q, not %q", i, e.Kind(), hook.Kinds()[i])
			}
			if err := remote.Observe(context.Background(), hook.Target{Extension: "x", Handler: 1}, e); err != nil {
				t.Fatal(err)
			}
			same(t, string(e.Kind()), p.event, e)
		}
	})
}

// TestErrorsCross: every code comes back as it is, with its hint; an error without one has failed.
func TestErrorsCross(t *testing.T) {
	p := &plugin{}
	remote := connect(t, p)
	for _, code := range hook.Codes() {
		p.err = &hook.Error{Code: code, Text: "no such note: ü", Hint: "/note list shows them"}
		_, err := remote.Run(t.Context(), hook.Call{})
		same(t, "error", err, p.err)
	}
	p.err = errors.New("boom\nat line 12")
	_, err := remote.Run(t.Context(), hook.Call{})
	same(t, "error", err, &hook.Error{Code: hook.CodeFailed, Text: "boom at line 12"})
	p.err = &hook.Error{Code: "some code of tomorrow", Text: "x"}
	_, err = remote.Run(t.Context(), hook.Call{})
	same(t, "error", err, &hook.Error{Code: hook.CodeFailed, Text: "x"})
}
