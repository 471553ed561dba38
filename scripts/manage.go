package scripts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
)

// Manager is the name of the extension that /script is a command of.
const Manager = "script"

// verb is what /script can do.
type verb struct {
	name, args string
	min, max   int
	run        func(h *Host, ctx context.Context, args []string) ([]string, error)
}

func verbsOf() []verb {
	return []verb{
		{"list", "", 0, 0, (*Host).list},
		{"load", "NAME", 1, 1, (*Host).load},
		{"unload", "NAME", 1, 1, (*Host).unload},
		{"reload", "[NAME]", 0, 1, (*Host).reload},
		{"new", "NAME", 1, 1, (*Host).create},
		{"errors", "[NAME]", 0, 1, (*Host).errors},
		{"autoload", "NAME [on|off]", 1, 2, (*Host).autoload},
	}
}

// manager is the extension that lets people manage the others.
func manager() hook.Extension {
	return hook.Extension{Name: Manager, Description: "manages scripts", Commands: []hook.Command{{
		Handler: 1, Name: "script", Usage: "VERB [NAME]", Help: "lists, loads and reloads scripts in Lua",
		Example: "/script load away", Min: 1, Max: 3, Complete: true,
	}}}
}

// manage runs /script.
func (h *Host) manage(ctx context.Context, call hook.Call) ([]string, error) {
	word, args := call.Args[0], call.Args[1:]
	var all []string
	for _, v := range verbsOf() {
		if v.name != word {
			all = append(all, v.name)
			continue
		}
		if len(args) < v.min || len(args) > v.max {
			return nil, hook.Errorf(hook.CodeInvalid, "usage: /script %s", strings.TrimSpace(v.name+" "+v.args))
		}
		return v.run(h, ctx, args)
	}
	return nil, hook.Errorf(hook.CodeInvalid, "/script can %s, not %q", strings.Join(all, ", "), word)
}

func (h *Host) completeManage(args []string) (words []string) {
	switch {
	case len(args) == 1:
		for _, v := range verbsOf() {
			words = append(words, v.name)
		}
	case len(args) == 2 && slices.Contains([]string{"unload", "reload", "errors"}, args[0]):
		for _, s := range h.all() {
			words = append(words, s.name)
		}
	case len(args) == 2 && slices.Contains([]string{"load", "autoload"}, args[0]):
		words = h.shelf.all()
	case len(args) == 3 && args[0] == "autoload":
		words = []string{"on", "off"}
	}
	return words
}

// list tells of each script that is there whether it is loaded, what it says of itself, and what it may do.
func (h *Host) list(_ context.Context, _ []string) ([]string, error) {
	auto, err := h.shelf.autoload()
	if err != nil {
		return nil, err
	}
	names := h.shelf.all()
	for _, s := range h.all() {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name) // loaded, and its file is gone
		}
	}
	var lines []string
	for _, name := range names {
		state := "not loaded"
		if s := h.find(name); s != nil {
			state = s.summary()
		}
		if slices.Contains(auto, name) {
			state += ", at the start"
		}
		lines = append(lines, fmt.Sprintf("%s: %s", name, state))
	}
	if len(lines) == 0 {
		lines = []string{fmt.Sprintf("no scripts in %s: /script new NAME begins one", h.shelf.folder)}
	}
	return lines, nil
}

// summary is what /script list shows of a script.
func (s *script) summary() string {
	ext := s.extension()
	if !s.isThere() {
		if faults := s.faults.list(); len(faults) > 0 {
			return "not loaded: " + faults[len(faults)-1].text
		}
		return "not loaded"
	}
	parts := []string{strings.TrimSpace("loaded " + ext.Version)}
	if ext.Description != "" {
		parts = append(parts, ext.Description)
	}
	for _, c := range ext.Commands {
		parts = append(parts, "/"+c.Name)
	}
	if len(ext.Needs) > 0 {
		parts = append(parts, "may use "+words(ext.Needs))
	}
	if n := len(s.faults.list()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d errors", n))
	}
	return strings.Join(parts, ", ")
}

func (s *script) isThere() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.there
}

// reconfigure has what is loaded from now on go by what the person has set by now. An error says what is wrong with that, and
// what was set before stays.
func (h *Host) reconfigure(ctx context.Context) error {
	config, err := h.chat.Config(ctx, Manager)
	if err != nil {
		return err
	}
	var set Settings
	if err := json.Unmarshal(config, &set); err != nil {
		return hook.Errorf(hook.CodeInvalid, "reading settings: %v", err)
	}
	h.configure(set)
	return nil
}

// load loads a script, or loads it from the beginning if it is there: also one that was turned off.
func (h *Host) load(ctx context.Context, args []string) ([]string, error) {
	name := args[0]
	if _, err := h.shelf.where(name); err != nil {
		return nil, err
	}
	if err := h.reconfigure(ctx); err != nil {
		return nil, err
	}
	if old := h.find(name); old != nil {
		old.unload(ctx)
		h.remove(old)
		if err := h.register(ctx); err != nil {
			return nil, err
		}
	} else if len(h.all()) >= maxScripts {
		return nil, hook.Errorf(hook.CodeTooMuch, "%d scripts are loaded", maxScripts)
	}
	s := h.add(name)
	if err := h.register(ctx); err != nil {
		h.remove(s)
		return nil, err
	}
	if err := s.waitLoaded(ctx); err != nil {
		return nil, s.refusal(err)
	}
	return []string{name + ": " + s.summary()}, nil
}

// refusal makes of an error what the person who wanted the script loaded is told.
func (s *script) refusal(err error) error {
	text, _ := describe(s, err)
	return hook.Errorf(hook.CodeFailed, "%s", text)
}

func (h *Host) unload(ctx context.Context, args []string) ([]string, error) {
	s, err := h.loaded(args[0])
	if err != nil {
		return nil, err
	}
	s.unload(ctx)
	h.remove(s)
	return []string{s.name + ": unloaded"}, h.register(ctx)
}

func (h *Host) loaded(name string) (*script, error) {
	if s := h.find(name); s != nil {
		return s, nil
	}
	return nil, hook.Errorf(hook.CodeNotFound, "%s is not loaded", name)
}

// chosen is the script that was named, or all of them.
func (h *Host) chosen(args []string) ([]*script, error) {
	if len(args) == 0 {
		return h.all(), nil
	}
	s, err := h.loaded(args[0])
	return []*script{s}, err
}

// reload loads one script anew, or all. What runs stays where the new text does not load.
func (h *Host) reload(ctx context.Context, args []string) (lines []string, err error) {
	all, err := h.chosen(args)
	if err != nil {
		return nil, err
	}
	if err := h.reconfigure(ctx); err != nil {
		return nil, err
	}
	for _, s := range all {
		if err := s.reload(ctx); err != nil {
			if len(all) == 1 {
				return nil, s.refusal(err)
			}
			lines = append(lines, s.refusal(err).Error())
			continue
		}
		lines = append(lines, s.name+": "+s.summary())
	}
	return lines, nil
}

// reload has the chat make the call in which the script is loaded.
func (s *script) reload(ctx context.Context) error {
	select {
	case <-s.loaded: // of an earlier time
	default:
	}
	set := hook.TimerSetting{Name: timerReload, After: time.Millisecond}
	if err := s.host.chat.SetTimer(ctx, s.name, set); err != nil {
		return err
	}
	return s.waitLoaded(ctx)
}

func (h *Host) create(_ context.Context, args []string) ([]string, error) {
	path, err := h.shelf.create(args[0])
	if err != nil {
		return nil, err
	}
	return []string{path, fmt.Sprintf("/script load %s loads it, /script autoload %s has it loaded at every start", args[0], args[0])}, nil
}

func (h *Host) errors(_ context.Context, args []string) (lines []string, err error) {
	all, err := h.chosen(args)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		for _, f := range s.faults.list() {
			times := ""
			if f.count > 1 {
				times = fmt.Sprintf(" (%d times)", f.count)
			}
			lines = append(lines, fmt.Sprintf("%s %s%s", f.last.Format("15:04:05"), f.text, times))
			for _, t := range f.trace {
				lines = append(lines, "         "+t)
			}
		}
	}
	if len(lines) == 0 {
		lines = []string{"no errors"}
	}
	return lines, nil
}

func (h *Host) autoload(_ context.Context, args []string) ([]string, error) {
	on := len(args) == 1 || args[1] == "on"
	if !on && args[1] != "off" {
		return nil, hook.Errorf(hook.CodeInvalid, "on or off, not %q", args[1])
	}
	if err := h.shelf.setAutoload(args[0], on); err != nil {
		return nil, err
	}
	if on {
		return []string{args[0] + " is loaded at every start"}, nil
	}
	return []string{args[0] + " is not loaded at the start any more"}, nil
}
