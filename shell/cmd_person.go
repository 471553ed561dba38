package shell

import (
	"context"

	"opentalk/engine"
	"opentalk/shell/term"
)

func personCommands() []command {
	return []command{
		{name: "connect", args: "ADDRESS", min: 1, max: 1, long: true, run: runConnect,
			help: "dials a member of this round at an address, now", example: "/connect 192.0.2.7:7654"},
		{name: "whois", args: "HANDLE", min: 1, max: 1, run: runWhois, complete: []source{names.ofPeople},
			help: "tells what is known of a member", example: "/whois bob"},
		{name: "verify", args: "HANDLE [yes|no]", min: 1, max: 2, run: runVerify, complete: []source{names.ofPeople, oneOf("yes", "no")},
			help: "shows words to compare on the phone",
			more: "If both of you see the same, say so with yes: opentalk remembers it. No takes it back.", example: "/verify bob yes"},
	}
}

func (n names) ofPeople() []string { return n.people }

func runConnect(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c, joinTime)
	defer cancel()
	who, err := c.Connect(ctx, round.Tag, c.args[0])
	if err != nil {
		return err
	}
	c.say(term.Sprintf("%s is online", c.look.person(who)))
	return nil
}

func runWhois(c *call) error {
	_, m, err := findMember(c, c.args[0])
	if err != nil {
		return err
	}
	t := table{}
	t.row(term.Literal("name"), c.look.person(m.Person))
	t.row(term.Literal("fingerprint"), term.CleanLine(m.Fingerprint.String()))
	for i, d := range m.Devices {
		head := term.Text{}
		if i == 0 {
			head = term.Literal("devices")
		}
		t.row(head, term.CleanLine(d.String()))
	}
	t.row(term.Literal("joined"), c.look.when(m.Joined))
	t.row(term.Literal("now"), presence(c.look, m))
	verified := term.Literal("no: /verify compares")
	switch {
	case m.Own:
		verified = term.Literal("it is you")
	case m.Verified:
		verified = term.Literal("yes")
	}
	t.row(term.Literal("verified"), verified)
	t.row(term.Literal("in words"))
	c.say(t.lines()...)
	c.say(inWords(m.Fingerprint)...)
	return nil
}

// inWords shows a fingerprint to be read aloud: sixteen words in two columns, 128 of its 256 bits.
func inWords(f engine.Fingerprint) []term.Text {
	words := f.Words()
	t, half := table{}, len(words)/2
	for i := range half {
		t.row(term.Text{}, term.CleanLine(words[i]), term.CleanLine(words[half+i]))
	}
	return t.lines()
}

func runVerify(c *call) error {
	round, m, err := findMember(c, c.args[0])
	if err != nil {
		return err
	}
	if m.Own {
		return faultf(errUnknownMember, "%q is you", c.args[0]).but("others verify you; name one of them")
	}
	if len(c.args) == 2 {
		yes, err := yesOrNo(c.args[1])
		if err != nil {
			return err
		}
		if err := c.Verify(round.Tag, m.Fingerprint, yes); err != nil {
			return err
		}
		if yes {
			c.say(term.Sprintf("%s is verified", c.look.person(m.Person)))
		} else {
			c.say(term.Sprintf("%s is not verified", c.look.person(m.Person)))
		}
		return nil
	}
	c.say(term.Sprintf("have %s read their words aloud to you; they must be these:", c.look.person(m.Person)))
	c.say(inWords(m.Fingerprint)...)
	c.say(term.Literal("and these are yours, for them to compare:"))
	c.say(inWords(c.Self().Fingerprint)...)
	c.say(term.Sprintf("if all are the same: /verify %s yes", term.CleanHandle(m.Name)))
	return nil
}
