package scripts

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
)

// api lists what "ot.test" offers. What has something happen waits until everything has that follows from it.
func (t *trial) api() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"receive": t.receive, "event": t.event, "say": t.say, "command": t.command, "complete": t.complete,
		"advance": t.advance, "restart": t.restarted,
		"sent":     t.read(func() []*lua.LTable { return t.messages(t.chat.Sent(), &t.seen.sent) }),
		"printed":  t.readLines(t.lines((*sdktest.Chat).Printed, &t.seen.printed)),
		"notified": t.readLines(t.lines((*sdktest.Chat).Notified, &t.seen.notified)),
		"logged":   t.readLines(t.lines((*sdktest.Chat).Logged, &t.seen.logged)),
	}
}

// act is what a test has happen. It returns what the test is told of it.
type act func() ([]lua.LValue, error)

// later has the test wait while f runs.
func later(l *lua.LState, f act) int {
	u := l.NewUserData()
	u.Value = f
	return l.Yield(u)
}

// outcome is what a test is told of something: of a handler that failed, the error.
func outcome(values []lua.LValue, err error) []lua.LValue {
	if err != nil {
		return []lua.LValue{lua.LNil, lua.LString(err.Error())}
	}
	return values
}

// filtered is what came of a text, or nil and why it was dropped.
func filtered(result sdktest.Result, err error) ([]lua.LValue, error) {
	if err == nil && result.Dropped {
		return []lua.LValue{lua.LNil, lua.LString(result.Reason)}, nil
	}
	return []lua.LValue{lua.LString(result.Text)}, err
}

func (t *trial) receive(l *lua.LState) int {
	t.script.prog.only(l, l.CheckTable(1), "from", "text", "form", "auto", "mention", "late", "live", "written")
	m := t.message(l, l.CheckTable(1))
	return later(l, func() ([]lua.LValue, error) {
		result, err := t.chat.Hear(m)
		return filtered(result, t.settle(err))
	})
}

// message makes a message of a table.
func (t *trial) message(l *lua.LState, from *lua.LTable) hook.Message {
	who := optString(l, from, "from")
	if who == "" {
		who = "bob"
	}
	m := hook.Message{
		From: t.chat.Person(who), Text: optString(l, from, "text"), Form: hook.Form(optString(l, from, "form")),
		Auto: lua.LVAsBool(from.RawGetString("auto")), Mention: lua.LVAsBool(from.RawGetString("mention")),
		Late: lua.LVAsBool(from.RawGetString("late")), Live: from.RawGetString("live") != lua.LFalse,
	}
	if at, ok := from.RawGetString("written").(lua.LNumber); ok {
		m.Written = time.UnixMilli(int64(at * 1000))
	}
	return m
}

func (t *trial) say(l *lua.LState) int {
	text := l.CheckString(1)
	return later(l, func() ([]lua.LValue, error) {
		result, err := t.chat.Type(text)
		return filtered(result, t.settle(err))
	})
}

func (t *trial) command(l *lua.LState) int {
	line := l.CheckString(1)
	return later(l, func() ([]lua.LValue, error) {
		result, err := t.chat.Type(line)
		lines := l.NewTable()
		for _, s := range result.Lines {
			lines.Append(lua.LString(s))
		}
		return []lua.LValue{lines}, t.settle(err)
	})
}

func (t *trial) complete(l *lua.LState) int {
	line := l.CheckString(1)
	return later(l, func() ([]lua.LValue, error) {
		all, err := t.chat.Complete(line)
		words := l.NewTable()
		for _, w := range all {
			words.Append(lua.LString(w))
		}
		return []lua.LValue{words}, t.settle(err)
	})
}

func (t *trial) advance(l *lua.LState) int {
	d := time.Duration(float64(l.CheckNumber(1)) * float64(time.Second))
	return later(l, func() ([]lua.LValue, error) {
		err := t.settle(nil) // timers that the test itself has set
		return []lua.LValue{lua.LTrue}, t.settle(errors.Join(err, t.chat.Advance(d)))
	})
}

// restarted has the chat begin again.
func (t *trial) restarted(l *lua.LState) int {
	var settings json.RawMessage
	if set := l.OptTable(1, nil); set != nil {
		plain, err := toJSON(set)
		if err == nil {
			settings, err = json.Marshal(plain)
		}
		if err != nil {
			l.ArgError(1, err.Error())
		}
	}
	return later(l, func() ([]lua.LValue, error) { return []lua.LValue{lua.LTrue}, t.restart(settings) })
}

// event has something else happen.
func (t *trial) event(l *lua.LState) int {
	kind, from := hook.Kind(l.CheckString(1)), l.OptTable(2, l.NewTable())
	person := t.message(l, from).From
	round, tag := t.chat.Current().Name, t.chat.Current().Tag
	live := from.RawGetString("live") != lua.LFalse
	change := hook.Change(optString(l, from, "change"))
	var e hook.Event
	switch kind {
	case hook.KindPeer:
		e = hook.PeerEvent{Round: round, Tag: tag, Person: person, Online: from.RawGetString("online") != lua.LFalse}
	case hook.KindMember:
		e = hook.MemberEvent{Round: round, Tag: tag, Person: person, Change: change, Was: optString(l, from, "was"), Live: live}
	case hook.KindTopic:
		e = hook.TopicEvent{Round: round, Tag: tag, Topic: optString(l, from, "topic"), By: person, Live: live}
	case hook.KindRound:
		e = hook.RoundEvent{Round: t.chat.Current(), Change: change}
	case hook.KindDelivery:
		e = hook.DeliveryEvent{
			Round: round, Tag: tag, ID: hook.MessageID(optString(l, from, "id")), Held: optInt(l, from, "held"), Members: optInt(l, from, "members"),
		}
	case hook.KindCaughtUp:
		e = hook.CaughtUp{Round: round, Tag: tag}
	case hook.KindMissed:
		e = hook.Missed{Count: optInt(l, from, "count")}
	case hook.KindShutdown:
		e = hook.Shutdown{}
	default:
		l.ArgError(1, "peer, member, topic, round, delivery, caught-up, missed or shutdown")
	}
	return later(l, func() ([]lua.LValue, error) { return []lua.LValue{lua.LTrue}, t.settle(t.chat.Happen(e)) })
}

// read returns a function that lists what has come since it was last called.
func (t *trial) read(all func() []*lua.LTable) lua.LGFunction {
	return func(l *lua.LState) int {
		list := l.NewTable()
		for _, v := range all() {
			list.Append(v)
		}
		l.Push(list)
		return 1
	}
}

func (t *trial) messages(all []hook.Message, seen *int) (news []*lua.LTable) {
	for _, m := range all[*seen:] {
		news = append(news, messageTable(t.script.prog.l, m))
	}
	*seen = len(all)
	return news
}

func (t *trial) readLines(all func() []string) lua.LGFunction {
	return func(l *lua.LState) int {
		list := l.NewTable()
		for _, text := range all() {
			list.Append(lua.LString(text))
		}
		l.Push(list)
		return 1
	}
}

func (t *trial) lines(all func(*sdktest.Chat) []sdktest.Line, seen *int) func() []string {
	return func() (news []string) {
		now := all(t.chat)
		for _, line := range now[*seen:] {
			news = append(news, line.Text)
		}
		*seen = len(now)
		return news
	}
}

func sortedBy(order map[string]int) []string {
	return slices.SortedFunc(maps.Keys(order), func(a, b string) int { return order[a] - order[b] })
}
