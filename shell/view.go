package shell

import (
	"time"

	"opentalk/engine"
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
	warn(t term.Text) // of somebody who may not be who they seem
	aside(a aside)    // an extension has something to say
	entered(v visit)  // a round is the current one now
	changed()         // what the prompt tells may have changed
	clear()
	close()
}

// opening is what there is to tell at the start.
type opening struct {
	self    engine.Self
	rounds  []engine.Round
	current *engine.Round
	members map[engine.Tag][]engine.Member // for a person, as is the next
	missed  []engine.Message               // of rounds but the current one
	pending []engine.Pending               // of all rounds
	kept    state                          // from the last time
}

// aside is what an extension says to the person. All of it is foreign.
type aside struct {
	extension, round, text string
	ring                   bool // it is to draw attention
}

// visit is what there is to show of a round that is entered.
type visit struct {
	round   engine.Round
	hint    term.Text        // what one who is new there may do
	seen    []engine.Message // the last lines that were on the screen before, oldest first
	unread  []engine.Message
	more    bool            // there is more unread than that
	newest  engine.Position // of all that was said there
	pending []engine.Pending
	members []engine.Member
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
	setPrompt(t term.Text)
	ring(what term.Text) // draws attention
	flush()              // what print has kept back
	clear()
}

// roll is a paper without a line editor: stdout, and stderr for complaints.
type roll struct {
	out, err         *output
	outLook, errLook term.Profile
	columns          func() int // 0: no wrapping
}

func (r roll) print(t term.Text) { r.out.write(r.outLook.Render(t.Wrap(r.columns(), indent)) + "\n") }
func (r roll) raw(t term.Text)   { r.out.write(r.outLook.Render(t) + "\n") }
func (r roll) complain(t term.Text) {
	if r.out != nil { // both may be one terminal
		r.out.flush()
	}
	r.err.write(r.errLook.Render(t) + "\n")
}
func (r roll) setPrompt(term.Text) {}
func (r roll) ring(term.Text)      {}
func (r roll) flush()              {}
func (r roll) clear()              {}

// later runs f on the loop after a while.
type later func(d time.Duration, f func())
