// Package plugins runs what extends opentalk: it finds plugins, pins and starts them, calls them when something happens, does
// for them what they may ask for, and ends them. The contract is package hook, and what it looks like between processes
// package wire; both the chat and this package speak in the values of hook only.
//
//	found, pinned      manifest.go lock.go            plugin.toml, plugins.lock
//	guest              guest.go process.go runner.go  a plugin and its process: started, watched, started again, ended
//	extension, view    registry.go                    what is registered now, as one value that nobody changes
//	calls to them      calls.go row.go queue.go       filters in a row, commands, events in order
//	calls from them    service.go storage.go          capabilities, rates, storage, timers, logs
//	for /plugin        admin.go                       values; the shell shows them
//
// A [Host] is used by the shell so: [New] before there is an engine, [Host.Start] with a [Chat] when there is one, and
// [Host.Settled] before the first line is run, so that a required filter and the commands of plugins are there. Each line
// that is entered, each message before it is sent, after it came and before it is shown passes [Host.Filter], which takes
// [hook.RowBudget] at most and nothing if nobody has registered a filter; it must not be called where the shell's loop would
// wait for it. What happens is told by [Host.Observe], which never waits. [Host.Close] comes before the end of the engine.
// A name that is no command of the shell goes to [Host.Command], and [Host.Commands] are those for /help and Tab.
//
// Host.mu guards what guests there are, their state and what they have registered; none of their calls is made under it.
// Every change of what is registered makes a new [view], which the ways of messages and events read without a lock. A guest
// has one goroutine (guest.supervise), which starts and ends its process; an extension has one while it has events to take.
package plugins

import (
	"context"
	"io"
	"log"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/grpclog"

	"opentalk/plugins/hook"
)

// Config is what a [Host] is made of.
type Config struct {
	Dir     string // the data folder of the home, which this process must hold alone
	Version string // of the program
	// Reserved are the names of commands that no extension gets without its own name in front.
	Reserved []string
	// Settings are what the person has set of the config of a plugin, as it is written now; of a builtin it is all of the config.
	// With an error they are those of before, which are good enough for a process that has to be started. It may be nil.
	Settings func(plugin string) (map[string]any, error)
	Builtins []Builtin
	Log      *slog.Logger
	// OnPanic is deferred on what runs beside the chat, so that it can recover, give its terminal back, and panic again. It may
	// be nil.
	OnPanic func()
}

// Builtin is a plugin that is part of the program, as the host of the scripts is: it is not pinned, has every capability, and
// its extensions compute rather than wait. A filter and a completion of it get [hook.ScriptBudget]; a call that computes
// for a second has its process killed and its extension turned off, and the others are started again.
//
// What it may take of memory it limits itself, before anything else. When its process has ended and is started again, its config
// has another key, "load": the names of the extensions that there were, but for the manager.
type Builtin struct {
	Name string
	Exec string // a whole path
	Args []string
	// Manager is the extension that manages the others. Its calls wait for what those do, so nothing is held against it.
	Manager string
	// Asleep has it started by [Host.Wake] only.
	Asleep bool
}

// Chat is what a host asks of the chat. Its methods are called from many goroutines. Those that return nothing must not wait.
type Chat interface {
	// Send says something, as an own message that is marked as automatic if m.Auto is set. It passed the filters. took is
	// called with its id before any event of it comes to [Host.Observe].
	Send(ctx context.Context, m hook.Outgoing, took func(hook.MessageID)) error
	// Print and Notify show what an extension says; the texts are foreign.
	Print(from, round, text string)
	Notify(from, text string)
	// Fault shows that an extension was turned off, or could not be started.
	Fault(Fault)

	Me(ctx context.Context) (hook.Self, error)
	Rounds(ctx context.Context) ([]hook.Round, error)
	Peers(ctx context.Context, round string) ([]hook.Peer, error)
	Members(ctx context.Context, round string) ([]hook.Member, error)
	History(ctx context.Context, q hook.Query) ([]hook.Message, error)
	SetNick(ctx context.Context, round, handle string) error
	SetTopic(ctx context.Context, round, topic string) error
	Join(ctx context.Context, invite string) (hook.Round, error)
	Leave(ctx context.Context, round string) error
}

// Fault is why an extension is off: one line, foreign text in it, and the command that tries it again.
type Fault struct {
	Extension string
	Text      string
	Again     string // "/plugin enable bell"
}

// Host runs plugins. Its methods may be called from any goroutine.
type Host struct {
	cfg      Config
	folder   string // of the plugins
	chat     Chat
	locked   *lockFile
	storage  *storage
	left     *leftovers
	senders  senders
	budgets  budgets
	starting chan func() // run on the thread that children are told the end of

	view atomic.Pointer[view]

	admin sync.Mutex // held while somebody enables, disables or restarts a plugin

	mu     sync.Mutex
	guests map[string]*guest
	logs   map[string]*logFile
	bare   map[string]string // which extension has a command's bare name
	closed bool
}

// New prepares a host; nothing is started. What go-plugin and gRPC would write to the screen goes to cfg.Log from now on.
func New(cfg Config) *Host {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Settings == nil {
		cfg.Settings = func(string) (map[string]any, error) { return nil, nil }
	}
	if cfg.OnPanic == nil {
		cfg.OnPanic = func() {}
	}
	quiet(cfg.Log)
	h := &Host{
		cfg: cfg, folder: filepath.Join(cfg.Dir, "plugins"), storage: newStorage(cfg.Dir),
		budgets: budgets{hook.FilterBudget, hook.ScriptBudget, hook.RowBudget},
		guests:  map[string]*guest{}, logs: map[string]*logFile{}, bare: map[string]string{},
	}
	h.view.Store(&view{replaced: make(chan struct{})})
	return h
}

// budgets are those of hook. Tests that are about something else are more patient, for their machine may be busy.
type budgets struct{ filter, script, row time.Duration }

var quietOnce sync.Once

// quiet takes the screen from the libraries: go-plugin writes to the standard logger, gRPC to stderr.
func quiet(to *slog.Logger) {
	quietOnce.Do(func() {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
		log.SetFlags(0)
		log.SetOutput(slogWriter{to})
	})
}

type slogWriter struct{ to *slog.Logger }

func (w slogWriter) Write(p []byte) (int, error) {
	w.to.Warn("plugins", "text", string(p))
	return len(p), nil
}

// Start ends what an earlier run has left and starts every plugin that is enabled, and the builtin ones, all at once. It does
// not wait for them. An error says why none that has a folder can run here; the host is usable without.
func (h *Host) Start(chat Chat) error {
	h.chat = chat
	var err error
	if h.left, err = clearLeftovers(filepath.Join(h.cfg.Dir, "plugins.run")); err != nil {
		return err
	}
	h.starting = make(chan func())
	go h.startThread()
	h.locked, err = openLock(filepath.Join(h.cfg.Dir, "plugins.lock"))
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.cfg.Builtins {
		h.guests[b.Name] = h.newGuest(b.Name, &b)
	}
	if err == nil {
		h.find()
	} else {
		h.locked = nil // nothing was agreed to, and it is not to be overwritten
	}
	for _, g := range h.guests {
		if g.enabled() && !g.asleep() {
			g.initial = true
			g.begin()
		}
	}
	h.rebuild()
	return err
}

// Asleep reports whether something is left for [Host.Wake].
func (h *Host) Asleep() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.guests {
		if g.asleep() && !h.closed {
			return true
		}
	}
	return false
}

// Wake starts the builtins that were left asleep, and returns when they are there, or have failed once. Calling it again does
// nothing.
func (h *Host) Wake(ctx context.Context) {
	h.mu.Lock()
	for _, g := range h.guests {
		if g.asleep() && !h.closed {
			g.begin()
		}
	}
	h.mu.Unlock()
	h.Settled(ctx)
}

// startThread runs the starts of processes on one thread, which lasts as long as the host: Linux ends children with the
// thread that has started them.
func (h *Host) startThread() {
	defer h.cfg.OnPanic()
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	for f := range h.starting {
		f()
	}
}

// spawn runs f on that thread.
func (h *Host) spawn(f func() error) error {
	done := make(chan error)
	h.starting <- func() { done <- f() }
	return <-done
}

// Settled returns when every plugin that was to be started by [Host.Start] has been, with all of its extensions, or has failed
// once.
func (h *Host) Settled(ctx context.Context) {
	var tried []chan struct{}
	h.mu.Lock()
	for _, g := range h.guests {
		tried = append(tried, g.tried)
	}
	h.mu.Unlock()
	for _, t := range tried {
		select {
		case <-t:
		case <-ctx.Done():
			return
		}
	}
	h.idle(ctx, h.view.Load().watchers[hook.KindStart])
}

// idle returns when extensions have taken all events that wait for them.
func (h *Host) idle(ctx context.Context, all []*extension) {
	done := make(chan struct{})
	go func() {
		defer h.cfg.OnPanic()
		for _, e := range all {
			e.queue.wait()
		}
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// find looks for plugins that are not known yet. h.mu is held.
func (h *Host) find() {
	entries, err := os.ReadDir(h.folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		if _, known := h.guests[name]; !known && validName(name) && len(h.guests) < maxPlugins {
			h.guests[name] = h.newGuest(name, nil)
		}
	}
}

// Close tells every extension that the chat ends, stops them, and returns when their processes are gone: after twice
// [hook.StopBudget] at the latest, and nearly at once if there are none.
func (h *Host) Close() {
	h.mu.Lock()
	if h.closed || h.left == nil {
		h.closed = true
		h.mu.Unlock()
		return
	}
	h.closed = true
	guests := slices.Collect(maps.Values(h.guests))
	h.mu.Unlock()
	h.farewell()
	var ending sync.WaitGroup
	for _, g := range guests {
		ending.Go(func() {
			defer h.cfg.OnPanic()
			g.end()
		})
	}
	ending.Wait()
	close(h.starting)
	h.left.close()
	h.storage.close()
	for _, l := range h.logs {
		l.close()
	}
}

// farewell gives the extensions their last event, and time to take it.
func (h *Host) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), hook.StopBudget)
	defer cancel()
	leaving := h.view.Load().watchers[hook.KindShutdown]
	for _, e := range leaving {
		e.queue.put(hook.Shutdown{}, cause{})
	}
	h.idle(ctx, leaving)
}

// logOf returns the log of an extension. h.mu is held.
func (h *Host) logOf(name string) *logFile {
	if h.logs[name] == nil {
		h.logs[name] = newLog(h.cfg.Dir, name)
	}
	return h.logs[name]
}
