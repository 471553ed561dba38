package plugins

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"opentalk/plugins/hook"
)

// Info is what there is to say of a plugin.
type Info struct {
	Name     string
	Builtin  bool
	Manifest Manifest // of a builtin one nothing but the name
	State    State
	Why      string            // it is not running; may be empty
	Granted  []hook.Capability // when it was enabled
	PID      int               // 0 if it does not run
	Since    time.Time         // it runs
	Starts   int               // of its process since it was begun
	// Extensions are those that it has registered now.
	Extensions []ExtensionInfo
}

// ExtensionInfo is what there is to say of an extension.
type ExtensionInfo struct {
	hook.Extension
	Off bool
}

// List tells of all plugins: those that are part of the program and those that have a folder, enabled or not. Folders that
// came since the start are found by it.
func (h *Host) List() []Info {
	h.mu.Lock()
	h.look()
	names := slices.Sorted(maps.Keys(h.guests))
	var all []Info
	for _, name := range names {
		all = append(all, h.guests[name].info())
	}
	h.mu.Unlock()
	for i := range all {
		all[i] = h.withManifest(all[i])
	}
	return all
}

// look finds folders, if this host runs any. h.mu is held.
func (h *Host) look() {
	if h.locked != nil && !h.closed {
		h.find()
	}
}

// Info tells of one plugin, or of the one that has an extension of that name.
func (h *Host) Info(name string) (Info, error) {
	h.mu.Lock()
	g, err := h.guest(name)
	if err != nil {
		h.mu.Unlock()
		return Info{}, err
	}
	info := g.info()
	h.mu.Unlock()
	return h.withManifest(info), nil
}

// withManifest reads the manifest of a plugin that does not run, for it may be new.
func (h *Host) withManifest(i Info) Info {
	if i.Builtin || i.State == StateRunning {
		return i
	}
	m, err := readManifest(filepath.Join(h.folder, i.Name))
	if i.Manifest = m; err != nil && i.Why == "" {
		i.Why = err.Error()
	}
	return i
}

// guest finds a plugin by its name, or that of one of its extensions. h.mu is held.
func (h *Host) guest(name string) (*guest, error) {
	h.look()
	if g := h.guests[name]; g != nil {
		return g, nil
	}
	for _, g := range h.guests {
		if g.marks[name] != nil {
			return g, nil
		}
	}
	return nil, h.noPlugin(name)
}

func (h *Host) noPlugin(name string) error {
	return hook.Errorf(hook.CodeNotFound, "there is no plugin %q in %s", name, h.folder)
}

func (g *guest) info() Info {
	i := Info{
		Name: g.name, Builtin: g.builtin != nil, Manifest: g.manifest, State: g.state, Why: g.why,
		Granted: g.granted(), Starts: g.starts,
	}
	i.Manifest.Name = g.name
	if g.proc != nil {
		i.PID, i.Since = g.proc.child.pid(), g.since
	}
	for _, e := range g.extensions {
		i.Extensions = append(i.Extensions, ExtensionInfo{e.Extension, g.isOff(e.Name)})
	}
	return i
}

// Enable pins a plugin as it is now, grants it the capabilities that its manifest declares, starts it, and returns when it
// runs or has failed once. One that runs is started again, unless its settings cannot be read. The name of an extension that was
// turned off turns it on again.
func (h *Host) Enable(ctx context.Context, name string) (Info, error) {
	h.admin.Lock()
	defer h.admin.Unlock()
	h.mu.Lock()
	g, err := h.guest(name)
	if err == nil && g.name != name && g.proc != nil {
		h.turnOn(g, name)
		h.mu.Unlock()
		return h.Info(name)
	}
	h.mu.Unlock()
	if err == nil {
		_, err = h.cfg.Settings(g.name)
	}
	if err != nil {
		return Info{}, err
	}
	g.end()
	if g.builtin == nil {
		if err := g.pinNow(); err != nil {
			return Info{}, err
		}
	}
	return g.again(ctx)
}

// turnOn gives an extension its calls back. h.mu is held.
func (h *Host) turnOn(g *guest, name string) {
	*g.mark(name) = mark{}
	for i, e := range g.extensions {
		if e.Name == name {
			e.end()
			e = &extension{Extension: e.Extension, lasting: h.newLasting(g.proc, name)}
			g.extensions[i] = e
			h.rebuild()
			h.greet(e)
		}
	}
}

func (g *guest) pinNow() error {
	m, err := readManifest(g.dir)
	if err != nil {
		return err
	}
	now, err := newPin(g.dir, m)
	if err != nil {
		return err
	}
	return g.changePin(func(p *pin) { *p = now })
}

// changePin changes what is written about a plugin, and what is known.
func (g *guest) changePin(change func(*pin)) error {
	h := g.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.locked.set(g.name, change); err != nil {
		return err
	}
	g.pin = h.locked.get(g.name)
	return nil
}

// again starts a plugin that has no supervisor, and waits for what comes of it.
func (g *guest) again(ctx context.Context) (Info, error) {
	h := g.host
	h.mu.Lock()
	if h.closed || h.left == nil {
		h.mu.Unlock()
		return Info{}, hook.Errorf(hook.CodeClosed, "plugins do not run here")
	}
	g.initial = false
	g.begin()
	tried := g.tried
	h.rebuild()
	h.mu.Unlock()
	select {
	case <-tried:
	case <-ctx.Done():
		return Info{}, ctx.Err()
	}
	info, err := h.Info(g.name)
	if err == nil && info.State != StateRunning {
		err = fmt.Errorf("plugin %q: %s", g.name, info.Why)
	}
	return info, err
}

// Disable ends a plugin, which is not started again before it is enabled. Messages no longer wait for its required filters.
func (h *Host) Disable(name string) error {
	h.admin.Lock()
	defer h.admin.Unlock()
	h.mu.Lock()
	g := h.guests[name]
	h.mu.Unlock()
	switch {
	case g == nil:
		return h.noPlugin(name)
	case g.builtin != nil:
		return hook.Errorf(hook.CodeInvalid, "%q is part of the program", name)
	}
	g.end()
	if err := g.changePin(func(p *pin) { p.Enabled = false }); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	g.state, g.why = StateDisabled, ""
	clear(g.required)
	h.rebuild()
	return nil
}

// Restart ends the process of a plugin and starts it again, with its settings as they are now, and returns when it runs or has
// failed once. If these cannot be read, what runs stays.
func (h *Host) Restart(ctx context.Context, name string) (Info, error) {
	h.admin.Lock()
	defer h.admin.Unlock()
	h.mu.Lock()
	g, err := h.guest(name)
	if err == nil && !g.enabled() {
		err = hook.Errorf(hook.CodeInvalid, "plugin %q is not enabled", name)
	}
	h.mu.Unlock()
	if err == nil {
		_, err = h.cfg.Settings(g.name)
	}
	if err != nil {
		return Info{}, err
	}
	g.end()
	return g.again(ctx)
}

// LogTail returns the last n lines of the log of a plugin or an extension, foreign text.
func (h *Host) LogTail(name string, n int) ([]string, error) {
	h.mu.Lock()
	_, err := h.guest(name)
	l := h.logs[name]
	h.mu.Unlock()
	if err != nil || l == nil {
		return nil, err
	}
	return l.tail(n)
}
