package scripts

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

func (p *program) me(l *lua.LState) int {
	p.running(l, "ot.me", "")
	self, err := ask(p, func(ctx context.Context) (hook.Self, error) { return p.script.host.chat.Me(ctx, p.script.name) })
	if err != nil {
		return failed(l, err)
	}
	l.Push(table(l, "handle", self.Handle, "fingerprint", self.Fingerprint, "device", self.Device))
	return 1
}

func (p *program) rounds(l *lua.LState) int {
	p.running(l, "ot.rounds", "")
	all, err := ask(p, func(ctx context.Context) ([]hook.Round, error) { return p.script.host.chat.Rounds(ctx, p.script.name) })
	if err != nil {
		return failed(l, err)
	}
	l.Push(list(l, all, roundTable))
	return 1
}

func (p *program) peers(l *lua.LState) int {
	p.running(l, "ot.peers", "")
	round := l.CheckString(1)
	all, err := ask(p, func(ctx context.Context) ([]hook.Peer, error) {
		return p.script.host.chat.Peers(ctx, p.script.name, round)
	})
	if err != nil {
		return failed(l, err)
	}
	l.Push(list(l, all, peerTable))
	return 1
}

func (p *program) members(l *lua.LState) int {
	p.running(l, "ot.members", "")
	round := l.CheckString(1)
	all, err := ask(p, func(ctx context.Context) ([]hook.Member, error) {
		return p.script.host.chat.Members(ctx, p.script.name, round)
	})
	if err != nil {
		return failed(l, err)
	}
	l.Push(list(l, all, memberTable))
	return 1
}

func (p *program) history(l *lua.LState) int {
	p.running(l, "ot.history", hook.CanHistory)
	q, opts := hook.Query{Round: l.CheckString(1)}, l.OptTable(2, l.NewTable())
	p.only(l, opts, "limit", "before", "after")
	q.Before, q.After = hook.Cursor(optString(l, opts, "before")), hook.Cursor(optString(l, opts, "after"))
	if q.Limit = optInt(l, opts, "limit"); q.Limit == 0 {
		q.Limit = defaultHistory
	}
	all, err := ask(p, func(ctx context.Context) ([]hook.Message, error) {
		return p.script.host.chat.History(ctx, p.script.name, q)
	})
	if err != nil {
		return failed(l, err)
	}
	l.Push(list(l, all, messageTable))
	return 1
}
