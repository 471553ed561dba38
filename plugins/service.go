package plugins

import (
	"context"
	"encoding/json"

	"golang.org/x/time/rate"

	"opentalk/plugins/hook"
)

// service is what the host does for one process.
type service struct {
	host *Host
	proc *process
}

var _ hook.Host = (*service)(nil)

// limit picks the limiter of an extension that a call has to pass; nil is none.
type limit func(*extension) *rate.Limiter

// begin lets a call in: of an extension of this process that is on and may do what it asks for, at not too high a rate. done
// must be called at its end.
func (s *service) begin(
	ctx context.Context, from string, needs hook.Capability, at limit,
) (e *extension, done func(), err error) {
	select {
	case s.proc.serving <- struct{}{}:
	default:
		return nil, nil, hook.Errorf(hook.CodeTooMuch, "%d calls are under way", maxCalls)
	}
	done = func() { <-s.proc.serving }
	if e, err = s.admit(from, needs, at); err != nil {
		done()
		return nil, nil, err
	}
	if c := callOf(ctx); c != nil {
		c.ask()
		free := done
		done = func() { c.asked(); free() }
	}
	return e, done, nil
}

func (s *service) admit(from string, needs hook.Capability, at limit) (*extension, error) {
	if !s.proc.rate.Allow() {
		return nil, hook.Errorf(hook.CodeTooMuch, "more than %d calls a second", callRate)
	}
	e := s.host.view.Load().extensions[from]
	switch {
	case e == nil || e.proc != s.proc:
		return nil, hook.Errorf(hook.CodeDenied, "extension %q is not registered here", from)
	case e.over.Load():
		return nil, hook.Errorf(hook.CodeClosed, "extension %q is turned off", from)
	case needs != "" && !e.may(needs):
		return nil, undeclared(from, needs)
	case at != nil && !at(e).Allow():
		return nil, hook.Errorf(hook.CodeTooMuch, "extension %q asks for that too often", from)
	}
	return e, nil
}

func undeclared(from string, needs hook.Capability) error {
	return hook.Errorf(hook.CodeDenied, "extension %q has not declared that it needs %q", from, needs)
}

// do lets a call in and makes it.
func do[T any](
	ctx context.Context, s *service, from string, needs hook.Capability, at limit, f func(*extension) (T, error),
) (T, error) {
	var none T
	e, done, err := s.begin(ctx, from, needs, at)
	if err != nil {
		return none, err
	}
	defer done()
	defer s.host.cfg.OnPanic()
	value, err := f(e)
	return value, asError(err)
}

// act is do for what returns nothing.
func act(
	ctx context.Context, s *service, from string, needs hook.Capability, at limit, f func(*extension) error,
) error {
	_, err := do(ctx, s, from, needs, at, func(e *extension) (struct{}, error) { return struct{}{}, f(e) })
	return err
}

func sends(e *extension) *rate.Limiter   { return e.sends }
func prints(e *extension) *rate.Limiter  { return e.prints }
func notes(e *extension) *rate.Limiter   { return e.notes }
func changes(e *extension) *rate.Limiter { return e.changes }

func (s *service) Register(ctx context.Context, all hook.Registration) error {
	defer s.host.cfg.OnPanic()
	select {
	case <-s.proc.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !s.proc.rate.Allow() {
		return hook.Errorf(hook.CodeTooMuch, "more than %d calls a second", callRate)
	}
	if c := callOf(ctx); c != nil {
		c.ask()
		defer c.asked()
	}
	return asError(s.host.register(s.proc, all, true))
}

func (s *service) Config(ctx context.Context, from string) (json.RawMessage, error) {
	return do(ctx, s, from, "", nil, func(*extension) (json.RawMessage, error) { return s.proc.guest.config() })
}

// Send passes the filters, of which its own are not asked about what it says by itself, and says what they have left of it.
func (s *service) Send(ctx context.Context, from string, m hook.Outgoing) (hook.MessageID, error) {
	return do(ctx, s, from, hook.CanSend, sends, func(e *extension) (id hook.MessageID, err error) {
		why := cause{from, causeOf(ctx).depth + 1}
		if m.Person {
			if !e.may(hook.CanSpeak) {
				return "", undeclared(from, hook.CanSpeak)
			}
			why.from = "" // it is not the extension that speaks
		}
		if why.depth > hook.MaxDepth {
			return "", hook.Errorf(hook.CodeLoop, "this answers what extensions have said to each other, more than %d deep", hook.MaxDepth)
		}
		m.Auto, m.Person = !m.Person, false
		item := hook.Item{Stage: hook.StageOutgoing, Round: m.Round, Out: m}
		out := s.host.filter(ctx, s.host.view.Load().rows[hook.StageOutgoing], item, why)
		if out.Dropped {
			return "", hook.Errorf(hook.CodeDropped, "%s has dropped it: %s", out.By, out.Reason)
		}
		m.Text = out.Text
		err = s.host.chat.Send(ctx, m, func(given hook.MessageID) {
			id = given
			s.host.senders.add(id, why)
		})
		return id, err
	})
}

func (s *service) Print(ctx context.Context, from, round, text string) error {
	return act(ctx, s, from, "", prints, func(*extension) error {
		s.host.chat.Print(from, round, text)
		return nil
	})
}

func (s *service) Notify(ctx context.Context, from, text string) error {
	return act(ctx, s, from, hook.CanNotify, notes, func(*extension) error {
		s.host.chat.Notify(from, text)
		return nil
	})
}

func (s *service) Me(ctx context.Context, from string) (hook.Self, error) {
	return do(ctx, s, from, "", nil, func(*extension) (hook.Self, error) { return s.host.chat.Me(ctx) })
}

func (s *service) Rounds(ctx context.Context, from string) ([]hook.Round, error) {
	return do(ctx, s, from, "", nil, func(*extension) ([]hook.Round, error) { return s.host.chat.Rounds(ctx) })
}

func (s *service) Peers(ctx context.Context, from, round string) ([]hook.Peer, error) {
	return do(ctx, s, from, "", nil, func(*extension) ([]hook.Peer, error) { return s.host.chat.Peers(ctx, round) })
}

func (s *service) Members(ctx context.Context, from, round string) ([]hook.Member, error) {
	return do(ctx, s, from, "", nil, func(*extension) ([]hook.Member, error) { return s.host.chat.Members(ctx, round) })
}

func (s *service) History(ctx context.Context, from string, q hook.Query) ([]hook.Message, error) {
	return do(ctx, s, from, hook.CanHistory, nil, func(*extension) ([]hook.Message, error) { return s.host.chat.History(ctx, q) })
}

func (s *service) SetNick(ctx context.Context, from, round, handle string) error {
	return act(ctx, s, from, hook.CanManage, changes, func(*extension) error { return s.host.chat.SetNick(ctx, round, handle) })
}

func (s *service) SetTopic(ctx context.Context, from, round, topic string) error {
	return act(ctx, s, from, hook.CanManage, changes, func(*extension) error { return s.host.chat.SetTopic(ctx, round, topic) })
}

func (s *service) Join(ctx context.Context, from, invite string) (hook.Round, error) {
	return do(ctx, s, from, hook.CanManage, changes, func(*extension) (hook.Round, error) { return s.host.chat.Join(ctx, invite) })
}

func (s *service) Leave(ctx context.Context, from, round string) error {
	return act(ctx, s, from, hook.CanManage, changes, func(*extension) error { return s.host.chat.Leave(ctx, round) })
}

func (s *service) Get(ctx context.Context, from, key string) ([]byte, error) {
	return do(ctx, s, from, hook.CanStore, nil, func(*extension) ([]byte, error) { return s.host.storage.get(from, key) })
}

func (s *service) Set(ctx context.Context, from, key string, value []byte) error {
	return act(ctx, s, from, hook.CanStore, nil, func(*extension) error { return s.host.storage.set(from, key, value) })
}

func (s *service) Delete(ctx context.Context, from, key string) error {
	return act(ctx, s, from, hook.CanStore, nil, func(*extension) error { return s.host.storage.delete(from, key) })
}

func (s *service) Keys(ctx context.Context, from, prefix string) ([]string, error) {
	return do(ctx, s, from, hook.CanStore, nil, func(*extension) ([]string, error) { return s.host.storage.keys(from, prefix) })
}

func (s *service) SetTimer(ctx context.Context, from string, t hook.TimerSetting) error {
	return act(ctx, s, from, "", nil, func(e *extension) error {
		return e.timers.set(t, func(due hook.Timer) { e.queue.put(due, cause{}) })
	})
}

func (s *service) Log(ctx context.Context, from string, level hook.Level, text string) error {
	return act(ctx, s, from, "", nil, func(e *extension) error {
		e.log.line(string(level), text)
		return nil
	})
}
