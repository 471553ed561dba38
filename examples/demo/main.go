// Demo shows a conversation of two people on this machine, one of whom goes away and comes back, in one screen of plain
// output. It drives two real opentalk processes the way any program can: lines in, JSON events out.
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
	Event, Text, State, Change, Invite, Code, Command string
	Listen, Lines                                     []string
	Held, Members                                     int
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
	if p.listen == "" {
		p.listen = "127.0.0.1:0"
	}
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
	if err == nil {
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
	alice := &person{name: "alice", home: filepath.Join(dir, "alice"), program: program}
	bob := &person{name: "bob", home: filepath.Join(dir, "bob"), program: program}
	defer alice.kill()
	defer bob.kill()

	tell := func(who, what string) { fmt.Fprintf(w, "  %-6s %s\n", who, what) }
	for _, scene := range []func(alice, bob *person, tell func(who, what string)) error{meet, part, meetAgain} {
		if err := scene(alice, bob, tell); err != nil {
			return err
		}
	}
	alice.leave()
	bob.leave()
	return nil
}

// meet: alice begins a round, bob joins it by her invite, and they talk.
func meet(alice, bob *person, tell func(who, what string)) error {
	if err := alice.come(); err != nil {
		return err
	}
	tell("alice", "starts, and listens on "+alice.listen)
	alice.say("/new friends")
	alice.say("/invite")
	inv, err := alice.wait("for the invite", func(ev event) bool { return ev.Event == "invite" })
	if err != nil {
		return err
	}
	tell("alice", "/new friends")
	tell("alice", "/invite                     "+inv.Invite[:20]+"…")
	if err := bob.come(); err != nil {
		return err
	}
	bob.say("/join " + inv.Invite)
	if _, err := alice.wait("for bob", func(ev event) bool { return ev.Event == "member" && ev.Change == "joined" }); err != nil {
		return err
	}
	tell("bob", "/join "+inv.Invite[:20]+"…   alice sees him join")
	return talk([][3]any{{bob, alice, "hello"}, {alice, bob, "hi bob, no server between us"}}, tell)
}

// talk has lines said and seen.
func talk(lines [][3]any, tell func(who, what string)) error {
	for _, l := range lines {
		from, to, text := l[0].(*person), l[1].(*person), l[2].(string)
		from.say(text)
		if err := to.sees(text); err != nil {
			return err
		}
		tell(from.name, fmt.Sprintf("%-30s  %s reads it", text, to.name))
	}
	return nil
}

// part: bob goes, and alice writes to nobody.
func part(alice, bob *person, tell func(who, what string)) error {
	bob.leave()
	if _, err := alice.wait("for bob to go", func(ev event) bool { return ev.Event == "peer" && ev.State == "offline" }); err != nil {
		return err
	}
	tell("bob", "goes home")
	alice.say("are you gone?")
	if _, err := alice.wait("for her message to wait", func(ev event) bool { return ev.Event == "sent" && ev.State == "waiting" }); err != nil {
		return err
	}
	tell("alice", "are you gone?                   waits: nobody is online")
	alice.kill()
	if err := alice.come(); err != nil {
		return err
	}
	tell("alice", "is killed, and starts again     it still waits")
	return nil
}

// meetAgain: bob comes back, reads what waited, and both hold the same.
func meetAgain(alice, bob *person, tell func(who, what string)) error {
	if err := bob.come(); err != nil {
		return err
	}
	tell("bob", "comes back")
	if err := bob.sees("are you gone?"); err != nil {
		return err
	}
	held, err := alice.wait("for the delivery", func(ev event) bool { return ev.Event == "delivery" && ev.Held > 0 })
	if err != nil {
		return err
	}
	tell("bob", fmt.Sprintf("reads “are you gone?”           alice: held by %d of %d", held.Held, held.Members))
	if err := talk([][3]any{{bob, alice, "never for long"}}, tell); err != nil {
		return err
	}
	hers, err := history(alice)
	if err != nil {
		return err
	}
	his, err := history(bob)
	if err != nil {
		return err
	}
	if hers != his {
		return fmt.Errorf("histories differ:\n%s\n%s", hers, his)
	}
	tell("both", fmt.Sprintf("hold the same %d messages in the same order", strings.Count(hers, "\n")+1))
	return nil
}

// history asks a person for what has been said.
func history(p *person) (string, error) {
	p.say("/history 100")
	ev, err := p.wait("for the history", func(ev event) bool { return ev.Event == "reply" && ev.Command == "/history" })
	return strings.Join(ev.Lines, "\n"), err
}
