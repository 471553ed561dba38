package wire_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"opentalk/plugins/hook"
)

// host answers every call with what is set, and keeps what it was called with.
type host struct {
	method string
	ctx    context.Context
	args   []any
	answer any
	err    error
}

func (h *host) called(ctx context.Context, method string, args ...any) error {
	h.ctx, h.method, h.args = ctx, method, args
	return h.err
}

func result[T any](h *host) T {
	v, _ := h.answer.(T)
	return v
}

func (h *host) Register(ctx context.Context, all hook.Registration) error {
	return h.called(ctx, "Register", all)
}

func (h *host) Config(ctx context.Context, from string) (json.RawMessage, error) {
	err := h.called(ctx, "Config", from)
	return result[json.RawMessage](h), err
}

func (h *host) Send(ctx context.Context, from string, m hook.Outgoing) (hook.MessageID, error) {
	err := h.called(ctx, "Send", from, m)
	return result[hook.MessageID](h), err
}

func (h *host) Print(ctx context.Context, from, round, text string) error {
	return h.called(ctx, "Print", from, round, text)
}

func (h *host) Notify(ctx context.Context, from, text string) error {
	return h.called(ctx, "Notify", from, text)
}

func (h *host) Me(ctx context.Context, from string) (hook.Self, error) {
	err := h.called(ctx, "Me", from)
	return result[hook.Self](h), err
}

func (h *host) Rounds(ctx context.Context, from string) ([]hook.Round, error) {
	err := h.called(ctx, "Rounds", from)
	return result[[]hook.Round](h), err
}

func (h *host) Peers(ctx context.Context, from, round string) ([]hook.Peer, error) {
	err := h.called(ctx, "Peers", from, round)
	return result[[]hook.Peer](h), err
}

func (h *host) Members(ctx context.Context, from, round string) ([]hook.Member, error) {
	err := h.called(ctx, "Members", from, round)
	return result[[]hook.Member](h), err
}

func (h *host) History(ctx context.Context, from string, q hook.Query) ([]hook.Message, error) {
	err := h.called(ctx, "History", from, q)
	return result[[]hook.Message](h), err
}

func (h *host) SetNick(ctx context.Context, from, round, handle string) error {
	return h.called(ctx, "SetNick", from, round, handle)
}

func (h *host) SetTopic(ctx context.Context, from, round, topic string) error {
	return h.called(ctx, "SetTopic", from, round, topic)
}

func (h *host) Join(ctx context.Context, from, invite string) (hook.Round, error) {
	err := h.called(ctx, "Join", from, invite)
	return result[hook.Round](h), err
}

func (h *host) Leave(ctx context.Context, from, round string) error {
	return h.called(ctx, "Leave", from, round)
}

func (h *host) Get(ctx context.Context, from, key string) ([]byte, error) {
	err := h.called(ctx, "Get", from, key)
	return result[[]byte](h), err
}

func (h *host) Set(ctx context.Context, from, key string, value []byte) error {
	return h.called(ctx, "Set", from, key, value)
}

func (h *host) Delete(ctx context.Context, from, key string) error {
	return h.called(ctx, "Delete", from, key)
}

func (h *host) Keys(ctx context.Context, from, prefix string) ([]string, error) {
	err := h.called(ctx, "Keys", from, prefix)
	return result[[]string](h), err
}

func (h *host) SetTimer(ctx context.Context, from string, t hook.TimerSetting) error {
	return h.called(ctx, "SetTimer", from, t)
}

func (h *host) Log(ctx context.Context, from string, level hook.Level, text string) error {
	return h.called(ctx, "Log", from, level, text)
}

// started returns p as the chat sees it, once it has started, and h as p sees it.
func started(t *testing.T, p *plugin, h hook.Host) (hook.Extender, hook.Host) {
	t.Helper()
	var far hook.Host
	p.start = func(_ context.Context, got hook.Hello, h hook.Host) (hook.Registration, error) {
		same(t, "hello", got, hello)
		far = h
		return hook.Registration{Extensions: []hook.Extension{{Name: "bell"}}}, nil
	}
	remote := connect(t, p)
	got, err := remote.Start(t.Context(), hello, h)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "registration", got, hook.Registration{Extensions: []hook.Extension{{Name: "bell"}}})
	return remote, far
}

// valid makes values that the chat takes.
var valid = map[reflect.Type]func(*rapid.T) any{
	reflect.TypeFor[string](): func(t *rapid.T) any {
		return rapid.StringN(1, 20, 60).Draw(t, "s")
	},
	reflect.TypeFor[[]byte](): func(t *rapid.T) any {
		return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
	},
	reflect.TypeFor[hook.Level](): func(t *rapid.T) any {
		return rapid.SampledFrom(hook.Levels()).Draw(t, "level")
	},
	reflect.TypeFor[hook.Outgoing](): func(t *rapid.T) any {
		m := values[hook.Outgoing](t, "out")
		m.Text, m.Auto = "x"+m.Text, true
		m.Form = rapid.SampledFrom([]hook.Form{"", hook.FormPlain, hook.FormAction}).Draw(t, "form")
		return m
	},
	reflect.TypeFor[hook.Query](): func(t *rapid.T) any {
		q := values[hook.Query](t, "query")
		q.Limit = rapid.IntRange(1, hook.MaxHistory).Draw(t, "limit")
		whole := q
		q = hook.Query{Round: q.Round, Limit: q.Limit}
		switch rapid.IntRange(0, 3).Draw(t, "end") {
		case 0:
			q.Before = whole.Before
		case 1:
			q.After = whole.After
		case 2:
			q.Until = whole.Until
		case 3:
			q.Since = whole.Since
		}
		return q
	},
	reflect.TypeFor[hook.TimerSetting](): func(t *rapid.T) any {
		ms := rapid.Int64Range(100, 1<<30)
		return hook.TimerSetting{
			Name: "t", After: time.Duration(ms.Draw(t, "after")) * time.Millisecond,
			Every: time.Duration(ms.Draw(t, "every")) * time.Millisecond,
		}
	},
	reflect.TypeFor[hook.Registration](): func(t *rapid.T) any {
		return registration(t)
	},
}

func registration(t *rapid.T) hook.Registration {
	r := values[hook.Registration](t, "registration")
	for i := range r.Extensions {
		e := &r.Extensions[i]
		e.Name, e.Needs = strings.Repeat("e", i+1), hook.Capabilities()
		id := hook.HandlerID(0)
		next := func() hook.HandlerID { id++; return id }
		for j := range e.Commands {
			c := &e.Commands[j]
			c.Handler, c.Name = next(), strings.Repeat("c", j+1)
			c.Min, c.Max = j, j*2
		}
		for j := range e.Filters {
			f := &e.Filters[j]
			f.Handler, f.Stage = next(), rapid.SampledFrom(hook.Stages()).Draw(t, "stage")
			f.Required = f.Stage == hook.StageOutgoing
		}
		for j := range e.Observes {
			e.Observes[j].Handler = next()
		}
	}
	return r
}

// TestEveryCallOfAPluginCrosses: each method of [hook.Host] with all that it is given, and its answer or its error.
func TestEveryCallOfAPluginCrosses(t *testing.T) {
	h := &host{}
	_, far := started(t, &plugin{}, h)
	of := reflect.ValueOf(far)
	rapid.Check(t, func(t *rapid.T) {
		for i := range of.NumMethod() {
			m, name := of.Method(i), of.Type().Method(i).Name
			in := []reflect.Value{reflect.ValueOf(context.Background())}
			var args []any
			for j := 1; j < m.Type().NumIn(); j++ {
				arg := valid[m.Type().In(j)](t)
				args = append(args, arg)
				in = append(in, reflect.ValueOf(arg))
			}
			var want reflect.Value
			h.answer, h.err = nil, nil
			if m.Type().NumOut() == 2 {
				want = reflect.New(m.Type().Out(0)).Elem()
				switch want.Type() {
				case reflect.TypeFor[[]byte]():
					want.Set(reflect.ValueOf(rapid.SampledFrom([][]byte{nil, {}, {1, 0}}).Draw(t, "value")))
				case reflect.TypeFor[json.RawMessage]():
					want.SetBytes([]byte(`{"volume":5}`))
				default:
					fill(t, want)
				}
				h.answer = want.Interface()
			}
			out := m.Call(in)
			same(t, name, h.method, name)
			same(t, name, h.args, args)
			same(t, name, out[len(out)-1].Interface(), nil)
			if want.IsValid() {
				same(t, "answer of "+name, out[0].Interface(), want.Interface())
			}
			h.err = &hook.Error{Code: hook.CodeDenied, Text: "no", Hint: "do"}
			out = m.Call(in)
			same(t, "error of "+name, out[len(out)-1].Interface(), h.err)
		}
	})
}

type key struct{}

// TestWhatSetsOffWhatCrosses: a call of a plugin happens, in the chat, with the values of the call that it answers, also when
// that is over; and a plugin cannot name calls that there are not.
func TestWhatSetsOffWhatCrosses(t *testing.T) {
	h, p := &host{}, &plugin{}
	remote, far := started(t, p, h)
	var kept context.Context
	p.run = func(ctx context.Context, _ hook.Call) {
		kept = context.WithoutCancel(ctx)
		if err := far.Print(ctx, "bell", "", "x"); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"first", "second"} {
		if _, err := remote.Run(context.WithValue(t.Context(), key{}, want), hook.Call{}); err != nil {
			t.Fatal(err)
		}
		same(t, "cause", h.ctx.Value(key{}), any(want))
	}
	if err := far.Print(kept, "bell", "", "x"); err != nil {
		t.Fatal(err)
	}
	same(t, "cause of what comes later", h.ctx.Value(key{}), any("second"))
	if err := far.Print(t.Context(), "bell", "", "x"); err != nil {
		t.Fatal(err)
	}
	same(t, "cause of what nothing set off", h.ctx.Value(key{}), nil)
}

// TestTheBudgetCrosses: the context of a plugin's handler ends when the chat no longer waits.
func TestTheBudgetCrosses(t *testing.T) {
	p := &plugin{}
	remote, _ := started(t, p, &host{})
	gone := make(chan struct{})
	p.run = func(ctx context.Context, _ hook.Call) {
		<-ctx.Done()
		close(gone)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := remote.Run(ctx, hook.Call{})
	same(t, "error", err, context.DeadlineExceeded)
	<-gone
}
