package shell

import (
	"os"
	"path/filepath"
	"strings"

	"opentalk/shell/term"
)

// unset is what takes a key out of config.toml, as it takes the topic of a round away.
const unset = "-"

func runSet(c *call) error {
	if len(c.args) == 0 {
		t := table{}
		for _, o := range options() {
			if o.key != "" {
				t.row(term.CleanLine(o.key), shownValue(o.get(c.opts)), origin(c.opts, o))
			}
		}
		c.say(t.lines()...)
		c.say(dim(term.Literal("(/set KEY tells what one does, /set KEY VALUE changes it)")))
		return nil
	}
	o, err := findKey(c.args[0])
	if err != nil {
		return err
	}
	if len(c.args) == 1 {
		c.say(term.Sprintf("%s  %s  %s", o.key, shownValue(o.get(c.opts)), origin(c.opts, o)), term.CleanLine(o.help))
		return nil
	}
	return set(c, o, c.args[1:])
}

func shownValue(value string) term.Text {
	if value == "" {
		return term.Literal(unset)
	}
	return term.CleanLine(redact(value))
}

// origin tells where a value comes from.
func origin(opts Options, o option) term.Text {
	switch {
	case o.flag != "" && opts.isGiven(o.flag):
		return term.CleanLine(o.flag)
	case opts.isKept(o.key):
		return term.Literal("config.toml")
	}
	return term.Literal("default")
}

// set changes a key in config.toml, and what goes by it where that can be changed while opentalk runs.
func set(c *call, o option, values []string) error {
	if err := changeConfig(c.paths.configFile(), o, values); err != nil {
		return err
	}
	overruled := o.flag != "" && c.opts.isGiven(o.flag)
	switch {
	case overruled:
		c.say(term.Sprintf("kept in config.toml; this run goes by %s", o.flag))
	case o.now == nil:
		c.say(term.Literal("kept in config.toml; it counts from the next start on"))
	default:
		c.say(term.Literal("kept in config.toml, and counts from now on"))
	}
	c.then = func(s *Shell) {
		next := s.flags
		if next.readConfig(s.paths.configFile()) == nil { // as it has just been written
			s.opts = next
		}
		if o.now != nil {
			o.now(s)
		}
	}
	return nil
}

// changeConfig gives a key other values in the file, or takes it out. The file holds what can be read, before and after.
func changeConfig(file string, o option, values []string) error {
	content, err := readConfigFile(file)
	if err != nil {
		return err
	}
	var value any
	if len(values) != 1 || values[0] != unset {
		if o.kind != list {
			values = []string{strings.Join(values, " ")}
		}
		try := defaults()
		if err := try.setAll(o, values, false); err != nil {
			return faultf(errValue, "%s: %v", o.key, err).but("%s is: %s", o.key, o.help)
		}
		value = o.kind.value(values)
	}
	next, err := editConfig(content, o.key, value)
	if err == nil {
		err = new(Options).read(next)
	}
	if err != nil {
		return located(file, err)
	}
	err = os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = writeFile(file, []byte(next))
	}
	if err != nil {
		return faultf(errFile, "%v", err)
	}
	return nil
}

// maxValues is what a list may hold.
const maxValues = 8
