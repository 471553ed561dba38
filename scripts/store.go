package scripts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// store is what a script has kept, as JSON. The chat holds it; this is a copy, read at the first use, and the only one who
// writes. It belongs to the script's goroutine.
type store struct {
	values map[string]string
	size   int
}

func (p *program) storeAPI() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"get": p.storeGet, "set": p.storeSet, "delete": p.storeDelete, "keys": p.storeKeys}
}

// open reads what there is.
func (p *program) openStore(l *lua.LState, what string) *store {
	p.running(l, what, hook.CanStore)
	s := &p.script.store
	if s.values != nil {
		return s
	}
	values, err := ask(p, func(ctx context.Context) (map[string]string, error) {
		chat, from, values := p.script.host.chat, p.script.name, map[string]string{}
		keys, err := chat.Keys(ctx, from, "")
		for _, key := range keys {
			var raw []byte
			if raw, err = chat.Get(ctx, from, key); err != nil {
				break
			}
			values[key] = string(raw)
		}
		return values, err
	})
	if err != nil {
		l.RaiseError("%s: %v", what, err)
	}
	s.values = values
	for k, v := range values {
		s.size += len(k) + len(v)
	}
	return s
}

func (p *program) storeGet(l *lua.LState) int {
	s := p.openStore(l, "ot.store.get")
	raw, ok := s.values[l.CheckString(1)]
	if !ok {
		l.Push(l.Get(2)) // what is to be taken then
		return 1
	}
	v, err := fromJSON(l, []byte(raw))
	if err != nil {
		l.RaiseError("ot.store.get: %v", err)
	}
	l.Push(v)
	return 1
}

func (p *program) storeSet(l *lua.LState) int {
	s := p.openStore(l, "ot.store.set")
	key, v := l.CheckString(1), l.CheckAny(2)
	if v == lua.LNil {
		return p.storeDelete(l)
	}
	plain, err := toJSON(v)
	var raw []byte
	if err == nil {
		raw, err = json.Marshal(plain)
	}
	if err != nil {
		l.RaiseError("ot.store.set: %v", err)
	}
	size := s.size + len(key) + len(raw)
	if old, ok := s.values[key]; ok {
		size -= len(key) + len(old)
	}
	if key == "" || len(key) > hook.MaxKey || len(raw) > hook.MaxValue || size > hook.MaxStorage {
		return failed(l, hook.Errorf(hook.CodeTooBig, "a key has up to %d bytes, a value %d, all together %d", hook.MaxKey, hook.MaxValue, hook.MaxStorage))
	}
	if done := p.later(l, func(ctx context.Context, chat hook.Host, from string) error { return chat.Set(ctx, from, key, raw) }); done != 1 {
		return done
	}
	s.values[key], s.size = string(raw), size
	return 1
}

func (p *program) storeDelete(l *lua.LState) int {
	s := p.openStore(l, "ot.store.delete")
	key := l.CheckString(1)
	old, ok := s.values[key]
	if !ok {
		l.Push(lua.LTrue)
		return 1
	}
	if done := p.later(l, func(ctx context.Context, chat hook.Host, from string) error { return chat.Delete(ctx, from, key) }); done != 1 {
		return done
	}
	delete(s.values, key)
	s.size -= len(key) + len(old)
	return 1
}

func (p *program) storeKeys(l *lua.LState) int {
	s, prefix := p.openStore(l, "ot.store.keys"), l.OptString(1, "")
	var keys []string
	for k := range s.values {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	t := l.CreateTable(len(keys), 0)
	for _, k := range keys {
		t.Append(lua.LString(k))
	}
	l.Push(t)
	return 1
}
