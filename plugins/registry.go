package plugins

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"opentalk/plugins/hook"
)

// extension is one that is registered. It is not changed: a new registration makes a new one, with the same lasting.
type extension struct {
	hook.Extension
	*lasting
}

// lasting is what an extension keeps for as long as it is registered.
type lasting struct {
	host   *Host
	guest  *guest
	proc   *process
	queue  *queue
	timers timers
	log    *logFile

	sends, prints, notes, changes *rate.Limiter

	// was is what it was before its process ended, until it has been told of its new start. Host.mu guards it.
	was     *extension
	initial bool        // it came with the start of the chat
	suspect atomic.Bool // see mark
	over    atomic.Bool // it was turned off, left out, or its process has ended

	mu    sync.Mutex
	slots map[hook.HandlerID]chan struct{} // what a call of a handler holds, one at a time
}

func (h *Host) newLasting(p *process, name string) *lasting {
	return &lasting{
		host: h, guest: p.guest, proc: p, log: h.logOf(name), slots: map[hook.HandlerID]chan struct{}{},
		queue: newQueue(func(t told) bool { return h.deliver(name, t) }, h.cfg.OnPanic), timers: timers{onPanic: h.cfg.OnPanic},
		sends: rate.NewLimiter(sendRate, sendBurst), prints: rate.NewLimiter(printRate, printBurst),
		notes: rate.NewLimiter(notifyRate, notifyBurst), changes: rate.NewLimiter(manageRate, manageBurst),
	}
}

func (l *lasting) slot(id hook.HandlerID) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slots[id] == nil {
		l.slots[id] = make(chan struct{}, 1)
	}
	return l.slots[id]
}

// end takes it out for good, pause until its process is there again.
func (l *lasting) end() {
	l.over.Store(true)
	l.queue.close()
	l.timers.stop()
}

func (l *lasting) pause() {
	l.over.Store(true)
	l.queue.pause()
	l.timers.stop()
}

func (e *extension) may(c hook.Capability) bool { return slices.Contains(e.Needs, c) }

// mark is what is held against an extension, for as long as its plugin names it.
type mark struct {
	strikes strikes
	off     bool
	// suspect: its process died while it and others were called. It is called alone for [hook.StrikeWindow] from when it is
	// registered again: whatever it answers meanwhile, what it did it may do only once in a while.
	suspect bool
}

// view is what is registered and on. It is never changed. An extension whose process is being started again is awaited: its
// events are kept and its commands wait, and its filters are not asked.
type view struct {
	replaced   chan struct{} // closed when there is another
	awaited    map[string]bool
	extensions map[string]*extension // those that are off, too
	rows       map[hook.Stage][]step
	watchers   map[hook.Kind][]*extension
	commands   []Command
	names      map[string]*Command // by every name that calls one
}

// Command is one that somebody can type.
type Command struct {
	hook.Command
	Extension string
	Full      string // "bell.test"
	Bare      bool   // whether Name alone calls it, too
}

// register replaces what the extensions of a process are. Those that are new get their [hook.Started].
func (h *Host) register(p *process, all hook.Registration, running bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := p.guest
	if g.proc != p {
		return errEnded
	}
	if g.builtin != nil {
		all.Extensions = slices.DeleteFunc(slices.Clone(all.Extensions), func(e hook.Extension) bool { return h.leaveOut(g, e) })
	}
	if err := h.acceptable(g, all); err != nil {
		return err
	}
	old := map[string]*extension{}
	for _, e := range g.extensions {
		old[e.Name] = e
	}
	g.extensions = nil
	var fresh []*extension
	for _, e := range all.Extensions {
		added := &extension{Extension: e}
		if was := old[e.Name]; was != nil {
			added.lasting = was.lasting
			delete(old, e.Name)
		} else {
			added.lasting = h.newLasting(p, e.Name)
			added.initial = g.initial && !running
			added.watch(g.mark(e.Name))
			g.resume(added)
			fresh = append(fresh, added)
		}
		g.extensions = append(g.extensions, added)
	}
	for name, e := range old {
		e.end()
		delete(g.marks, name)
	}
	for _, e := range g.extensions {
		g.keepRequired(e, running)
	}
	maps.DeleteFunc(g.required, func(name string, _ []hook.Filter) bool {
		return !slices.ContainsFunc(g.extensions, func(e *extension) bool { return e.Name == name })
	})
	h.rebuild()
	for _, e := range fresh {
		h.greet(e)
	}
	return g.rememberRequired()
}

// watch has an extension that is suspected called alone for a while. Host.mu is held.
func (l *lasting) watch(m *mark) {
	if !m.suspect {
		return
	}
	m.suspect = false
	l.suspect.Store(true)
	time.AfterFunc(hook.StrikeWindow, func() {
		defer l.host.cfg.OnPanic()
		l.suspect.Store(false)
	})
}

// greet gives a new extension its first event, and those that it has not got from before. h.mu is held.
func (h *Host) greet(e *extension) {
	switch {
	case e.guest.isOff(e.Name):
	case len(e.observers(hook.KindStart)) > 0:
		e.queue.resume(hook.Started{})
	default:
		e.queue.resume()
	}
}

// leaveOut reports whether an extension of a builtin has the name of something else, and tells the person when it is new: one
// script with a bad name must not keep the others away. h.mu is held.
func (h *Host) leaveOut(g *guest, e hook.Extension) bool {
	err := h.taken(g, e.Name)
	if err != nil && !g.isOff(e.Name) {
		g.mark(e.Name).off = true
		h.fault(g.name, fmt.Sprintf("extension %q (%s) was left out: %v", e.Name, e.Source, err))
	}
	return err != nil
}

// taken returns an error if somebody else has the name of an extension. h.mu is held.
func (h *Host) taken(g *guest, name string) error {
	if other := h.view.Load().extensions[name]; other != nil && other.guest != g {
		return hook.Errorf(hook.CodeInvalid, "extension %q is there already", name)
	}
	if other := h.guests[name]; other != nil && other != g {
		return hook.Errorf(hook.CodeInvalid, "%q is the name of a plugin", name)
	}
	return nil
}

// acceptable: names are not taken, and what is needed was granted. h.mu is held.
func (h *Host) acceptable(g *guest, all hook.Registration) error {
	for _, e := range all.Extensions {
		if err := h.taken(g, e.Name); err != nil {
			return err
		}
		if err := checkCapabilities(e.Needs, g.granted()); err != nil {
			return err
		}
	}
	return nil
}

// rebuild makes the view anew. h.mu is held.
func (h *Host) rebuild() {
	v := &view{
		extensions: map[string]*extension{}, rows: map[hook.Stage][]step{}, watchers: map[hook.Kind][]*extension{},
		names: map[string]*Command{}, awaited: map[string]bool{}, replaced: make(chan struct{}),
	}
	for _, name := range slices.Sorted(maps.Keys(h.guests)) {
		g := h.guests[name]
		for _, e := range g.extensions {
			v.extensions[e.Name] = e
			if !g.isOff(e.Name) {
				h.addTo(v, e)
			}
			if e.was != nil {
				v.await(e.was)
			}
		}
		for _, e := range g.absent {
			v.await(e)
		}
		v.rows[hook.StageOutgoing] = append(v.rows[hook.StageOutgoing], g.vacant()...)
	}
	for _, row := range v.rows {
		slices.SortFunc(row, order)
	}
	h.nameCommands(v)
	close(h.view.Swap(v).replaced)
}

// await adds what an extension was before its process ended.
func (v *view) await(was *extension) {
	v.awaited[was.Name] = true
	same := func(e *extension) bool { return e.Name == was.Name }
	for _, o := range was.Observes {
		if !slices.ContainsFunc(v.watchers[o.Kind], same) {
			v.watchers[o.Kind] = append(v.watchers[o.Kind], was)
		}
	}
	for _, c := range was.Commands {
		full := was.Name + "." + c.Name
		if !slices.ContainsFunc(v.commands, func(c Command) bool { return c.Full == full }) {
			v.commands = append(v.commands, Command{Command: c, Extension: was.Name, Full: full})
		}
	}
}

func (h *Host) addTo(v *view, e *extension) {
	for _, f := range e.Filters {
		v.rows[f.Stage] = append(v.rows[f.Stage], h.stepOf(e, f))
	}
	for _, o := range e.Observes {
		if !slices.Contains(v.watchers[o.Kind], e) {
			v.watchers[o.Kind] = append(v.watchers[o.Kind], e)
		}
	}
	for _, c := range e.Commands {
		v.commands = append(v.commands, Command{Command: c, Extension: e.Name, Full: e.Name + "." + c.Name})
	}
}

func (h *Host) stepOf(e *extension, f hook.Filter) step {
	return step{
		ext: e.Name, filter: f, budget: e.guest.budget(), old: e.may(hook.CanHistory),
		call: func(ctx context.Context, item hook.Item) (verdict hook.Verdict, err error) {
			return invoke(ctx, e, f.Handler, func(ctx context.Context, x hook.Extender) (hook.Verdict, error) {
				return x.Filter(ctx, hook.Target{Extension: e.Name, Handler: f.Handler}, item)
			})
		},
	}
}

// nameCommands settles which commands have their bare names: whoever came first, and of those that came with the start of the
// chat the first by name, so that it is the same every time.
func (h *Host) nameCommands(v *view) {
	owns := func(c Command) bool { return h.bare[c.Name] == c.Extension }
	slices.SortFunc(v.commands, func(a, b Command) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Extension, b.Extension))
	})
	for bare, owner := range h.bare {
		gone := func(c Command) bool { return c.Name == bare && c.Extension == owner }
		if !slices.ContainsFunc(v.commands, gone) && !h.away(owner) {
			delete(h.bare, bare)
		}
	}
	for i := range v.commands {
		c := &v.commands[i]
		owner, taken := h.bare[c.Name]
		if !slices.Contains(h.cfg.Reserved, c.Name) && (!taken || c.Extension < owner && v.initial(c.Extension) && v.initial(owner)) {
			h.bare[c.Name] = c.Extension
		}
	}
	for i := range v.commands {
		c := &v.commands[i]
		v.names[c.Full] = c
		if c.Bare = owns(*c); c.Bare {
			v.names[c.Name] = c
		}
	}
}

func (v *view) initial(name string) bool {
	return v.extensions[name] != nil && v.extensions[name].initial
}

// away reports whether an extension is only between two of its processes. h.mu is held.
func (h *Host) away(name string) bool {
	for _, g := range h.guests {
		if g.proc == nil && g.marks[name] != nil && g.supervised() {
			return true
		}
	}
	return false
}

func (e *extension) required() []hook.Filter {
	var all []hook.Filter
	for _, f := range e.Filters {
		if f.Required {
			all = append(all, f)
		}
	}
	return all
}

func (e *extension) observers(kind hook.Kind) []hook.Observer {
	var all []hook.Observer
	for _, o := range e.Observes {
		if o.Kind == kind {
			all = append(all, o)
		}
	}
	return all
}
