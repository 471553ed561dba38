package scripts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// program is what the text of a script made of it. It is used on the script's goroutine only.
type program struct {
	script *script
	l      *lua.LState
	budget budget
	ctx    context.Context // of the call being answered: what it sets off is told to the chat with it
	now    moment

	about    about
	handlers map[hook.HandlerID]*handler
	timers   map[string]*handler
	leaving  []*lua.LFunction // for the end
	starts   []*lua.LFunction // for the beginning
	settings []string         // that the text has asked for
	changed  bool             // handlers came or went since the chat was told
	patterns patterns
}

// about is what a script says of itself.
type about struct {
	version, description string
	needs                []hook.Capability
}

// moment is what a handler is called for.
type moment struct {
	loading bool
	command bool     // lines go to whoever gave it
	lines   []string // of the command
	round   string   // that a reply goes to, if it is a message that is answered
}

// handler is a Lua function that the chat can call.
type handler struct {
	id       hook.HandlerID
	fn       *lua.LFunction
	words    *lua.LFunction // completes, of a command
	command  hook.Command   // one of these three is set, by its Handler; of a timer none is
	filter   hook.Filter
	observer hook.Observer
	timer    string
	after    time.Duration
	every    bool
}

func newProgram(s *script) *program {
	p := &program{
		script: s, l: newState(), handlers: map[hook.HandlerID]*handler{}, timers: map[string]*handler{},
		patterns: patterns{},
	}
	p.openAPI()
	return p
}

// load compiles and runs the text.
func (p *program) load(text string) error {
	fn, err := p.l.Load(strings.NewReader(text), p.script.file())
	if err != nil {
		return errors.New(syntaxError(err))
	}
	p.now = moment{loading: true}
	_, err = p.call(loadBudget, fn, 0)
	p.changed = false // whoever loads it registers it
	return err
}

// syntaxError makes one line of what the parser says over several.
func syntaxError(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	var api *lua.ApiError
	if errors.As(err, &api) && api.Cause != nil {
		text = strings.Join(strings.Fields(api.Cause.Error()), " ")
	}
	return text
}

// begin runs what the script has for its start, and sets the timers that its text has asked for.
func (p *program) begin() {
	for _, h := range p.timers {
		p.setTimer(h)
	}
	p.each(p.starts)
}

// leave runs what the script has for its end, and stops its timers.
func (p *program) leave() {
	p.each(p.leaving)
	for name := range p.timers {
		p.stopTimer(name)
	}
}

// each runs functions that nobody waits for an answer of.
func (p *program) each(fns []*lua.LFunction) {
	for _, fn := range fns {
		p.now = moment{}
		_, err := p.call(hook.ScriptBudget, fn, 0)
		p.script.fault(err)
	}
	p.tellChange()
}

func (p *program) close() {
	p.budget.close()
	p.l.Close()
}

// call runs Lua code for at most d. What it leaves of the stack is nothing.
func (p *program) call(d time.Duration, fn *lua.LFunction, results int, args ...lua.LValue) ([]lua.LValue, error) {
	p.l.SetContext(p.budget.start(d))
	err := p.l.CallByParam(lua.P{Fn: fn, NRet: results, Protect: true}, args...)
	over := p.budget.stop()
	p.l.RemoveContext()
	if err != nil {
		p.l.SetTop(0)
		if over {
			return nil, p.tooLong(fn, d, err)
		}
		return nil, err
	}
	values := make([]lua.LValue, results)
	for i := range values {
		values[i] = p.l.Get(i - results)
	}
	p.l.SetTop(0)
	return values, nil
}

// tooLong says which handler it was that did not end.
func (p *program) tooLong(fn *lua.LFunction, d time.Duration, err error) error {
	var api *lua.ApiError
	trace := ""
	if errors.As(err, &api) {
		trace = api.StackTrace
	}
	text := fmt.Sprintf("%s: the handler defined here ran for longer than %v", source(fn), d)
	if p.now.loading {
		text = fmt.Sprintf("%s: it ran for longer than %v while it was loaded", p.script.file(), d)
	}
	return &lua.ApiError{Type: lua.ApiErrorRun, StackTrace: trace, Object: lua.LString(text)}
}

// source is where a function is defined, "poll.lua:12".
func source(fn *lua.LFunction) string {
	if fn.Proto == nil {
		return "?"
	}
	return fn.Proto.SourceName + ":" + strconv.Itoa(fn.Proto.LineDefined)
}

// ask calls the function of a handler.
func (p *program) ask(fn *lua.LFunction, now moment, results int, args ...lua.LValue) ([]lua.LValue, error) {
	p.now = now
	values, err := p.call(hook.ScriptBudget, fn, results, args...)
	p.tellChange()
	return values, p.script.fault(err)
}

// run runs a command. The function returns nothing, a text, or a table of lines; or nil and what is wrong with the call.
func (p *program) run(h *handler, call hook.Call) ([]string, error) {
	p.now = moment{command: true}
	values, err := p.call(hook.ScriptBudget, h.fn, 2, p.callTable(call))
	p.tellChange()
	if err != nil {
		return nil, p.script.note(err, false) // whoever gave it is told
	}
	lines := p.now.lines
	switch v := values[0].(type) {
	case *lua.LNilType:
		if values[1] != lua.LNil {
			return nil, hook.Errorf(hook.CodeInvalid, "%s", values[1].String())
		}
	case *lua.LTable:
		v.ForEach(func(_, line lua.LValue) { lines = append(lines, line.String()) })
	default:
		lines = append(lines, v.String())
	}
	return split(lines), nil
}

// split makes lines of texts.
func split(texts []string) (lines []string) {
	for _, text := range texts {
		lines = append(lines, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
	}
	return lines
}

func (p *program) complete(h *handler, call hook.Completion) ([]string, error) {
	if h.words == nil {
		return nil, nil
	}
	args := p.l.NewTable()
	for _, a := range call.Args {
		args.Append(lua.LString(a))
	}
	values, err := p.ask(h.words, moment{}, 1, args, lua.LString(call.Round))
	if err != nil {
		return nil, err
	}
	var words []string
	if t, ok := values[0].(*lua.LTable); ok {
		t.ForEach(func(_, w lua.LValue) { words = append(words, w.String()) })
	}
	return words, nil
}

// filter asks one. It returns nothing to let pass, a text to put in the place of what there is, or false and a reason.
func (p *program) filter(h *handler, item hook.Item) (hook.Verdict, error) {
	values, err := p.ask(h.fn, moment{}, 2, p.itemTable(item))
	if err != nil {
		return hook.Verdict{}, err
	}
	switch v := values[0].(type) {
	case lua.LString:
		return hook.Verdict{Action: hook.Rewrite, Text: string(v)}, nil
	case lua.LBool:
		if !bool(v) {
			reason := ""
			if values[1] != lua.LNil {
				reason = values[1].String()
			}
			return hook.Verdict{Action: hook.Drop, Reason: reason}, nil
		}
	case *lua.LNilType:
	default:
		return hook.Verdict{}, p.script.fault(fmt.Errorf("%s: a filter returns nothing, a string, or false and a reason, not a %s", source(h.fn), v.Type()))
	}
	return hook.Verdict{}, nil
}

func (p *program) observe(h *handler, event hook.Event) error {
	now := moment{}
	switch e := event.(type) {
	case hook.MessageEvent:
		now.round = e.Message.Tag
	case hook.MentionEvent:
		now.round = e.Message.Tag
	}
	_, err := p.ask(h.fn, now, 0, p.eventTable(event))
	return err
}

// fire runs what a timer was set for.
func (p *program) fire(t hook.Timer) error {
	h := p.timers[t.Name]
	if h == nil {
		return nil
	}
	if !h.every {
		delete(p.timers, t.Name)
	}
	_, err := p.ask(h.fn, moment{}, 0)
	return err
}

// extension is what the chat is told of the program.
func (p *program) extension() hook.Extension {
	ext := p.script.stub()
	ext.Version, ext.Description, ext.Needs = p.about.version, p.about.description, p.about.needs
	for _, id := range slices.Sorted(maps.Keys(p.handlers)) {
		switch h := p.handlers[id]; {
		case h.command.Handler != 0:
			ext.Commands = append(ext.Commands, h.command)
		case h.filter.Handler != 0:
			ext.Filters = append(ext.Filters, h.filter)
		case h.observer.Handler != 0:
			ext.Observes = append(ext.Observes, h.observer)
		}
	}
	return ext
}

// tellChange registers anew if handlers came or went since.
func (p *program) tellChange() {
	if !p.changed {
		return
	}
	p.changed = false
	s := p.script
	s.tell(p.extension())
	s.errand(p.ctx, func(ctx context.Context, _ hook.Host, _ string) error { return s.host.register(ctx) })
}
