// Package scripts runs Lua scripts. It is a plugin like any other, started by the chat as a child of the same binary: what a
// script does in here – loop for ever, take all memory – ends this process and not the chat, which starts it again without
// the offender.
//
// To the chat each script is an extension of its own. [Host] answers for all of them (host.go, serve.go). A [script]
// (script.go) is one file, with one goroutine on which all its Lua code runs; a program (program.go) is what the text of the
// file made of it: a Lua state and its handlers. A reload makes a new program beside the old one and swaps when it has
// loaded. What a handler wants done – say, print, keep – is done in order, after it has returned, by the script's errands
// (errands.go); so a slow disk is no fault of the script.
//
//	sandbox.go  what of Lua there is
//	api*.go     what "ot" offers: one function, one entry; LUA.md tells authors
//	values.go   the contract's values as Lua tables
//	budget.go   how long Lua code may compute
//	faults.go   what went wrong, told once
//	manage.go   /script
//	limit*.go   how much memory the process may take
//	try*.go     `opentalk script check` and `script test`: command.go
package scripts

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"opentalk/plugins/hook"
)

// Settings are what the chat gives its Lua host, as JSON in [hook.Hello.Config].
type Settings struct {
	Folder string                     `json:"folder"` // with the scripts
	Load   []string                   `json:"load"`   // by name, at the start; nil is those in the folder "autoload" of it
	Config map[string]json.RawMessage `json:"config"` // an object for each script, by name, as the person has set it
}

// Host is the [hook.Extender] of all scripts.
type Host struct {
	chat  hook.Host
	shelf shelf
	clock func() time.Time

	mu      sync.Mutex
	config  map[string]json.RawMessage
	scripts map[string]*script
	// registering makes one registration follow the other: each tells of all scripts.
	registering sync.Mutex
}

// NewHost returns a host without scripts. [Host.Start] reads the settings and lists what is to be loaded.
func NewHost() *Host { return &Host{clock: time.Now, scripts: map[string]*script{}} }

// Start lists the scripts to be loaded, each as an extension that waits for its start: only in the call that tells of it is
// the text run, so that the chat knows whose fault it is if that never ends.
func (h *Host) Start(_ context.Context, hello hook.Hello, chat hook.Host) (hook.Registration, error) {
	var set Settings
	if err := json.Unmarshal(hello.Config, &set); err != nil {
		return hook.Registration{}, hook.Errorf(hook.CodeInvalid, "reading settings: %v", err)
	}
	h.chat, h.shelf = chat, shelf{set.Folder}
	h.configure(set)
	names := set.Load
	if names == nil {
		var err error
		if names, err = h.shelf.autoload(); err != nil {
			return hook.Registration{}, err
		}
	}
	for _, name := range names[:min(len(names), maxScripts)] {
		h.add(name)
	}
	return h.registration(), nil
}

// add makes room for a script, if there is none yet.
func (h *Host) add(name string) *script {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.scripts[name]
	if s == nil {
		s = newScript(h, name)
		h.scripts[name] = s
	}
	return s
}

// settings are what the person has set for a script.
func (h *Host) settings(name string) json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.config[name]
}

// configure takes what the person has set.
func (h *Host) configure(set Settings) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config = set.Config
}

func (h *Host) find(name string) *script {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.scripts[name]
}

// all returns the scripts by name.
func (h *Host) all() []*script {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.scripts), func(a, b *script) int { return strings.Compare(a.name, b.name) })
}

// remove takes a script out. Its goroutine ends after what it is doing.
func (h *Host) remove(s *script) {
	h.mu.Lock()
	delete(h.scripts, s.name)
	h.mu.Unlock()
	s.end()
}

func (h *Host) registration() hook.Registration {
	all := hook.Registration{Extensions: []hook.Extension{manager()}}
	for _, s := range h.all() {
		all.Extensions = append(all.Extensions, s.extension())
	}
	return all
}

// register tells the chat of all scripts anew.
func (h *Host) register(ctx context.Context) error {
	h.registering.Lock()
	defer h.registering.Unlock()
	return h.chat.Register(ctx, h.registration())
}

// target finds the script that a call is meant for.
func (h *Host) target(to hook.Target) (*script, error) {
	if s := h.find(to.Extension); s != nil {
		return s, nil
	}
	return nil, hook.Errorf(hook.CodeNotFound, "script %q is not loaded", to.Extension)
}

// Run runs a command of a script, or /script itself.
func (h *Host) Run(ctx context.Context, call hook.Call) ([]string, error) {
	if call.Extension == Manager {
		return h.manage(ctx, call)
	}
	s, err := h.target(call.Target)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, call)
}

// Complete asks a script, or tells what /script takes.
func (h *Host) Complete(ctx context.Context, call hook.Completion) ([]string, error) {
	if call.Extension == Manager {
		return h.completeManage(call.Args), nil
	}
	s, err := h.target(call.Target)
	if err != nil {
		return nil, err
	}
	return s.complete(ctx, call)
}

// Filter asks a script.
func (h *Host) Filter(ctx context.Context, to hook.Target, item hook.Item) (hook.Verdict, error) {
	s, err := h.target(to)
	if err != nil {
		return hook.Verdict{}, err
	}
	return s.filter(ctx, to.Handler, item)
}

// Observe tells a script. The first that it is told is to load.
func (h *Host) Observe(ctx context.Context, to hook.Target, event hook.Event) error {
	s, err := h.target(to)
	if err != nil {
		return err
	}
	return s.observe(ctx, to.Handler, event)
}

// Stop runs what the scripts have left for their end, all at once.
func (h *Host) Stop(ctx context.Context) error {
	var ending sync.WaitGroup
	for _, s := range h.all() {
		ending.Go(func() {
			s.unload(ctx)
			s.end()
		})
	}
	ending.Wait()
	return nil
}
