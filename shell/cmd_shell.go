package shell

import (
	"cmp"
	"slices"
	"strings"

	"opentalk/shell/term"
)

func shellCommands() []command {
	return []command{
		{name: "status", run: runStatus,
			help: "tells who you are, and how things are"},
		{name: "set", args: "[KEY] [VALUE]", max: 1 + maxValues, run: runSet, complete: []source{names.ofKeys, names.ofValues},
			help: "lists the settings, or changes one",
			more: "They are kept in config.toml, whose comments stay. With - a setting is taken out again.", example: "/set wait 30s"},
		{name: "passphrase", secret: true, run: runPassphrase,
			help: "seals your secrets file with a passphrase",
			more: "It is asked for here, and at every start. An empty one takes it away."},
		{name: "help", args: "[COMMAND]", max: 1, run: runHelp, complete: []source{names.ofCommands},
			help: "lists the commands, or explains one", example: "/help join"},
		{name: "clear", run: runClear,
			help: "empties the screen"},
		{name: "quit", run: runQuit,
			help: "leaves",
			more: "Messages that wait are kept and sent next time."},
	}
}

func runStatus(c *call) error {
	st, err := c.Status()
	if err != nil {
		return err
	}
	t := table{}
	t.row(term.Literal("you"), c.look.name(st.Handle, st.Fingerprint))
	t.row(term.Literal("fingerprint"), term.CleanLine(st.Fingerprint.String()))
	t.row(term.Literal("device"), term.CleanLine(st.Device.String()))
	listen := term.Literal("nowhere")
	if len(st.Listen) > 0 {
		listen = term.CleanLine(strings.Join(st.Listen, ", "))
	}
	t.row(term.Literal("listening"), listen)
	for _, r := range st.Rounds {
		t.row(term.Literal("round"), term.Sprintf("%s: %s, %s online, %s, %d waiting",
			r.Name, count(r.Members, "member"), count(r.Online, "other"), count(r.Blocks, "block"), r.Waiting))
	}
	t.row(term.Literal("home"), term.CleanLine(st.Dir))
	t.row(term.Literal("config"), term.CleanLine(c.paths.configFile()))
	t.row(term.Literal("log"), term.CleanLine(c.look.log))
	t.row(term.Literal("this run"), counters(st))
	if st.Problem != nil {
		t.row(term.Literal("problem"), term.CleanLine(redact(st.Problem.Error())))
	}
	c.say(t.lines()...)
	return nil
}

func runHelp(c *call) error {
	if len(c.args) == 0 {
		t := table{}
		for _, f := range slices.Concat(families(), c.ext.family()) {
			t.row(dim(term.Sprintf("-- %s --", f.name)))
			for _, cmd := range f.commands {
				t.row(term.CleanLine(cmd.usage()), term.CleanLine(cmd.help))
			}
		}
		c.say(t.lines()...)
		c.say(term.Literal("a line without a slash is a message; //text sends text that begins with a slash"))
		return nil
	}
	name := strings.TrimPrefix(c.args[0], "/")
	cmd := cmp.Or(lookup(name), c.ext.extended(name))
	if cmd == nil {
		return unknownCommand(name)
	}
	c.say(term.Sprintf("%s  %s", cmd.usage(), cmd.help))
	if cmd.more != "" {
		c.say(term.CleanLine(cmd.more))
	}
	if cmd.example != "" {
		c.say(term.Sprintf("for example: %s", cmd.example))
	}
	return nil
}

func runClear(c *call) error {
	c.then = func(s *Shell) { s.view.clear() }
	return nil
}

func runQuit(c *call) error {
	c.then = func(s *Shell) { s.leave(false) }
	return nil
}
