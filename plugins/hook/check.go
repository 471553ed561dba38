package hook

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What follows tells whether a value may cross: it is within the limits, its names are names, and its words are among those
// that this package lists. Every error is an [*Error]. Both ends of the wire check what comes from an extension, so that an
// author sees the same error wherever the extension runs.

// Check reports what is wrong with a registration. An event of a kind that is not known is not wrong: it never happens. A
// stage or a capability that is not known is: a filter that is never asked protects nobody.
func (r Registration) Check() error {
	if len(r.Extensions) > MaxExtensions {
		return tooBig("registration", len(r.Extensions), MaxExtensions, "extensions")
	}
	size, names := 0, map[string]bool{}
	for _, e := range r.Extensions {
		if err := e.Check(); err != nil {
			return err
		}
		if names[e.Name] {
			return Errorf(CodeInvalid, "extension %q is registered twice", e.Name)
		}
		names[e.Name] = true
		size += e.size()
	}
	if size > MaxRegistration {
		return tooBig("registration", size, MaxRegistration, "bytes")
	}
	return nil
}

// Check reports what is wrong with an extension.
func (e Extension) Check() error {
	if !extensionName(e.Name) {
		return Errorf(CodeInvalid, `%q is no name for an extension: 1 to %d letters, digits, "-" and "_"`, clip(e.Name), MaxName)
	}
	for _, need := range e.Needs {
		if !slices.Contains(Capabilities(), need) {
			return Errorf(CodeInvalid, "extension %q needs %q, which is no capability here", e.Name, clip(string(need)))
		}
	}
	if n := len(e.Commands) + len(e.Filters) + len(e.Observes); n > MaxHandlers {
		return tooBig("extension "+e.Name, n, MaxHandlers, "handlers")
	}
	if err := notes(e.Version, e.Description, e.Source); err != nil {
		return err
	}
	return e.checkHandlers()
}

func (e Extension) checkHandlers() error {
	ids := map[HandlerID]bool{0: true}
	taken := func(id HandlerID) error {
		if ids[id] {
			return Errorf(CodeInvalid, "extension %q uses handler %d twice, or 0", e.Name, id)
		}
		ids[id] = true
		return nil
	}
	names := map[string]bool{}
	for _, c := range e.Commands {
		if names[c.Name] {
			return Errorf(CodeInvalid, "extension %q has two commands %q", e.Name, clip(c.Name))
		}
		names[c.Name] = true
		if err := cmp.Or(taken(c.Handler), c.check()); err != nil {
			return err
		}
	}
	for _, f := range e.Filters {
		if err := cmp.Or(taken(f.Handler), f.check()); err != nil {
			return err
		}
	}
	for _, o := range e.Observes {
		if err := cmp.Or(taken(o.Handler), notes(string(o.Kind), o.Source)); err != nil {
			return err
		}
	}
	return nil
}

func (c Command) check() error {
	if !commandName(c.Name) {
		return Errorf(CodeInvalid, `%q is no name for a command: 1 to %d lower-case letters, digits and "-"`, clip(c.Name), MaxName)
	}
	if c.Min < 0 || c.Max < 0 || c.Max > 0 && c.Min > c.Max || max(c.Min, c.Max) > MaxArgs {
		return Errorf(CodeInvalid, "command %q takes %d to %d arguments", c.Name, c.Min, c.Max)
	}
	return notes(c.Usage, c.Help, c.Example, c.Source)
}

func (f Filter) check() error {
	if !slices.Contains(Stages(), f.Stage) {
		return Errorf(CodeInvalid, "%q is no stage here", clip(string(f.Stage)))
	}
	if f.Required && f.Stage != StageOutgoing {
		return Errorf(CodeInvalid, "a filter of stage %q cannot be required", f.Stage)
	}
	if f.Priority != int(int32(f.Priority)) {
		return Errorf(CodeInvalid, "priority %d does not fit 32 bits", f.Priority)
	}
	return notes(f.Source)
}

func (e Extension) size() int {
	n := len(e.Name) + len(e.Version) + len(e.Description) + len(e.Source)
	for _, c := range e.Commands {
		n += len(c.Name) + len(c.Usage) + len(c.Help) + len(c.Example) + len(c.Source)
	}
	for _, f := range e.Filters {
		n += len(f.Source)
	}
	for _, o := range e.Observes {
		n += len(o.Kind) + len(o.Source)
	}
	return n
}

// CheckLines reports what is wrong with the answer of a command.
func CheckLines(lines []string) error {
	if len(lines) > MaxLines {
		return tooBig("answer", len(lines), MaxLines, "lines")
	}
	size := 0
	for _, l := range lines {
		if len(l) > MaxLine {
			return tooBig("line", len(l), MaxLine, "bytes")
		}
		size += len(l)
	}
	if size > MaxAnswer {
		return tooBig("answer", size, MaxAnswer, "bytes")
	}
	return nil
}

// CheckCandidates reports what is wrong with the answer of a completion.
func CheckCandidates(words []string) error {
	if len(words) > MaxCandidates {
		return tooBig("completion", len(words), MaxCandidates, "candidates")
	}
	return notes(words...)
}

// Check reports what is wrong with a verdict on an item of a stage.
func (v Verdict) Check(at Stage) error {
	limit := MaxText
	if at == StageInput {
		limit = MaxLine
	}
	switch {
	case v.Action < Pass || v.Action > Drop:
		return Errorf(CodeInvalid, "a filter answers with action %d, which is unknown here", v.Action)
	case v.Action == Rewrite && len(v.Text) > limit:
		return tooBig("text", len(v.Text), limit, "bytes")
	}
	return notes(v.Reason)
}

// Check reports what is wrong with a message to be sent.
func (o Outgoing) Check() error {
	switch {
	case strings.TrimSpace(o.Text) == "":
		return Errorf(CodeInvalid, "there is nothing to send")
	case len(o.Text) > MaxText:
		return tooBig("message", len(o.Text), MaxText, "bytes")
	case !utf8.ValidString(o.Text):
		return Errorf(CodeInvalid, "the message is not UTF-8")
	case o.Form != "" && o.Form != FormPlain && o.Form != FormAction:
		return Errorf(CodeInvalid, "%q is no form of a message here", clip(string(o.Form)))
	}
	return notes(o.Round)
}

// Check reports what is wrong with a query.
func (q Query) Check() error {
	ends := 0
	for _, set := range []bool{q.Before != "", q.After != "", !q.Until.IsZero(), !q.Since.IsZero()} {
		if set {
			ends++
		}
	}
	switch {
	case ends > 1:
		return Errorf(CodeInvalid, "a query goes back from one place or on from one, not both")
	case q.Limit < 1 || q.Limit > MaxHistory:
		return Errorf(CodeInvalid, "a query asks for %d messages; 1 to %d can be had", q.Limit, MaxHistory)
	}
	return notes(q.Round, string(q.Before), string(q.After))
}

// Check reports what is wrong with a timer.
func (t TimerSetting) Check() error {
	switch {
	case t.Name == "" || len(t.Name) > MaxName:
		return Errorf(CodeInvalid, "a timer's name has %d bytes; 1 to %d are allowed", len(t.Name), MaxName)
	case t.After < 0 || t.Every < 0 || t.Every > 0 && t.Every < MinTimer:
		return Errorf(CodeInvalid, "a timer after %v, every %v: at least %v", t.After, t.Every, MinTimer)
	case t.After > MaxTimer || t.Every > MaxTimer:
		return tooBig("timer", int(max(t.After, t.Every)/time.Hour), int(MaxTimer/time.Hour), "hours")
	}
	return nil
}

// CheckKey reports what is wrong with a key of the storage, CheckValue with what is kept under one.
func CheckKey(key string) error {
	switch {
	case key == "" || !utf8.ValidString(key):
		return Errorf(CodeInvalid, "a key is UTF-8 and not empty")
	case len(key) > MaxKey:
		return tooBig("key", len(key), MaxKey, "bytes")
	}
	return nil
}

// CheckValue reports what is wrong with a value.
func CheckValue(value []byte) error {
	if len(value) > MaxValue {
		return tooBig("value", len(value), MaxValue, "bytes")
	}
	return nil
}

// CheckLine reports what is wrong with a text that is printed, notified or logged; it may hold line breaks.
func CheckLine(text string) error {
	if len(text) > MaxLine {
		return tooBig("text", len(text), MaxLine, "bytes")
	}
	return nil
}

// CheckNames reports what is wrong with names of rounds and of people, which may be any text but not a long one.
func CheckNames(names ...string) error { return notes(names...) }

func tooBig(what string, got, limit int, unit string) *Error {
	return Errorf(CodeTooBig, "%s of %d %s exceeds the limit of %d", what, got, unit, limit)
}

// notes checks what describes something.
func notes(all ...string) error {
	for _, s := range all {
		if len(s) > MaxNote {
			return tooBig("text", len(s), MaxNote, "bytes")
		}
	}
	return nil
}

func extensionName(s string) bool {
	return s != "" && len(s) <= MaxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !lower(r) && (r < 'A' || r > 'Z') && r != '_'
	})
}

func commandName(s string) bool {
	return s != "" && len(s) <= MaxName && !strings.ContainsFunc(s, func(r rune) bool { return !lower(r) })
}

func lower(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }

// clip keeps what is quoted short.
func clip(s string) string {
	if len(s) <= MaxName {
		return s
	}
	return strings.ToValidUTF8(s[:MaxName], "") + "…"
}
