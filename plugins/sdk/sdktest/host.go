package sdktest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
)

// host is the chat as the plugin sees it.
type host struct{ c *Chat }

var _ hook.Host = (*host)(nil)

// depthKey is where a context holds how many messages of extensions have led to it.
type depthKey struct{}

// may reports whether an extension has a capability. It needs c.mu.
func (c *Chat) may(e hook.Extension, need hook.Capability) bool {
	return slices.Contains(e.Needs, need) && (c.granted == nil || slices.Contains(c.granted, need))
}

// check reports whether from may do what needs a capability, "" for none. It needs c.mu.
func (c *Chat) check(from string, need hook.Capability) error {
	e := c.extension(from)
	switch {
	case e == nil:
		return hook.Errorf(hook.CodeDenied, "no extension %q is registered", from)
	case need == "" || c.may(*e, need):
		return nil
	}
	return &hook.Error{
		Code: hook.CodeDenied, Text: from + " may not do this: it needs the capability " + string(need),
		Hint: "declare it in Needs, and in plugin.toml",
	}
}

// in runs f if from may, with the round if one is named.
func (c *Chat) in(from string, need hook.Capability, name string, f func(r *round) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.check(from, need); err != nil {
		return err
	}
	r := c.round(name)
	if r == nil && name != "" {
		return hook.Errorf(hook.CodeNotFound, "no round %q", name)
	}
	return f(r)
}

// Config implements hook.Host.
func (h *host) Config(_ context.Context, from string) (config json.RawMessage, err error) {
	err = h.c.in(from, "", "", func(*round) error {
		config = bytes.Clone(h.c.config)
		return nil
	})
	return config, err
}

// named is in, for what cannot do without a round.
func (c *Chat) named(from string, need hook.Capability, name string, f func(r *round) error) error {
	return c.in(from, need, name, func(r *round) error {
		if r == nil {
			return hook.Errorf(hook.CodeNotFound, "no round is named")
		}
		return f(r)
	})
}

func (h *host) Register(_ context.Context, all hook.Registration) error { return h.c.register(all) }

func (h *host) Send(ctx context.Context, from string, m hook.Outgoing) (hook.MessageID, error) {
	if err := m.Check(); err != nil {
		return "", err
	}
	err := h.c.named(from, hook.CanSend, m.Round, func(*round) error {
		if m.Person {
			return h.c.check(from, hook.CanSpeak)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	depth, _ := ctx.Value(depthKey{}).(int)
	if depth >= hook.MaxDepth {
		return "", hook.Errorf(hook.CodeLoop, "messages of extensions set each other off")
	}
	m.Form, m.Auto, m.Person = cmp.Or(m.Form, hook.FormPlain), !m.Person, false
	speaker := from
	if !m.Auto {
		speaker = "" // the person
	}
	result, _ := h.c.send(context.WithValue(ctx, depthKey{}, depth+1), speaker, m)
	if result.Dropped {
		return "", &hook.Error{Code: hook.CodeDropped, Text: "the message was not sent: " + result.Reason}
	}
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	h.c.sent = append(h.c.sent, result.sent)
	return result.ID, nil
}

func (h *host) Print(_ context.Context, from, name, text string) error {
	return cmp.Or(hook.CheckLine(text), h.c.in(from, "", name, func(*round) error {
		h.c.printed = append(h.c.printed, Line{From: from, Round: name, Text: text})
		return nil
	}))
}

func (h *host) Notify(_ context.Context, from, text string) error {
	return cmp.Or(hook.CheckLine(text), h.c.in(from, hook.CanNotify, "", func(*round) error {
		h.c.notified = append(h.c.notified, Line{From: from, Text: text})
		return nil
	}))
}

func (h *host) Me(_ context.Context, from string) (self hook.Self, err error) {
	err = h.c.in(from, "", "", func(*round) error {
		self = h.c.self
		return nil
	})
	return self, err
}

func (h *host) Rounds(_ context.Context, from string) (all []hook.Round, err error) {
	err = h.c.in(from, "", "", func(*round) error {
		for _, r := range h.c.rounds {
			all = append(all, r.info(h.c.current))
		}
		return nil
	})
	return all, err
}

func (h *host) Peers(_ context.Context, from, name string) (all []hook.Peer, err error) {
	err = h.c.named(from, "", name, func(r *round) error {
		for _, m := range r.members {
			if m.Online && !m.Own {
				all = append(all, hook.Peer{Person: m.Person, Device: fingerprint(m.Handle + "'s device"), Since: m.Joined})
			}
		}
		return nil
	})
	return all, err
}

func (h *host) Members(_ context.Context, from, name string) (all []hook.Member, err error) {
	err = h.c.named(from, "", name, func(r *round) error {
		all = slices.Clone(r.members)
		return nil
	})
	return all, err
}

func (h *host) History(_ context.Context, from string, q hook.Query) (all []hook.Message, err error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	err = h.c.named(from, hook.CanHistory, q.Round, func(r *round) error {
		for _, m := range r.history {
			if m.Cursor > q.After && (q.Before == "" || m.Cursor < q.Before) &&
				!m.Written.Before(q.Since) && (q.Until.IsZero() || m.Written.Before(q.Until)) {
				m.Live, m.Received = false, time.Time{}
				all = append(all, m)
			}
		}
		if n := len(all) - q.Limit; n > 0 && q.After == "" && q.Since.IsZero() {
			all = all[n:]
		} else if n > 0 {
			all = all[:q.Limit]
		}
		return nil
	})
	return all, err
}

func (h *host) SetNick(ctx context.Context, from, name, handle string) error {
	return h.c.named(from, hook.CanManage, name, func(r *round) error {
		h.c.rename(context.WithoutCancel(ctx), r, 0, handle)
		return nil
	})
}

func (h *host) SetTopic(ctx context.Context, from, name, topic string) error {
	return h.c.named(from, hook.CanManage, name, func(r *round) error {
		h.c.retitle(context.WithoutCancel(ctx), r, h.c.me(r), topic)
		return nil
	})
}

// Join takes any invite that names a round: "opentalk:NAME".
func (h *host) Join(ctx context.Context, from, invite string) (joined hook.Round, err error) {
	name, ok := strings.CutPrefix(invite, "opentalk:")
	if !ok || name == "" {
		return joined, hook.Errorf(hook.CodeInvalid, "%q is no invite", invite)
	}
	err = h.c.in(from, hook.CanManage, "", func(*round) error {
		joined = h.c.enter(name).info(h.c.current)
		h.c.note(context.WithoutCancel(ctx), hook.RoundEvent{Round: joined, Change: hook.Joined})
		return nil
	})
	return joined, err
}

func (h *host) Leave(ctx context.Context, from, name string) error {
	return h.c.named(from, hook.CanManage, name, func(r *round) error {
		h.c.rounds = slices.DeleteFunc(h.c.rounds, func(o *round) bool { return o == r })
		h.c.note(context.WithoutCancel(ctx), hook.RoundEvent{Round: r.info(h.c.current), Change: hook.Left})
		return nil
	})
}

func (h *host) Log(_ context.Context, from string, level hook.Level, text string) error {
	return cmp.Or(hook.CheckLine(text), h.c.in(from, "", "", func(*round) error {
		h.c.logged = append(h.c.logged, Line{From: from, Level: level, Text: text})
		return nil
	}))
}
