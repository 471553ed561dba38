// Demo shows a conversation of four people on this machine in one screen of plain output: one leaves and returns, two write
// while they are apart, and a fourth comes late and reads the history. It drives real opentalk processes the way any program
// can: lines in, JSON events out.
//
// It is an example, so it imports nothing of opentalk: what it uses is what the README documents.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	program := flag.String("program", "./opentalk", "the opentalk to run")
	flag.Parse()
	if err := show(*program, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// patience bounds every wait: each takes milliseconds, making an identity a second or two.
const patience = 10 * time.Second

// event is what the demo reads of an event; the keys are documented in the README.
type event struct {
	Event, Text, From, State, Change, Handle, Invite, Code, Command string
	Listen                                                          []string
	Held, Members                                                   int
}

// person is one opentalk process and its home.
type person struct {
	name, home, program, listen string

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan event
}

// come starts the process and waits until it listens. The second time it comes back to the same address.
func (p *person) come() error {
	p.cmd = exec.Command(p.program, "--home", p.home, "--handle", p.name, "--listen", p.listen, "--json", "--wait", "0")
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.events = make(chan event, 256)
	go func() {
		defer close(p.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var ev event
			if json.Unmarshal(lines.Bytes(), &ev) == nil {
				p.events <- ev
			}
		}
	}()
	ready, err := p.wait("to be ready", func(ev event) bool { return ev.Event == "ready" })
	if err == nil && len(ready.Listen) > 0 {
		p.listen = ready.Listen[0]
	}
	return err
}

// leave closes the process's input, which ends it.
func (p *person) leave() {
	p.stdin.Close()
	for range p.events {
	}
	p.cmd.Wait()
}

// kill ends the process without asking it.
func (p *person) kill() {
	if p.cmd != nil && p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

func (p *person) say(line string) error {
	_, err := fmt.Fprintln(p.stdin, line)
	return err
}

// wait reads events until one is what is waited for.
func (p *person) wait(what string, is func(event) bool) (event, error) {
	for late := time.After(patience); ; {
		select {
		case ev, ok := <-p.events:
			switch {
			case !ok:
				return ev, fmt.Errorf("%s ended instead %s", p.name, what)
			case ev.Event == "error":
				return ev, fmt.Errorf("%s: %s (%s)", p.name, ev.Text, ev.Code)
			case is(ev):
				return ev, nil
			}
		case <-late:
			return event{}, fmt.Errorf("%s waited %s in vain", p.name, what)
		}
	}
}

func (p *person) sees(text string) error {
	_, err := p.wait("to see "+text, func(ev event) bool { return ev.Event == "message" && ev.Text == text })
	return err
}

// show plays the conversation and writes it to w. Every line is written after what it tells has been seen to happen.
func show(program string, w io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "opentalk-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	c := cast{tell: func(who, what string) { fmt.Fprintf(w, "  %-6s %s\n", who, what) }}
	for _, p := range []struct {
		name, listen string
		who          **person
	}{{"bob", "127.0.0.1:0", &c.bob}, {"alice", "none", &c.alice}, {"carol", "none", &c.carol}, {"dave", "none", &c.dave}} {
		*p.who = &person{name: p.name, home: filepath.Join(dir, p.name), program: program, listen: p.listen}
		defer (*p.who).kill()
	}
	for _, scene := range []func(*cast) error{meet, part, meetAgain, late} {
		if err := scene(&c); err != nil {
			return err
		}
	}
	return nil
}

// cast is who takes part. Only bob can be reached; the others reach each other through him.
type cast struct {
	bob, alice, carol, dave *person
	invite                  string
	tell                    func(who, what string)
}

// meet: bob begins a round, alice and carol join it by his invite, and they talk.
func meet(c *cast) error {
	if err := c.bob.come(); err != nil {
		return err
	}
	c.bob.say("/new friends")
	c.bob.say("/invite")
	inv, err := c.bob.wait("for the invite", func(ev event) bool { return ev.Event == "invite" })
	if err != nil {
		return err
	}
	c.invite = inv.Invite
	c.tell("bob", "/new friends, /invite           "+c.invite[:20]+"…")
	for _, p := range []*person{c.alice, c.carol} {
		if err := join(c, p); err != nil {
			return err
		}
	}
	if err := talk(c, c.alice, "hello", c.bob, c.carol); err != nil {
		return err
	}
	return talk(c, c.bob, "hi, no server between us", c.alice, c.carol)
}

// join lets somebody in, and waits until bob has seen them.
func join(c *cast, p *person) error {
	if err := p.come(); err != nil {
		return err
	}
	p.say("/join " + c.invite)
	_, err := c.bob.wait("for "+p.name, func(ev event) bool {
		return ev.Event == "member" && ev.Change == "joined" && ev.Handle == p.name
	})
	c.tell(p.name, "/join "+c.invite[:20]+"…      bob sees "+p.name+" join")
	return err
}

// talk has a line said, and read by others.
func talk(c *cast, from *person, text string, readers ...*person) error {
	from.say(text)
	var names []string
	for _, r := range readers {
		if err := r.sees(text); err != nil {
			return err
		}
		names = append(names, r.name)
	}
	c.tell(from.name, fmt.Sprintf("%-30s  read by %s", text, strings.Join(names, " and ")))
	return nil
}

// part: bob goes, and the others are apart. Both write.
func part(c *cast) error {
	c.bob.leave()
	for _, p := range []*person{c.alice, c.carol} {
		if _, err := p.wait("for bob to go", func(ev event) bool { return ev.Event == "peer" && ev.State == "offline" }); err != nil {
			return err
		}
	}
	c.tell("bob", "goes home                       alice and carol cannot reach each other")
	for p, text := range map[*person]string{c.alice: "are you gone?", c.carol: "is anybody here?"} {
		p.say(text)
		if _, err := p.wait("for the message to wait", func(ev event) bool { return ev.Event == "sent" && ev.State == "waiting" }); err != nil {
			return err
		}
	}
	c.tell("alice", "are you gone?                   waits: nobody is online")
	c.tell("carol", "is anybody here?                waits: nobody is online")
	c.alice.kill()
	c.tell("alice", "is killed, and starts again     it still waits")
	return c.alice.come()
}

// meetAgain: bob comes back, and what was written apart reaches everybody.
func meetAgain(c *cast) error {
	if err := c.bob.come(); err != nil {
		return err
	}
	c.tell("bob", "comes back")
	for _, p := range []*person{c.alice, c.bob} {
		if err := p.sees("is anybody here?"); err != nil {
			return err
		}
	}
	c.tell("carol", "is anybody here?                read by alice and bob")
	if err := c.carol.sees("are you gone?"); err != nil {
		return err
	}
	c.tell("alice", "are you gone?                   read by carol")
	c.carol.say("never for long")
	held, err := c.alice.wait("for the delivery", func(ev event) bool { return ev.Event == "delivery" && ev.Held == 2 })
	if err != nil {
		return err
	}
	c.tell("carol", fmt.Sprintf("never for long                  alice knows now: held by %d of %d", held.Held, held.Members))
	return nil
}

// late: a fourth comes, reads what was said, and all have the same in the same order.
func late(c *cast) error {
	if err := join(c, c.dave); err != nil {
		return err
	}
	if err := talk(c, c.dave, "what did I miss?", c.alice, c.bob, c.carol); err != nil {
		return err
	}
	var first string
	for _, p := range []*person{c.alice, c.bob, c.carol, c.dave} {
		said, err := history(p)
		if err != nil {
			return err
		}
		if first == "" {
			first = said
		}
		if said != first {
			return fmt.Errorf("histories differ:\n%s\n%s", first, said)
		}
	}
	c.tell("all", fmt.Sprintf("hold the same %d messages in the same order", strings.Count(first, "\n")+1))
	return nil
}

// history asks a person for what has been said.
func history(p *person) (string, error) {
	p.say("/history 100")
	var said []string
	_, err := p.wait("for the history", func(ev event) bool {
		if ev.Event == "history" {
			said = append(said, ev.From+": "+ev.Text)
		}
		return ev.Event == "reply" && ev.Command == "/history"
	})
	return strings.Join(said, "\n"), err
}
