package scripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// patterns are the regular expressions that a script has used: RE2, so none takes for ever.
type patterns map[string]*regexp.Regexp

func (p patterns) api() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"match": p.match, "find": p.find, "replace": p.replace}
}

func (p patterns) compile(l *lua.LState, n int) *regexp.Regexp {
	text := l.CheckString(n)
	if re := p[text]; re != nil {
		return re
	}
	if len(text) > maxPattern {
		l.ArgError(n, fmt.Sprintf("a pattern has up to %d bytes", maxPattern))
	}
	re, err := regexp.Compile(text)
	if err != nil {
		l.ArgError(n, err.Error())
	}
	if len(p) >= maxPatterns {
		clear(p)
	}
	p[text] = re
	return re
}

// match returns the groups of the first match, or all of it if there are none; nil if there is no match.
func (p patterns) match(l *lua.LState) int {
	text, re := l.CheckString(1), p.compile(l, 2)
	groups := re.FindStringSubmatch(text)
	if groups == nil {
		l.Push(lua.LNil)
		return 1
	}
	if len(groups) > 1 {
		groups = groups[1:]
	}
	for _, g := range groups {
		l.Push(lua.LString(g))
	}
	return len(groups)
}

// find returns where the first match begins and ends, as string.find does, and its groups.
func (p patterns) find(l *lua.LState) int {
	text, re, from := l.CheckString(1), p.compile(l, 2), l.OptInt(3, 1)
	if from = max(from, 1) - 1; from > len(text) {
		l.Push(lua.LNil)
		return 1
	}
	at := re.FindStringSubmatchIndex(text[from:])
	if at == nil {
		l.Push(lua.LNil)
		return 1
	}
	l.Push(lua.LNumber(from + at[0] + 1))
	l.Push(lua.LNumber(from + at[1]))
	for i := 2; i < len(at); i += 2 {
		if at[i] < 0 {
			l.Push(lua.LNil)
			continue
		}
		l.Push(lua.LString(text[from+at[i] : from+at[i+1]]))
	}
	return len(at)/2 + 1
}

// replace puts a text, in which $1 is the first group, in the place of every match.
func (p patterns) replace(l *lua.LState) int {
	text, re := l.CheckString(1), p.compile(l, 2)
	l.Push(lua.LString(re.ReplaceAllString(text, l.CheckString(3))))
	return 1
}

func jsonAPI() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"encode": func(l *lua.LState) int {
			plain, err := toJSON(l.CheckAny(1))
			var raw []byte
			if err == nil {
				raw, err = json.Marshal(plain)
			}
			if err != nil {
				l.RaiseError("ot.json.encode: %v", err)
			}
			l.Push(lua.LString(raw))
			return 1
		},
		"decode": func(l *lua.LState) int {
			v, err := fromJSON(l, []byte(l.CheckString(1)))
			if err != nil {
				return failed(l, err)
			}
			l.Push(v)
			return 1
		},
	}
}

// toJSON makes of a Lua value what encoding/json takes. A table with the keys 1 to n is an array, any other an object.
func toJSON(v lua.LValue) (any, error) { return toJSONAt(v, 0) }

func toJSONAt(v lua.LValue, depth int) (any, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LNumber:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%v is no number in JSON", v)
		}
		if v == lua.LNumber(int64(v)) {
			return int64(v), nil
		}
		return float64(v), nil
	case lua.LString:
		if !utf8.ValidString(string(v)) {
			return nil, errors.New("a string is not UTF-8")
		}
		return string(v), nil
	case *lua.LTable:
		if depth == maxDepth {
			return nil, fmt.Errorf("tables are nested more than %d deep, or hold themselves", maxDepth)
		}
		return tableToJSON(v, depth)
	}
	return nil, fmt.Errorf("a %s cannot be kept", v.Type())
}

func tableToJSON(t *lua.LTable, depth int) (any, error) {
	n, entries := t.Len(), 0
	t.ForEach(func(_, _ lua.LValue) { entries++ })
	if n > 0 && n == entries {
		array := make([]any, n)
		for i := range array {
			var err error
			if array[i], err = toJSONAt(t.RawGetInt(i+1), depth+1); err != nil {
				return nil, err
			}
		}
		return array, nil
	}
	object := map[string]any{}
	var failed error
	t.ForEach(func(k, v lua.LValue) {
		plain, err := toJSONAt(v, depth+1)
		if k.Type() != lua.LTString && k.Type() != lua.LTNumber {
			err = fmt.Errorf("a %s cannot be a key", k.Type())
		}
		if err != nil {
			failed = err
			return
		}
		object[k.String()] = plain
	})
	return object, failed
}

// fromJSON makes a Lua value of JSON. null is nil.
func fromJSON(l *lua.LState, raw []byte) (lua.LValue, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return luaValue(l, v), nil
}

func luaValue(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		t := l.CreateTable(len(v), 0)
		for i, e := range v {
			t.RawSetInt(i+1, luaValue(l, e))
		}
		return t
	case map[string]any:
		t := l.CreateTable(0, len(v))
		for k, e := range v {
			t.RawSetString(k, luaValue(l, e))
		}
		return t
	}
	return lua.LNil
}

// time is the time in seconds since 1970: now, or that of a day and an hour by the clock on the wall.
func (p *program) time(l *lua.LState) int {
	if at, ok := l.Get(1).(*lua.LTable); ok {
		p.only(l, at, "year", "month", "day", "hour", "min", "sec")
		part := func(key string, missing int) int {
			if at.RawGetString(key) == lua.LNil {
				return missing
			}
			return optInt(l, at, key)
		}
		now := p.script.host.clock().Local()
		moment := time.Date(part("year", now.Year()), time.Month(part("month", int(now.Month()))), part("day", now.Day()),
			part("hour", 0), part("min", 0), part("sec", 0), 0, time.Local)
		l.Push(lua.LNumber(moment.Unix()))
		return 1
	}
	l.Push(lua.LNumber(float64(p.script.host.clock().UnixMilli()) / 1000))
	return 1
}

// verbs are those of strftime that people use.
var verbs = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'a': "Mon", 'A': "Monday", 'b': "Jan",
	'B': "January", 'j': "002", 'I': "03", 'p': "PM", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04",
}

// date writes a moment, by the clock on the wall.
func (p *program) date(l *lua.LState) int {
	format, at := l.OptString(1, "%F %R"), p.script.host.clock()
	if l.GetTop() > 1 {
		at = time.UnixMilli(int64(float64(l.CheckNumber(2)) * 1000))
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch layout, ok := verbs[format[i]]; {
		case ok:
			b.WriteString(at.Format(layout))
		case format[i] == 'w':
			b.WriteString(strconv.Itoa(int(at.Weekday())))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			l.ArgError(1, fmt.Sprintf("%%%c is not known", format[i]))
		}
	}
	l.Push(lua.LString(b.String()))
	return 1
}

// config gives a table of defaults with what the person has set in their place.
func (p *program) config(l *lua.LState) int {
	defaults := l.CheckTable(1)
	set := map[string]any{}
	if raw := p.script.host.settings(p.script.name); raw != nil {
		if err := json.Unmarshal(raw, &set); err != nil {
			l.RaiseError("reading the settings of %s: %v", p.script.name, err)
		}
	}
	merged := l.NewTable()
	defaults.ForEach(func(k, v lua.LValue) {
		p.settings = append(p.settings, k.String())
		if own, ok := set[k.String()]; ok {
			mine := luaValue(l, own)
			if mine.Type() != v.Type() {
				l.RaiseError("the setting %s of %s is a %s, not a %s", k.String(), p.script.name, v.Type(), mine.Type())
			}
			v = mine
			delete(set, k.String())
		}
		merged.RawSet(k, v)
	})
	for k := range set {
		l.RaiseError("%s has no setting %q", p.script.name, k)
	}
	l.Push(merged)
	return 1
}
