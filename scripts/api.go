package scripts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// openAPI sets the global "ot". LUA.md describes every entry; a test compares the two.
func (p *program) openAPI() {
	ot := p.l.NewTable()
	for name, entry := range p.api() {
		switch entry := entry.(type) {
		case lua.LGFunction:
			ot.RawSetString(name, p.l.NewFunction(entry))
		case map[string]lua.LGFunction:
			ot.RawSetString(name, p.l.SetFuncs(p.l.NewTable(), entry))
		}
	}
	p.l.SetGlobal("ot", ot)
	p.l.SetGlobal("print", p.l.NewFunction(p.printAll))
}

// api lists what "ot" offers: functions, and tables of functions.
func (p *program) api() map[string]any {
	fn := func(f lua.LGFunction) lua.LGFunction { return f }
	return map[string]any{
		"register": fn(p.register), "on": fn(p.on), "off": fn(p.off), "filter": fn(p.addFilter), "command": fn(p.addCommand),
		"timer": fn(p.addTimer), "on_unload": fn(p.onUnload), "config": fn(p.config),
		"send": fn(p.send), "reply": fn(p.reply), "print": fn(p.print), "notify": fn(p.notify),
		"me": fn(p.me), "rounds": fn(p.rounds), "peers": fn(p.peers), "members": fn(p.members), "history": fn(p.history),
		"store": p.storeAPI(), "re": p.patterns.api(), "json": jsonAPI(), "log": p.logAPI(),
		"time": fn(p.time), "date": fn(p.date),
	}
}

// register tells what the script is and what it needs.
func (p *program) register(l *lua.LState) int {
	p.atLoad(l, "ot.register")
	t := l.CheckTable(1)
	p.only(l, t, "version", "description", "needs")
	p.about.version = optString(l, t, "version")
	p.about.description = optString(l, t, "description")
	p.about.needs = nil
	needs, ok := t.RawGetString("needs").(*lua.LTable)
	if !ok {
		if t.RawGetString("needs") != lua.LNil {
			l.RaiseError("needs is a table of words, as in { \"send\" }")
		}
		return 0
	}
	needs.ForEach(func(_, v lua.LValue) {
		c := hook.Capability(v.String())
		if !slices.Contains(hook.Capabilities(), c) {
			l.RaiseError("there is nothing to need that is called %q: %s", v.String(), words(hook.Capabilities()))
		}
		if !slices.Contains(p.about.needs, c) {
			p.about.needs = append(p.about.needs, c)
		}
	})
	return 0
}

// has reports whether a handler or a timer has this number.
func (p *program) has(id hook.HandlerID) bool {
	for _, h := range p.timers {
		if h.id == id {
			return true
		}
	}
	return p.handlers[id] != nil
}

// add gives a handler of a kind its number, which is how the script names it.
func (p *program) add(l *lua.LState, h *handler, kind string) {
	if len(p.handlers)+len(p.timers) >= hook.MaxHandlers-2 {
		l.RaiseError("more than %d handlers", hook.MaxHandlers-2)
	}
	h.id = p.script.number(p, kind)
}

// on has a function told of events.
func (p *program) on(l *lua.LState) int {
	kind, fn := hook.Kind(l.CheckString(1)), l.CheckFunction(2)
	switch {
	case kind == hook.KindTimer:
		l.ArgError(1, "ot.timer sets timers")
	case !slices.Contains(hook.Kinds(), kind):
		l.ArgError(1, fmt.Sprintf("no event is called %q: %s", string(kind), words(hook.Kinds())))
	case kind == hook.KindStart:
		p.atLoad(l, `ot.on("start")`)
		p.starts = append(p.starts, fn)
		return 0
	}
	h := &handler{fn: fn}
	p.add(l, h, "on "+string(kind))
	h.observer = hook.Observer{Handler: h.id, Kind: kind, Source: source(fn)}
	p.handlers[h.id], p.changed = h, true
	l.Push(lua.LNumber(h.id))
	return 1
}

// addFilter has a function decide on what passes.
func (p *program) addFilter(l *lua.LState) int {
	stage, fn, opts := hook.Stage(l.CheckString(1)), l.CheckFunction(2), l.OptTable(3, l.NewTable())
	if !slices.Contains(hook.Stages(), stage) {
		l.ArgError(1, fmt.Sprintf("there is no stage %q: %s", string(stage), words(hook.Stages())))
	}
	p.only(l, opts, "priority", "required")
	h := &handler{fn: fn}
	p.add(l, h, "filter "+string(stage))
	h.filter = hook.Filter{
		Handler: h.id, Stage: stage, Priority: optInt(l, opts, "priority"), Required: lua.LVAsBool(opts.RawGetString("required")),
		Source: source(fn),
	}
	if h.filter.Required && stage != hook.StageOutgoing {
		l.ArgError(3, "only outgoing filters can be required")
	}
	p.handlers[h.id], p.changed = h, true
	l.Push(lua.LNumber(h.id))
	return 1
}

// addCommand adds one that a person can type.
func (p *program) addCommand(l *lua.LState) int {
	t := l.CheckTable(1)
	p.only(l, t, "name", "usage", "help", "example", "min", "max", "run", "complete")
	fn, ok := t.RawGetString("run").(*lua.LFunction)
	if !ok {
		l.ArgError(1, "run is the function of the command")
	}
	h := &handler{fn: fn}
	h.words, _ = t.RawGetString("complete").(*lua.LFunction)
	p.add(l, h, "command "+optString(l, t, "name"))
	h.command = hook.Command{
		Handler: h.id, Name: optString(l, t, "name"), Usage: optString(l, t, "usage"), Help: optString(l, t, "help"),
		Example: optString(l, t, "example"), Min: optInt(l, t, "min"), Max: optInt(l, t, "max"), Complete: h.words != nil,
		Source: source(fn),
	}
	p.handlers[h.id], p.changed = h, true
	l.Push(lua.LNumber(h.id))
	return 1
}

// off takes a handler away, or a timer.
func (p *program) off(l *lua.LState) int {
	id := hook.HandlerID(l.CheckNumber(1))
	for name, h := range p.timers {
		if h.id == id {
			p.stopTimer(name)
			l.Push(lua.LTrue)
			return 1
		}
	}
	_, there := p.handlers[id]
	delete(p.handlers, id)
	p.changed = p.changed || there
	l.Push(lua.LBool(there))
	return 1
}

func (p *program) onUnload(l *lua.LState) int {
	p.leaving = append(p.leaving, l.CheckFunction(1))
	return 0
}

// atLoad lets a function be called by the text of the file only.
func (p *program) atLoad(l *lua.LState, what string) {
	if !p.now.loading {
		l.RaiseError("%s is for the text of the file, not for a handler", what)
	}
}

// running lets a function be called by handlers only, and only with leave.
func (p *program) running(l *lua.LState, what string, need hook.Capability) {
	if p.now.loading {
		l.RaiseError("%s can't be called while the file is loaded; ot.on(\"start\", …) runs right after", what)
	}
	if need != "" && !slices.Contains(p.about.needs, need) {
		l.RaiseError("%s needs %q: ot.register { needs = { %q } } says so", what, string(need), string(need))
	}
}

// only raises an error for a key that means nothing.
func (p *program) only(l *lua.LState, t *lua.LTable, keys ...string) {
	t.ForEach(func(k, _ lua.LValue) {
		if !slices.Contains(keys, k.String()) {
			l.RaiseError("%q means nothing here: %s", k.String(), strings.Join(keys, ", "))
		}
	})
}

// ask calls the chat while the clock of the script stands.
func ask[T any](p *program, f func(context.Context) (T, error)) (T, error) {
	p.budget.pause()
	defer p.budget.resume()
	ctx, cancel := context.WithTimeout(p.ctx, askTime)
	defer cancel()
	return f(ctx)
}

// failed is what a function returns when the chat refuses: nil, the text, and the code.
func failed(l *lua.LState, err error) int {
	code := hook.CodeFailed
	if e, ok := err.(*hook.Error); ok {
		code = e.Code
	}
	l.Push(lua.LNil)
	l.Push(lua.LString(err.Error()))
	l.Push(lua.LString(code))
	return 3
}

// later queues an errand, and is what the function returns: true, or that the script wants too much at once.
func (p *program) later(l *lua.LState, do func(ctx context.Context, chat hook.Host, from string) error) int {
	if !p.script.errand(p.ctx, do) {
		return failed(l, hook.Errorf(hook.CodeTooMuch, "more than %d things are to be done already", maxErrands))
	}
	l.Push(lua.LTrue)
	return 1
}

func words[T ~string](all []T) string {
	list := make([]string, len(all))
	for i, w := range all {
		list[i] = string(w)
	}
	return strings.Join(list, ", ")
}

func optString(l *lua.LState, t *lua.LTable, key string) string {
	switch v := t.RawGetString(key).(type) {
	case *lua.LNilType:
		return ""
	case lua.LString:
		return string(v)
	default:
		l.RaiseError("%s is a string, not a %s", key, v.Type())
		return ""
	}
}

func optInt(l *lua.LState, t *lua.LTable, key string) int {
	switch v := t.RawGetString(key).(type) {
	case *lua.LNilType:
		return 0
	case lua.LNumber:
		return int(v)
	default:
		l.RaiseError("%s is a number, not a %s", key, v.Type())
		return 0
	}
}
