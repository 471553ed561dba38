package shell

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"opentalk/engine"
	"opentalk/shell/term"
)

// command is one entry of the table that parsing, arity errors, /help, completion and the line history are made of.
type command struct {
	name     string // without the slash
	args     string // as in usage: "NAME | ADDRESS ID"
	help     string // in a few words, for the list
	more     string // in sentences, for /help with its name
	example  string
	min, max int      // arguments
	text     bool     // everything behind the name is one argument, as it stands
	secret   bool     // its arguments are kept in no history and are refused as an argument of the program
	long     bool     // others may run meanwhile where a person types
	complete []source // of each argument; what goes beyond is not completed
	// completeAny gives what may stand for any argument, of a command that does not tell them apart.
	completeAny source
	run         func(*call) error
}

// family is a row of commands that /help shows together.
type family struct {
	name     string
	commands []command
}

// known is made once, when it is first asked for, and nobody changes it: each line that is read looks its command up.
var known struct {
	sync.Once
	families []family
	commands []command
	byName   map[string]*command
}

func makeKnown() {
	known.families = []family{
		{"rounds", roundCommands()},
		{"talking", talkCommands()},
		{"reading", readCommands()},
		{"people", slices.Concat(peopleCommands(), personCommands())},
		{"this round", changeCommands()},
		{"opentalk itself", slices.Concat(doctorCommands(), shellCommands(), pluginCommands())},
	}
	for _, f := range known.families {
		known.commands = append(known.commands, f.commands...)
	}
	known.byName = map[string]*command{}
	for i := range known.commands {
		known.byName[known.commands[i].name] = &known.commands[i]
	}
}

// families are in the order in which /help shows them.
func families() []family {
	known.Do(makeKnown)
	return known.families
}

func commands() []command {
	known.Do(makeKnown)
	return known.commands
}

// lookup returns nil for a name that no command has.
func lookup(name string) *command {
	known.Do(makeKnown)
	return known.byName[name]
}

// Commands returns the name of every command, with its slash.
func Commands() []string {
	var all []string
	for _, c := range commands() {
		all = append(all, "/"+c.name)
	}
	return all
}

func (c command) usage() string { return strings.TrimSpace("/" + c.name + " " + c.args) }

// splitCommand takes a line apart. A line that begins with one slash is a command.
func splitCommand(line string) (name, rest string, ok bool) {
	if !strings.HasPrefix(line, "/") || strings.HasPrefix(line, "//") {
		return "", "", false
	}
	name, rest, _ = strings.Cut(line[1:], " ")
	if name, tail, found := strings.Cut(name, "\n"); found { // a paste
		return name, strings.TrimSpace(tail + " " + rest), true
	}
	return name, rest, true
}

// parse returns the command that a line calls, and its arguments. Every other line is /send. A command that is none of the
// table may be one of an extension.
func (x *extensions) parse(line string) (command, []string, error) {
	name, rest, isCommand := splitCommand(line)
	if !isCommand {
		if pastedInvite(line) {
			return command{}, nil, faultf(errSecretText, "the line looks like an invite; it was not sent")
		}
		text := line
		if strings.HasPrefix(line, "//") {
			text = line[1:]
		}
		return *lookup("send"), []string{text}, nil
	}
	c := lookup(name)
	if c == nil {
		c = x.extended(name)
	}
	if c == nil {
		return command{}, nil, unknownCommand(name)
	}
	args := strings.Fields(rest)
	if c.text {
		args = nil
		if strings.TrimSpace(rest) != "" {
			args = []string{rest}
		}
	}
	if len(args) < c.min || len(args) > c.max {
		fault := faultf(errArity, "usage: %s", c.usage())
		if c.example != "" {
			return command{}, nil, fault.but("for example: %s; /help %s tells more", c.example, c.name)
		}
		return command{}, nil, fault
	}
	return *c, args, nil
}

// parse is that without extensions.
func parse(line string) (command, []string, error) { return (*extensions)(nil).parse(line) }

func unknownCommand(name string) error {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	err := faultf(errUnknownCommand, "unknown command %q", "/"+name)
	if near := nearest(name, all); near != "" {
		return err.but("did you mean /%s? /help lists the commands; //%s sends it as text", near, name)
	}
	return err
}

// call is one run of a command. It runs on a goroutine of its own and touches nothing of the shell: what it has to say it
// leaves here, and what is to become of the shell in then, which the shell's loop runs if it succeeds.
type call struct {
	context.Context
	Engine
	command    command
	args       []string
	line       int    // of the input
	typed      string // the line, if it is not on the screen yet
	look       look
	opts       Options
	paths      paths
	person     bool             // somebody types and reads
	tell       func(func(view)) // at once, while the command goes on
	number     uint64           // among what is said
	ext        *extensions      // nil if there are none
	rest       string           // of the line, behind the name
	page       page             // where reading was left
	round      engine.Round     // the current one
	inRound    bool
	asked      bool // for passphrase, where a person types
	passphrase []byte
	secret     string // an invite to be told, with round

	lines []term.Text
	sent  engine.MessageID
	then  func(*Shell)

	over bool  // the loop's: it has said what it says,
	err  error // or failed
}

// say adds a line to what the command prints.
func (c *call) say(t ...term.Text) { c.lines = append(c.lines, t...) }

// current returns the round that a command is about.
func (c *call) current() (engine.Round, error) {
	if !c.inRound {
		return engine.Round{}, faultf(engine.ErrNoRound, "there is no round to do this in")
	}
	return c.round, nil
}

// number reads an argument that counts something.
func number(arg string, most int) (int, error) {
	var n int
	if _, err := fmt.Sscanf(arg, "%d", &n); err != nil || fmt.Sprint(n) != arg || n < 1 || n > most {
		return 0, faultf(errValue, "%q is not a number from 1 to %d", arg, most)
	}
	return n, nil
}
