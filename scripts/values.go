package scripts

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// table makes one of keys and values in turn. The keys are those of --json.
func table(l *lua.LState, pairs ...any) *lua.LTable {
	t := l.NewTable()
	for i := 0; i < len(pairs); i += 2 {
		if v := value(pairs[i+1]); v != lua.LNil {
			t.RawSetString(pairs[i].(string), v)
		}
	}
	return t
}

// value is a Go value in Lua. A moment is seconds since 1970, and none if it is zero; an empty cursor is none, too.
func value(v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case hook.MessageID:
		return lua.LString(v)
	case hook.Form:
		return lua.LString(v)
	case hook.State:
		return lua.LString(v)
	case hook.Change:
		return lua.LString(v)
	case hook.Kind:
		return lua.LString(v)
	case hook.Cursor:
		if v == "" {
			return lua.LNil
		}
		return lua.LString(v)
	case int:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	case time.Time:
		if v.IsZero() {
			return lua.LNil
		}
		return lua.LNumber(float64(v.UnixMilli()) / 1000)
	case time.Duration:
		return lua.LNumber(v.Seconds())
	case lua.LValue:
		return v
	}
	return lua.LNil
}

func list[T any](l *lua.LState, all []T, each func(*lua.LState, T) *lua.LTable) *lua.LTable {
	t := l.CreateTable(len(all), 0)
	for _, v := range all {
		t.Append(each(l, v))
	}
	return t
}

func with(t *lua.LTable, pairs ...any) *lua.LTable {
	for i := 0; i < len(pairs); i += 2 {
		t.RawSetString(pairs[i].(string), value(pairs[i+1]))
	}
	return t
}

func personTable(l *lua.LState, p hook.Person) *lua.LTable {
	return table(l, "handle", p.Handle, "fingerprint", p.Fingerprint, "own", p.Own, "verified", p.Verified)
}

func roundTable(l *lua.LState, r hook.Round) *lua.LTable {
	return table(l, "round", r.Name, "tag", r.Tag, "handle", r.Handle, "topic", r.Topic, "members", r.Members, "online", r.Online,
		"current", r.Current)
}

func peerTable(l *lua.LState, p hook.Peer) *lua.LTable {
	return with(personTable(l, p.Person), "device", p.Device, "rtt", p.RTT, "since", p.Since)
}

func memberTable(l *lua.LState, m hook.Member) *lua.LTable {
	return with(personTable(l, m.Person), "online", m.Online, "left", m.Left, "devices", m.Devices, "joined", m.Joined, "seen", m.Seen)
}

func messageTable(l *lua.LState, m hook.Message) *lua.LTable {
	return table(l, "id", m.ID, "round", m.Round, "tag", m.Tag, "from", m.From.Handle, "fingerprint", m.From.Fingerprint,
		"own", m.From.Own, "verified", m.From.Verified, "text", m.Text, "form", m.Form, "auto", m.Auto, "written", m.Written,
		"received", m.Received, "live", m.Live, "late", m.Late, "mention", m.Mention, "cursor", m.Cursor)
}

// eventTable is an event, with its kind.
func (p *program) eventTable(event hook.Event) *lua.LTable {
	l := p.l
	var t *lua.LTable
	switch e := event.(type) {
	case hook.MessageEvent:
		t = messageTable(l, e.Message)
	case hook.MentionEvent:
		t = messageTable(l, e.Message)
	case hook.SentEvent:
		t = with(messageTable(l, e.Message), "state", e.State)
	case hook.DeliveryEvent:
		t = table(l, "round", e.Round, "tag", e.Tag, "id", e.ID, "held", e.Held, "members", e.Members)
	case hook.PeerEvent:
		t = with(personTable(l, e.Person), "round", e.Round, "tag", e.Tag, "online", e.Online)
	case hook.MemberEvent:
		t = with(personTable(l, e.Person), "round", e.Round, "tag", e.Tag, "change", e.Change, "was", e.Was, "live", e.Live)
	case hook.TopicEvent:
		t = table(l, "round", e.Round, "tag", e.Tag, "topic", e.Topic, "from", e.By.Handle, "fingerprint", e.By.Fingerprint, "live", e.Live)
	case hook.RoundEvent:
		t = with(roundTable(l, e.Round), "change", e.Change)
	case hook.CaughtUp:
		t = table(l, "round", e.Round, "tag", e.Tag)
	case hook.Missed:
		t = table(l, "count", e.Count)
	default:
		t = l.NewTable()
	}
	return with(t, "kind", event.Kind())
}

func (p *program) callTable(c hook.Call) *lua.LTable {
	args := p.l.CreateTable(len(c.Args), 0)
	for _, a := range c.Args {
		args.Append(lua.LString(a))
	}
	return table(p.l, "round", c.Round, "line", c.Line, "args", args, "person", c.Person)
}

// itemTable is what a filter decides on.
func (p *program) itemTable(item hook.Item) *lua.LTable {
	switch item.Stage {
	case hook.StageInput:
		return table(p.l, "round", item.Round, "text", item.Line)
	case hook.StageOutgoing:
		return table(p.l, "round", item.Out.Round, "text", item.Out.Text, "form", item.Out.Form, "auto", item.Out.Auto)
	}
	return messageTable(p.l, item.Message)
}
