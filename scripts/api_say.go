package scripts

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// send says something in a round.
func (p *program) send(l *lua.LState) int {
	p.running(l, "ot.send", hook.CanSend)
	round, text, opts := l.CheckString(1), l.CheckString(2), l.OptTable(3, l.NewTable())
	p.only(l, opts, "form")
	m := hook.Outgoing{Round: round, Text: text, Form: hook.Form(optString(l, opts, "form"))}
	if err := p.sayable(m); err != nil {
		return failed(l, err)
	}
	return p.say(l, m)
}

// sayable finds at once what is wrong with a message that a script has put together, while its line is known.
func (p *program) sayable(m hook.Outgoing) error {
	if err := m.Check(); err != nil {
		return err
	}
	all, err := ask(p, func(ctx context.Context) ([]hook.Round, error) { return p.script.host.chat.Rounds(ctx, p.script.name) })
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(r hook.Round) bool { return r.Name == m.Round || r.Tag == m.Round }) {
		return hook.Errorf(hook.CodeNotFound, "no round %q", m.Round)
	}
	return nil
}

func (p *program) say(l *lua.LState, m hook.Outgoing) int {
	m.Auto = true
	return p.later(l, func(ctx context.Context, chat hook.Host, from string) error {
		_, err := chat.Send(ctx, from, m)
		return err
	})
}

// reply answers what the handler was called for: a command with a line, a message in its round.
func (p *program) reply(l *lua.LState) int {
	text := l.CheckString(1)
	switch {
	case p.now.command:
		if len(p.now.lines) >= hook.MaxLines {
			return failed(l, hook.Errorf(hook.CodeTooMuch, "more than %d lines", hook.MaxLines))
		}
		p.now.lines = append(p.now.lines, text)
		l.Push(lua.LTrue)
		return 1
	case p.now.round != "":
		p.running(l, "ot.reply to a message", hook.CanSend)
		return p.say(l, hook.Outgoing{Round: p.now.round, Text: text})
	}
	l.RaiseError("ot.reply is for commands, and for what is told of messages")
	return 0
}

// print shows text to the person.
func (p *program) print(l *lua.LState) int {
	return p.show(l, l.ToStringMeta(l.CheckAny(1)).String(), l.OptString(2, ""))
}

// printAll is Lua's own print: it takes any number of values.
func (p *program) printAll(l *lua.LState) int {
	texts := make([]string, l.GetTop())
	for i := range texts {
		texts[i] = l.ToStringMeta(l.Get(i + 1)).String()
	}
	return p.show(l, strings.Join(texts, "\t"), "")
}

func (p *program) show(l *lua.LState, text, round string) int {
	return p.later(l, func(ctx context.Context, chat hook.Host, from string) error {
		return chat.Print(ctx, from, round, text)
	})
}

// notify draws the person's attention.
func (p *program) notify(l *lua.LState) int {
	p.running(l, "ot.notify", hook.CanNotify)
	text := l.CheckString(1)
	return p.later(l, func(ctx context.Context, chat hook.Host, from string) error { return chat.Notify(ctx, from, text) })
}

func (p *program) logAPI() map[string]lua.LGFunction {
	api := map[string]lua.LGFunction{}
	for _, level := range []hook.Level{hook.LevelDebug, hook.LevelInfo, hook.LevelWarn, hook.LevelError} {
		api[string(level)] = func(l *lua.LState) int {
			text := l.CheckString(1)
			return p.later(l, func(ctx context.Context, chat hook.Host, from string) error { return chat.Log(ctx, from, level, text) })
		}
	}
	return api
}

// addTimer has a function called after some seconds.
func (p *program) addTimer(l *lua.LState) int {
	seconds, fn, opts := float64(l.CheckNumber(1)), l.CheckFunction(2), l.OptTable(3, l.NewTable())
	p.only(l, opts, "every")
	h := &handler{fn: fn, every: lua.LVAsBool(opts.RawGetString("every"))}
	h.after = time.Duration(seconds * float64(time.Second))
	if seconds < 0 || seconds > maxTimer.Seconds() || h.every && h.after < hook.MinTimer {
		l.ArgError(1, "seconds from 0 to "+strconv.Itoa(int(maxTimer.Seconds()))+", and with every from 0.1")
	}
	if len(p.timers) >= hook.MaxTimers-1 {
		l.RaiseError("more than %d timers", hook.MaxTimers-1)
	}
	p.add(l, h, "timer")
	p.script.timers++
	h.timer = strconv.Itoa(p.script.timers)
	p.timers[h.timer] = h
	if !p.now.loading {
		p.setTimer(h)
	}
	l.Push(lua.LNumber(h.id))
	return 1
}

func (p *program) setTimer(h *handler) {
	set := hook.TimerSetting{Name: h.timer, After: max(h.after, time.Millisecond)}
	if h.every {
		set.Every = h.after
	}
	p.script.errand(p.ctx, func(ctx context.Context, chat hook.Host, from string) error { return chat.SetTimer(ctx, from, set) })
}

func (p *program) stopTimer(name string) {
	delete(p.timers, name)
	p.script.errand(p.ctx, func(ctx context.Context, chat hook.Host, from string) error {
		return chat.SetTimer(ctx, from, hook.TimerSetting{Name: name})
	})
}
