package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"opentalk/plugins/hook"
)

// State is how a plugin is.
type State string

// The states.
const (
	StateNew      State = "new"      // it was never enabled
	StateDisabled State = "disabled" // by the person
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateWaiting  State = "waiting" // it has ended and will be started again
	StateOff      State = "off"     // it failed too often, or cannot be started
	StateChanged  State = "changed" // it is not what was enabled
)

// guest is a plugin. Its supervisor starts its process and starts it again; whoever wants something else ends the supervisor.
type guest struct {
	host    *Host
	name    string
	dir     string
	builtin *Builtin // nil for one with a folder
	log     *logFile
	trial   chan struct{} // held by the one call of a suspect

	// Host.mu guards what follows.
	manifest   Manifest // as it was when it was last started
	pin        pin
	state      State
	why        string // it is off, or has ended
	proc       *process
	since      time.Time // it runs
	starts     int
	extensions []*extension
	absent     map[string]*extension // of a process that is being started again
	initial    bool                  // it was begun by Host.Start
	marks      map[string]*mark
	required   map[string][]hook.Filter // of its extensions, also of those that are away
	crashes    strikes
	cancel     context.CancelFunc // of the supervisor
	done       chan struct{}      // closed when that has ended
	tried      chan struct{}      // closed when it has started the process once, or failed to
}

// newGuest makes one that is not supervised. Host.mu is held.
func (h *Host) newGuest(name string, b *Builtin) *guest {
	g := &guest{
		host: h, name: name, dir: filepath.Join(h.folder, name), builtin: b, log: h.logOf(name), state: StateNew,
		trial: make(chan struct{}, 1), absent: map[string]*extension{}, marks: map[string]*mark{}, required: map[string][]hook.Filter{},
		tried: make(chan struct{}), done: make(chan struct{}),
	}
	close(g.tried)
	close(g.done)
	if b == nil {
		g.pin = h.locked.get(name)
		if !g.pin.Enabled && g.pin.SHA256 != "" {
			g.state = StateDisabled
		}
	}
	return g
}

func (g *guest) enabled() bool { return g.builtin != nil || g.pin.Enabled }

func (g *guest) granted() []hook.Capability {
	if g.builtin != nil {
		return hook.Capabilities()
	}
	return g.pin.Capabilities
}

// budget is how long an answer is waited for that keeps a message or a person waiting.
func (g *guest) budget() time.Duration {
	if g.builtin != nil {
		return g.host.budgets.script
	}
	return g.host.budgets.filter
}

// mark returns what is held against an extension. Host.mu is held.
func (g *guest) mark(name string) *mark {
	if g.marks[name] == nil {
		g.marks[name] = &mark{}
	}
	return g.marks[name]
}

func (g *guest) isOff(name string) bool { return g.marks[name] != nil && g.marks[name].off }

// supervised reports whether the process will be started again. Host.mu is held.
func (g *guest) supervised() bool {
	return g.state == StateStarting || g.state == StateRunning || g.state == StateWaiting
}

// begin starts a supervisor. There must be none. Host.mu is held.
func (g *guest) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel, g.done, g.tried = cancel, make(chan struct{}), make(chan struct{})
	g.state, g.why, g.crashes, g.starts = StateStarting, "", strikes{}, 0
	clear(g.marks)
	go g.supervise(ctx, g.done, g.tried)
}

// end ends the supervisor, and with it the process, and returns when both are gone.
func (g *guest) end() {
	g.host.mu.Lock()
	cancel, done := g.cancel, g.done
	g.host.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	<-done
}

// errFinal is why a plugin is not started again.
type errFinal struct {
	state State
	text  string
}

func (e errFinal) Error() string { return e.text }

func (g *guest) supervise(ctx context.Context, done, tried chan struct{}) {
	defer close(done)
	defer g.forsake()
	hasTried := sync.OnceFunc(func() { close(tried) })
	defer hasTried()
	defer g.host.cfg.OnPanic()
	delay := backOffFirst
	for {
		began := time.Now()
		err := g.live(ctx, hasTried)
		if ctx.Err() != nil || g.ended(err) {
			return
		}
		hasTried()
		if err == nil || time.Since(began) > steadyAfter {
			delay = backOffFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, backOffMost)
	}
}

// live is one run of the process. The error is why it is over; it is nil if that is the fault of an extension.
func (g *guest) live(ctx context.Context, started func()) error {
	what, hello, err := g.prepare(ctx)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, hook.StartBudget)
	defer cancel()
	p, err := g.launch(starting, what)
	if err != nil {
		return err
	}
	if err := g.introduce(starting, p, hello); err != nil {
		p.end()
		g.leave(p, nil)
		return err
	}
	started()
	select {
	case <-p.child.exited:
		called := p.cutOff() // before go-plugin ends them all
		p.end()
		return g.leave(p, called)
	case <-ctx.Done():
		p.stop()
		return g.leave(p, nil)
	}
}

// prepare looks at what is to be started. A plugin that is not what was enabled is not started.
func (g *guest) prepare(ctx context.Context) (program, hook.Hello, error) {
	h := g.host
	hello := hook.Hello{Version: hook.Version, Chat: h.cfg.Version, Name: g.name}
	var err error
	if hello.Self, err = h.chat.Me(ctx); err != nil {
		return program{}, hello, err
	}
	set, _ := h.cfg.Settings(g.name) // an error is for whoever has it read anew
	if b := g.builtin; b != nil {
		hello.Config, err = json.Marshal(g.withLoad(set))
		return program{path: b.Exec, args: b.Args, mtls: true}, hello, err
	}
	m, err := readManifest(g.dir)
	if err != nil {
		return program{}, hello, errFinal{StateOff, err.Error()}
	}
	if hello.Config, err = m.settings(set); err != nil {
		return program{}, hello, errFinal{StateOff, err.Error()}
	}
	now, err := newPin(g.dir, m)
	if err != nil {
		return program{}, hello, errFinal{StateOff, err.Error()}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	g.manifest = m
	if what := g.pin.changed(now); what != "" {
		return program{}, hello, errFinal{StateChanged, "its " + what + " changed since it was enabled"}
	}
	return program{path: filepath.Join(g.dir, filepath.FromSlash(m.Exec)), args: m.Args, dir: g.dir, mtls: now.MTLS}, hello, nil
}

// withLoad is the config of a builtin with what it had registered before it ended.
func (g *guest) withLoad(set map[string]any) map[string]any {
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	config := map[string]any{}
	maps.Copy(config, set)
	if len(g.marks) > 0 {
		had := slices.Sorted(maps.Keys(g.marks))
		config["load"] = slices.DeleteFunc(had, g.manages)
	}
	return config
}

// config is what the plugin would be handed if it were started now.
func (g *guest) config() (json.RawMessage, error) {
	set, err := g.host.cfg.Settings(g.name)
	if err != nil {
		return nil, err
	}
	if g.builtin != nil {
		return json.Marshal(set)
	}
	g.host.mu.Lock()
	m := g.manifest
	g.host.mu.Unlock()
	return m.settings(set)
}

// asleep reports whether nobody has needed it yet. Host.mu is held.
func (g *guest) asleep() bool { return g.builtin != nil && g.builtin.Asleep && g.state == StateNew }

// manages reports whether an extension is the manager of a builtin.
func (g *guest) manages(name string) bool { return g.builtin != nil && g.builtin.Manager == name }

// introduce lets the plugin register.
func (g *guest) introduce(ctx context.Context, p *process, hello hook.Hello) error {
	h := g.host
	h.mu.Lock()
	g.proc = p
	h.mu.Unlock()
	all, err := p.extender.Start(ctx, hello, &service{h, p})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it was not ready within %v", hook.StartBudget)
	case has(err, hook.CodeVersion):
		return errFinal{StateOff, err.Error()}
	case err != nil:
		return err
	}
	if err := h.register(p, all, false); err != nil {
		return err
	}
	close(p.started)
	g.forsake()
	h.mu.Lock()
	defer h.mu.Unlock()
	g.state, g.why, g.since = StateRunning, "", time.Now()
	g.starts++
	return nil
}

// rememberRequired writes down whether something has to wait for this plugin at the next start. Host.mu is held.
func (g *guest) rememberRequired() error {
	if required := len(g.required) > 0; g.builtin == nil && g.pin.Required != required {
		g.pin.Required = required
		return g.host.locked.set(g.name, func(p *pin) { p.Required = required })
	}
	return nil
}

// leave takes back what a process has registered. called are the extensions with a call that its end has cut off. It returns
// how the process ended, or nil if one extension was to blame.
func (g *guest) leave(p *process, called map[string]hook.HandlerID) error {
	h := g.host
	h.mu.Lock()
	defer h.mu.Unlock()
	blamed := p.blamed || g.builtin != nil && h.blame(p, called)
	for _, e := range g.extensions {
		if g.supervised() && !g.isOff(e.Name) {
			g.keep(e)
		} else {
			e.end()
		}
	}
	g.extensions, g.proc = nil, nil
	h.rebuild()
	if blamed {
		return nil
	}
	return errors.New(p.child.ending())
}

// keep has the events of an extension wait until its process is there again. Host.mu is held.
func (g *guest) keep(e *extension) {
	e.pause()
	if e.was != nil {
		e = e.was // it has not come up since
	}
	g.absent[e.Name] = e
}

// resume gives an extension the events that have waited for it. One that is to be told of its start first is awaited until it
// has been. Host.mu is held.
func (g *guest) resume(e *extension) {
	was := g.absent[e.Name]
	if was == nil {
		return
	}
	delete(g.absent, e.Name)
	e.queue = was.queue
	if len(e.observers(hook.KindStart)) > 0 {
		e.was = was
	}
}

// forsake gives up what has not come back.
func (g *guest) forsake() {
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	if len(g.absent) == 0 {
		return
	}
	for _, e := range g.absent {
		e.end()
	}
	clear(g.absent)
	g.host.rebuild()
}

// blame looks whose call has ended a process. If it can have been one only, or one of them was suspected already, that is
// turned off. If it can have been several, they are called one at a time from now on, and the next time it is known. It reports
// whether it was anybody's: otherwise the plugin itself has failed. h.mu is held.
func (h *Host) blame(p *process, called map[string]hook.HandlerID) (found bool) {
	for _, e := range p.guest.extensions {
		if id, ok := called[e.Name]; ok && e.suspect.Load() {
			called = map[string]hook.HandlerID{e.Name: id}
		}
	}
	for name, id := range called {
		if len(called) == 1 {
			h.turnOff(p.guest, name, p.guest.describe(name, id)+"it ended the process: "+p.child.ending())
			return true
		}
		p.guest.mark(name).suspect = true
		p.guest.log.line("host", fmt.Sprintf("%q may have ended the process: %s", name, p.child.ending()))
	}
	return len(called) > 0
}

// ended takes note that the process is over, and reports whether it stays so.
func (g *guest) ended(err error) bool {
	h := g.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		g.state = StateWaiting
		return false
	}
	g.log.line("host", err.Error())
	var final errFinal
	switch {
	case errors.As(err, &final):
		g.state, g.why = final.state, final.text
		h.fault(g.name, fmt.Sprintf("plugin %q was not started: %s", g.name, final.text))
	case g.crashes.add(time.Now()):
		g.state, g.why = StateOff, fmt.Sprintf("it ended %d times within %v: %v", hook.Strikes, hook.StrikeWindow, err)
		h.fault(g.name, fmt.Sprintf("plugin %q ended %d times within a minute and was turned off: %v", g.name, hook.Strikes, err))
	default:
		g.state, g.why = StateWaiting, err.Error()
	}
	h.rebuild()
	return !g.supervised()
}

// overran ends the process for a call that computes on and on.
func (g *guest) overran(c *call) {
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	if g.proc != c.proc {
		return
	}
	c.proc.blamed = true
	g.host.turnOff(g, c.ext, g.describe(c.ext, c.handler)+fmt.Sprintf("it did not come back within %v", scriptOverrun))
	c.proc.child.Kill(context.Background())
}

// keepRequired remembers the required filters of an extension for when it is away. One that registers its handlers only when
// it has got its [hook.Started] keeps those of before until then. Host.mu is held.
func (g *guest) keepRequired(e *extension, running bool) {
	g.mark(e.Name)
	required := e.required()
	if len(required) == 0 && !running && len(e.observers(hook.KindStart)) > 0 {
		return
	}
	delete(g.required, e.Name)
	if len(required) > 0 {
		g.required[e.Name] = required
	}
}

// vacant returns what stands in for required filters that cannot be asked: each fails at once. Host.mu is held.
func (g *guest) vacant() []step {
	if !g.enabled() {
		return nil
	}
	var steps []step
	missing := func(name string, f hook.Filter) {
		err := hook.Errorf(hook.CodeFailed, "%q must decide on what is sent, and is %s", name, g.absence(name))
		fail := func(context.Context, hook.Item) (hook.Verdict, error) { return hook.Verdict{}, err }
		steps = append(steps, step{ext: name, filter: f, budget: g.host.budgets.filter, call: fail})
	}
	for name, filters := range g.required {
		there := slices.ContainsFunc(g.extensions, func(e *extension) bool { return e.Name == name && len(e.required()) > 0 })
		for _, f := range filters {
			if !there || g.isOff(name) {
				missing(name, f)
			}
		}
	}
	if g.pin.Required && len(g.required) == 0 && g.starts == 0 {
		missing(g.name, hook.Filter{Stage: hook.StageOutgoing, Required: true})
	}
	return steps
}

func (g *guest) absence(name string) string {
	switch {
	case g.isOff(name), !g.supervised():
		return "off"
	}
	return "not ready"
}
