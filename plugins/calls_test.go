package plugins

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"opentalk/plugins/hook"
)

// resident is an extension within the test, with no process and no wire.
type resident struct {
	name    string
	host    hook.Host
	filter  func(context.Context, hook.Item) (hook.Verdict, error)
	observe func(context.Context, hook.Event) error
	seen    []hook.Event
}

func (r *resident) Start(context.Context, hook.Hello, hook.Host) (hook.Registration, error) {
	return hook.Registration{}, nil
}
func (r *resident) Run(context.Context, hook.Call) ([]string, error)            { return nil, nil }
func (r *resident) Complete(context.Context, hook.Completion) ([]string, error) { return nil, nil }
func (r *resident) Filter(ctx context.Context, _ hook.Target, i hook.Item) (hook.Verdict, error) {
	return r.filter(ctx, i)
}
func (r *resident) Observe(ctx context.Context, _ hook.Target, e hook.Event) error {
	r.seen = append(r.seen, e)
	if r.observe == nil {
		return nil
	}
	return r.observe(ctx, e)
}
func (r *resident) Stop(context.Context) error { return nil }

// household is a host whose extensions live within the test.
func household(t *testing.T) (*Host, *fake) {
	h := New(Config{Dir: t.TempDir(), Reserved: []string{"help"}})
	h.chat = &fake{host: h, faults: make(chan Fault, 100)}
	return h, h.chat.(*fake)
}

// move lets an extension in.
func (h *Host) move(t *testing.T, r *resident, e hook.Extension, granted ...hook.Capability) *process {
	t.Helper()
	e.Name = r.name
	h.mu.Lock()
	h.locked = &lockFile{pins: map[string]pin{r.name: {Enabled: true, Capabilities: granted}}}
	g := h.newGuest(r.name, nil)
	g.state = StateRunning
	h.guests[r.name] = g
	p := &process{
		guest: g, extender: r, started: make(chan struct{}), serving: make(chan struct{}, maxCalls), calls: map[*call]struct{}{},
		rate: rate.NewLimiter(callRate, callBurst), child: &child{exited: make(chan struct{})},
	}
	g.proc = p
	h.mu.Unlock()
	if err := h.register(p, hook.Registration{Extensions: []hook.Extension{e}}, false); err != nil {
		t.Fatal(err)
	}
	close(p.started)
	r.host = &service{h, p}
	return p
}

func observing(kinds ...hook.Kind) (all []hook.Observer) {
	for i, k := range kinds {
		all = append(all, hook.Observer{Handler: hook.HandlerID(i + 1), Kind: k})
	}
	return all
}

// TestLoop: two extensions that answer whatever is sent end after a few rounds, and neither hears of what it has sent.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, chat := household(t)
		refused := make(chan error, 100)
		for _, name := range []string{"ping", "pong"} {
			r := &resident{name: name}
			r.observe = func(ctx context.Context, e hook.Event) error {
				if text := e.(hook.SentEvent).Message.Text; strings.HasPrefix(text, name) {
					t.Errorf("%s is told of its own %q", name, text)
				}
				_, err := r.host.Send(ctx, name, hook.Outgoing{Text: name + " answers"})
				if err != nil {
					refused <- err
				}
				return nil
			}
			h.move(t, r, hook.Extension{Needs: []hook.Capability{hook.CanSend}, Observes: observing(hook.KindSent)}, hook.CanSend)
		}
		h.Observe(hook.SentEvent{Message: hook.Message{ID: "typed", Text: "hello"}, State: hook.Sent})
		synctest.Wait()
		if len(chat.sent) != 2*hook.MaxDepth || len(refused) != 2 || !has(<-refused, hook.CodeLoop) {
			t.Errorf("%d messages, %d refused", len(chat.sent), len(refused))
		}
		for _, m := range chat.sent {
			if !m.Auto {
				t.Errorf("%q is not marked as automatic", m.Text)
			}
		}
	})
}

// TestOwnFilter: what an extension sends passes the filters of the others, not its own.
func TestOwnFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, chat := household(t)
		filter := []hook.Filter{{Handler: 9, Stage: hook.StageOutgoing}, {Handler: 10, Stage: hook.StageRender}}
		a, b := &resident{name: "a"}, &resident{name: "b"}
		for _, r := range []*resident{a, b} {
			r.filter = func(_ context.Context, i hook.Item) (hook.Verdict, error) {
				if strings.Contains(textOf(i), "bad") {
					return hook.Verdict{Action: hook.Drop, Reason: "it is bad"}, nil
				}
				return hook.Verdict{Action: hook.Rewrite, Text: textOf(i) + " " + r.name}, nil
			}
			h.move(t, r, hook.Extension{Needs: []hook.Capability{hook.CanSend}, Filters: filter}, hook.CanSend)
		}
		id, err := a.host.Send(t.Context(), "a", hook.Outgoing{Text: "hi"})
		if err != nil || id == "" || chat.sent[0].Text != "hi b" {
			t.Errorf("%q, %v: %+v", id, err, chat.sent)
		}
		if _, err := a.host.Send(t.Context(), "a", hook.Outgoing{Text: "bad"}); !has(err, hook.CodeDropped) || len(chat.sent) != 1 {
			t.Errorf("%v", err)
		}
		shown := h.Filter(t.Context(), hook.Item{Stage: hook.StageRender, Message: hook.Message{ID: id, Text: "hi", Live: true}})
		if shown.Text != "hi b" {
			t.Errorf("rendered: %+v", shown)
		}
	})
}

// TestCapabilities: each call that has consequences is refused without its capability, and all to a name of somebody else.
func TestCapabilities(t *testing.T) {
	h, _ := household(t)
	none, all := &resident{name: "none"}, &resident{name: "all"}
	h.move(t, none, hook.Extension{}, hook.Capabilities()...)
	h.move(t, all, hook.Extension{Needs: hook.Capabilities()}, hook.Capabilities()...)
	t.Cleanup(func() { h.storage.close() })
	ctx := t.Context()
	calls := map[string]func(host hook.Host, from string) error{
		"send": func(s hook.Host, from string) error {
			_, err := s.Send(ctx, from, hook.Outgoing{Text: "x"})
			return err
		},
		"notify":  func(s hook.Host, from string) error { return s.Notify(ctx, from, "x") },
		"history": func(s hook.Host, from string) error { _, err := s.History(ctx, from, hook.Query{}); return err },
		"nick":    func(s hook.Host, from string) error { return s.SetNick(ctx, from, "", "x") },
		"topic":   func(s hook.Host, from string) error { return s.SetTopic(ctx, from, "", "x") },
		"leave":   func(s hook.Host, from string) error { return s.Leave(ctx, from, "") },
		"get":     func(s hook.Host, from string) error { _, err := s.Get(ctx, from, "k"); return err },
		"set":     func(s hook.Host, from string) error { return s.Set(ctx, from, "k", nil) },
		"delete":  func(s hook.Host, from string) error { return s.Delete(ctx, from, "k") },
		"keys":    func(s hook.Host, from string) error { _, err := s.Keys(ctx, from, ""); return err },
	}
	for name, call := range calls {
		if err := call(none.host, "none"); !has(err, hook.CodeDenied) {
			t.Errorf("%s without leave: %v", name, err)
		}
		if err := call(none.host, "all"); !has(err, hook.CodeDenied) {
			t.Errorf("%s in another's name: %v", name, err)
		}
		if err := call(all.host, "all"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := all.host.Join(ctx, "all", "x"); err == nil || err.Error() != "nobody is there" {
		t.Errorf("join: %v", err)
	}
	if err := h.register(h.guests["none"].proc, hook.Registration{Extensions: []hook.Extension{{Name: "all"}}}, true); err == nil {
		t.Error("it took another's name")
	}
}

// TestRates: more than the burst is refused.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, chat := household(t)
		r := &resident{name: "a"}
		h.move(t, r, hook.Extension{Needs: []hook.Capability{hook.CanSend}}, hook.CanSend)
		for i := range sendBurst + 1 {
			if _, err := r.host.Send(t.Context(), "a", hook.Outgoing{Text: "x"}); has(err, hook.CodeTooMuch) != (i == sendBurst) {
				t.Errorf("message %d: %v", i, err)
			}
		}
		time.Sleep(time.Second / sendRate)
		if _, err := r.host.Send(t.Context(), "a", hook.Outgoing{Text: "x"}); err != nil || len(chat.sent) != sendBurst+1 {
			t.Errorf("later: %v", err)
		}
	})
}

// TestEvents: what is not live is for those with leave to read history, Missed comes where something is missing, timers fire.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := household(t)
		live, all := &resident{name: "live"}, &resident{name: "all"}
		e := hook.Extension{Observes: observing(hook.KindStart, hook.KindMessage, hook.KindMissed, hook.KindTimer)}
		h.move(t, live, e)
		e.Needs = []hook.Capability{hook.CanHistory}
		all.observe = func(context.Context, hook.Event) error { time.Sleep(time.Millisecond); return nil }
		h.move(t, all, e, hook.CanHistory)
		synctest.Wait()
		h.Observe(hook.MessageEvent{Message: hook.Message{Text: "now", Live: true}})
		for range maxQueue + 10 {
			h.Observe(hook.MessageEvent{Message: hook.Message{Text: "old"}})
		}
		time.Sleep(time.Second)
		h.Observe(hook.MessageEvent{Message: hook.Message{Text: "last"}})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := fmt.Sprint(kindsOf(live.seen)); got != "[start message]" {
			t.Errorf("live: %s", got)
		}
		n := len(all.seen)
		if missed, ok := all.seen[n-2].(hook.Missed); !ok || missed.Count+n-1 != maxQueue+13 {
			t.Errorf("%d events, before the last %+v", n, all.seen[n-2])
		}
		for _, s := range []hook.TimerSetting{{Name: "once", After: time.Second}, {Name: "often", Every: 400 * time.Millisecond}} {
			if err := live.host.SetTimer(t.Context(), "live", s); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(1900 * time.Millisecond)
		live.host.SetTimer(t.Context(), "live", hook.TimerSetting{Name: "often"})
		time.Sleep(time.Minute)
		synctest.Wait()
		var names []string
		for _, e := range live.seen[2:] {
			names = append(names, e.(hook.Timer).Name)
		}
		if got := fmt.Sprint(names); got != "[often often once often often]" {
			t.Errorf("timers: %s", got)
		}
	})
}

func kindsOf(all []hook.Event) (kinds []hook.Kind) {
	for _, e := range all {
		kinds = append(kinds, e.Kind())
	}
	return kinds
}

// TestNames: the first to come has the bare name, everybody the full one, nobody that of a command of the shell.
func TestNames(t *testing.T) {
	h, _ := household(t)
	command := func(names ...string) (e hook.Extension) {
		for i, n := range names {
			e.Commands = append(e.Commands, hook.Command{Handler: hook.HandlerID(i + 1), Name: n})
		}
		return e
	}
	z := h.move(t, &resident{name: "zoo"}, command("vote", "help"))
	a := h.move(t, &resident{name: "ant"}, command("vote"))
	who := func(names ...string) string {
		var all []string
		for _, n := range names {
			c, _ := h.Command(n)
			all = append(all, c.Extension)
		}
		return strings.Join(all, " ")
	}
	if got := who("vote", "zoo.vote", "ant.vote", "zoo.help", "help"); got != "zoo zoo ant zoo " {
		t.Errorf("%q", got)
	}
	h.register(z, hook.Registration{}, true)
	if got := who("vote", "zoo.vote"); got != "ant " {
		t.Errorf("without the first: %q", got)
	}
	h.register(z, hook.Registration{Extensions: []hook.Extension{{Name: "zoo", Commands: command("vote").Commands}}}, true)
	if got := who("vote"); got != "ant" {
		t.Errorf("it came back: %q", got)
	}
	h.register(a, hook.Registration{}, true)
	if got := who("vote"); got != "zoo" || len(h.Commands()) != 1 || !slices.ContainsFunc(h.Commands(), func(c Command) bool { return c.Bare }) {
		t.Errorf("alone: %q", got)
	}
}
