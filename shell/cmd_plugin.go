package shell

import (
	"errors"
	"slices"
	"strings"

	"opentalk/plugins"
	"opentalk/plugins/hook"
	"opentalk/shell/term"
)

// pluginVerbs is what /plugin can do, each with whether it takes a name.
var pluginVerbs = []struct {
	name  string
	named bool
	run   func(c *call, host *plugins.Host, name string) error
}{
	{"list", false, listPlugins},
	{"enable", true, enablePlugin},
	{"disable", true, disablePlugin},
	{"restart", true, restartPlugin},
	{"log", true, logPlugin},
	{"info", true, infoPlugin},
}

func pluginCommands() []command {
	var verbs []string
	for _, v := range pluginVerbs {
		verbs = append(verbs, v.name)
	}
	return []command{
		{name: "plugin", args: "VERB [NAME]", min: 1, max: 2, long: true, run: runPlugin,
			complete: []source{oneOf(verbs...), names.ofPlugins},
			help:     "lists plugins, turns them on and off",
			more:     "It can list, enable, disable, restart, log and info. A plugin is a folder in plugins/ of your data. Enabling one pins its program as it is, and lets it do what its plugin.toml names; /plugin info tells. The name may be that of a script that was turned off.",
			example:  "/plugin enable notify"},
	}
}

func runPlugin(c *call) error {
	if c.ext == nil {
		return faultf(errExtensions, "extensions are off: opentalk was started with --no-extensions")
	}
	for _, v := range pluginVerbs {
		if v.name != c.args[0] || v.named != (len(c.args) == 2) {
			continue
		}
		name := ""
		if v.named {
			name = c.args[1]
		}
		return v.run(c, c.ext.host, name)
	}
	return faultf(errArity, "usage: %s", c.command.usage())
}

func listPlugins(c *call, host *plugins.Host, _ string) error {
	t := table{}
	for _, i := range host.List() {
		state := term.CleanLine(string(i.State))
		if i.Why != "" {
			state = term.Sprintf("%s: %s", state, i.Why)
		}
		t.row(term.CleanLine(i.Name), term.CleanLine(i.Manifest.Version), state)
		for _, e := range i.Extensions {
			if e.Off {
				t.row(term.Sprintf("  %s", e.Name), term.CleanLine(e.Version), term.Literal("turned off"))
			}
		}
	}
	c.say(t.lines()...)
	return nil
}

func enablePlugin(c *call, host *plugins.Host, name string) error {
	i, err := host.Enable(c, name)
	if err != nil {
		return extensionError(err)
	}
	granted := "nothing but what every plugin may"
	if len(i.Granted) > 0 {
		granted = wordsOf(i.Granted)
	}
	c.say(term.Sprintf("%s runs, and may use: %s", i.Name, granted))
	return nil
}

func disablePlugin(c *call, host *plugins.Host, name string) error {
	if err := host.Disable(name); err != nil {
		return extensionError(err)
	}
	c.say(term.Sprintf("%s is off", name))
	return nil
}

func restartPlugin(c *call, host *plugins.Host, name string) error {
	i, err := host.Restart(c, name)
	if err != nil {
		return extensionError(err)
	}
	c.say(term.Sprintf("%s runs again", i.Name))
	return nil
}

// logLines is how much of a log is shown.
const logLines = 40

func logPlugin(c *call, host *plugins.Host, name string) error {
	lines, err := host.LogTail(name, logLines)
	if err != nil {
		return extensionError(err)
	}
	for _, l := range lines {
		c.say(term.CleanLine(l))
	}
	if len(lines) == 0 {
		c.say(term.Literal("nothing"))
	}
	return nil
}

func infoPlugin(c *call, host *plugins.Host, name string) error {
	i, err := host.Info(name)
	if err != nil {
		return extensionError(err)
	}
	t := table{}
	t.row(term.Literal("plugin"), term.Sprintf("%s %s", i.Name, i.Manifest.Version))
	state := string(i.State)
	if i.Why != "" {
		state += ": " + i.Why
	}
	t.row(term.Literal("state"), term.CleanLine(state))
	if i.PID > 0 {
		t.row(term.Literal("process"), term.Sprintf("%d, since %s", i.PID, c.look.when(i.Since)))
	}
	if !i.Builtin {
		t.row(term.Literal("program"), term.CleanLine(strings.Join(append([]string{i.Manifest.Exec}, i.Manifest.Args...), " ")))
		t.row(term.Literal("wants"), term.CleanLine(orNothing(i.Manifest.Capabilities)))
		t.row(term.Literal("may use"), term.CleanLine(orNothing(i.Granted)))
	}
	for _, e := range i.Extensions {
		what := handlersOf(e.Extension)
		if e.Off {
			what = "turned off"
		}
		t.row(term.CleanLine(e.Name), term.CleanLine(what))
	}
	c.say(t.lines()...)
	return nil
}

func orNothing(all []hook.Capability) string {
	if len(all) == 0 {
		return "nothing"
	}
	return wordsOf(all)
}

// handlersOf says what an extension is called for.
func handlersOf(e hook.Extension) string {
	var parts []string
	if e.Description != "" {
		parts = append(parts, e.Description)
	}
	for _, cmd := range e.Commands {
		parts = append(parts, "/"+cmd.Name)
	}
	for _, f := range e.Filters {
		what := string(f.Stage) + " filter"
		if f.Required {
			what += ", required"
		}
		parts = append(parts, what)
	}
	var kinds []hook.Kind
	for _, o := range e.Observes {
		if o.Kind != hook.KindStart && !slices.Contains(kinds, o.Kind) {
			kinds = append(kinds, o.Kind)
		}
	}
	if len(kinds) > 0 {
		parts = append(parts, "told of "+wordsOf(kinds))
	}
	if len(e.Needs) > 0 {
		parts = append(parts, "uses "+wordsOf(e.Needs))
	}
	return strings.Join(parts, "; ")
}

func wordsOf[T ~string](all []T) string {
	list := make([]string, len(all))
	for i, w := range all {
		list[i] = string(w)
	}
	return strings.Join(list, ", ")
}

// extended is a command of an extension, as one of the table.
func (x *extensions) extended(name string) *command {
	if x == nil {
		return nil
	}
	found, ok := x.host.Command(name)
	if !ok {
		return nil
	}
	c := x.entry(found)
	c.name = name
	return &c
}

func (x *extensions) entry(found plugins.Command) command {
	most := found.Max
	if most == 0 {
		most = maxWords
	}
	name := found.Full
	if found.Bare {
		name = found.Name
	}
	return command{
		name: name, args: found.Usage, help: found.Help, example: found.Example, min: found.Min, max: most, long: true,
		completeAny: func(n names) []string {
			return x.host.Complete(x.shell.ctx, found, hook.Completion{Round: n.round, Args: append(slices.Clone(n.args), n.word)})
		},
		more: "A command of the extension " + found.Extension + ", also called as /" + found.Full + ".",
		run: func(c *call) error {
			lines, err := x.host.Run(c, found, hook.Call{Round: c.round.Name, Line: c.rest, Args: c.args, Person: c.person})
			if err != nil {
				return refusal(err, found)
			}
			for _, l := range lines {
				c.say(term.CleanLine(l))
			}
			return nil
		},
	}
}

// maxWords is how many a command may have that takes any number.
const maxWords = 1 << 12

// family is the part of /help that extensions have.
func (x *extensions) family() []family {
	if x == nil {
		return nil
	}
	f := family{name: "from extensions"}
	for _, c := range x.host.Commands() {
		f.commands = append(f.commands, x.entry(c))
	}
	if len(f.commands) == 0 {
		return nil
	}
	return []family{f}
}

// names are those of the commands of extensions.
func (x *extensions) names() (all []string) {
	if x == nil {
		return nil
	}
	for _, c := range x.host.Commands() {
		all = append(all, x.entry(c).name)
	}
	return all
}

// plugins are the names of what /plugin can be about.
func (x *extensions) plugins() (all []string) {
	if x == nil {
		return nil
	}
	for _, i := range x.host.List() {
		all = append(all, i.Name)
	}
	return all
}

// refusal is why a command of an extension did not do what it was to do: because the call was not right, or because something
// is wrong with the extension.
func refusal(err error, c plugins.Command) error {
	var told *hook.Error
	if errors.As(err, &told) && told.Hint == "" && told.Code != hook.CodeFailed && told.Code != hook.CodeClosed {
		return faultf(errExtensions, "%s", told.Text).but("/help %s shows how it is used", c.Name)
	}
	return extensionError(err)
}

// extensionError is an error of the host, or of an extension, for the person.
func extensionError(err error) error {
	var told *hook.Error
	if !errors.As(err, &told) {
		return faultf(errExtensions, "%v", err)
	}
	f := faultf(errExtensions, "%s", told.Text)
	if told.Hint != "" {
		return f.but("%s", told.Hint)
	}
	return f
}
