package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/line"
	"opentalk/shell/term"
)

// view is how the shell tells what happens: to a person ([screen]) or to a program ([stream]). The loop owns it.
type view interface {
	progress(what string)               // before there is an engine
	ready(o opening)                    // the engine is there
	event(ev engine.Event)              // something happened
	echo(prompt term.Text, line string) // a line is about to be run
	past(p past)                        // a message out of the past, for a command under way
	reply(c *call)                      // a command is done
	fail(r report)
	notice(t term.Text)
	clear()
	close()
}

// opening is what there is to tell at the start.
type opening struct {
	self    engine.Self
	rounds  []engine.Round
	current *engine.Round
	history []engine.Message // of the current round
	pending []engine.Pending // of all rounds
}

// past is a message that a command has looked up.
type past struct {
	line    int // of the command
	message engine.Message
	days    *days  // puts lines between days; nil: each line has its date
	round   string // to be told with it, "" for none
}

// paper is where a screen's text goes.
type paper interface {
	print(t term.Text)    // wrapped to the width
	raw(t term.Text)      // as it is, for what is to be copied
	complain(t term.Text) // about what went wrong
	clear()
}

// sheet is a paper that a line editor prints on.
type sheet struct{ editor line.Editor }

func (s sheet) print(t term.Text)    { s.editor.Print(t.Wrap(s.editor.Columns(), indent)) }
func (s sheet) raw(t term.Text)      { s.editor.Print(t) }
func (s sheet) complain(t term.Text) { s.print(t) }
func (s sheet) clear()               { s.editor.Clear() }

// roll is a paper without a line editor: stdout, and stderr for complaints.
type roll struct {
	out, err         *output
	outLook, errLook term.Profile
	columns          func() int // 0: no wrapping
}

func (r roll) print(t term.Text)    { r.out.write(r.outLook.Render(t.Wrap(r.columns(), indent)) + "\n") }
func (r roll) raw(t term.Text)      { r.out.write(r.outLook.Render(t) + "\n") }
func (r roll) complain(t term.Text) { r.err.write(r.errLook.Render(t) + "\n") }
func (r roll) clear()               {}

// later runs f on the loop after a while.
type later func(d time.Duration, f func())
