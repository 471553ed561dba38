package shell

import (
	"context"
	"errors"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// clockOff is how far clocks may be apart before anybody is told.
const clockOff = 2 * time.Minute

func doctorCommands() []command {
	return []command{
		{name: "doctor", args: "[ADDRESS]", max: 1, long: true, run: runDoctor,
			help: "finds out why somebody cannot be reached",
			more: "It dials who is not online, asks who is whether they reach you, and compares clocks, for up to half a minute; " +
				"or it looks whether a member of this round listens at ADDRESS.",
			example: "/doctor 192.0.2.7:7654"},
	}
}

func runDoctor(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	if len(c.args) == 1 {
		if err := c.Probe(c, round.Tag, c.args[0]); err != nil {
			return err
		}
		c.say(term.Sprintf("a member of %s listens at %s", round.Name, c.args[0]))
		return nil
	}
	checkup, err := c.Diagnose(c, round.Tag)
	if errors.Is(err, context.Canceled) {
		return faultf(context.Canceled, "the doctor was sent away")
	}
	if err != nil {
		return err
	}
	d := diagnosis{look: c.look}
	d.network(checkup)
	d.clock(checkup)
	d.people(checkup)
	d.port(checkup)
	c.say(d.lines...)
	return nil
}

// diagnosis is what /doctor prints: for each thing that it looked at a line, and what to do about it under those that are wrong.
type diagnosis struct {
	look  look
	lines []term.Text
}

func (d *diagnosis) say(what, found term.Text) {
	d.lines = append(d.lines, term.Sprintf("%s %s", what.Pad(8), found))
}

func (d *diagnosis) advise(hint string) {
	d.lines = append(d.lines, term.Sprintf("  → %s", dim(term.CleanLine(hint))))
}

func (d *diagnosis) network(c engine.Checkup) {
	if c.Online {
		d.say(term.Literal("network"), term.Literal("fine"))
		return
	}
	d.say(term.Literal("network"), term.Literal("this machine has no address but its own"))
	d.advise("it is in no network: connect it, by cable or radio; on this machine alone it does not matter")
}

func (d *diagnosis) clock(c engine.Checkup) {
	switch {
	case c.Agree == 0:
		d.say(term.Literal("clock"), term.Literal("there is nobody to compare it with"))
	case c.Clock.Abs() <= clockOff:
		d.say(term.Literal("clock"), term.Literal("fine: as the others'"))
	default:
		way := term.Literal("behind")
		if c.Clock < 0 {
			way = term.Literal("ahead of")
		}
		d.say(term.Literal("clock"), term.Sprintf("yours is %s %s that of %s", roughly(c.Clock.Abs()), way, count(c.Agree, "other")))
		if c.Agree == 1 {
			d.advise("one of you is wrong: compare with a third clock, and set the wrong one right, by NTP say")
		} else {
			d.advise("set the clock of this machine right, by NTP say; until then opentalk goes by the others'")
		}
	}
}

func roughly(t time.Duration) string {
	if t < 48*time.Hour {
		return t.Round(time.Minute).String()
	}
	return counted(int(t/(24*time.Hour)), "day")
}

// people tells who is online, and of the others what became of their addresses.
func (d *diagnosis) people(c engine.Checkup) {
	byKey := map[engine.Fingerprint][]engine.Tried{}
	for _, t := range c.Tried {
		byKey[t.Person.Fingerprint] = append(byKey[t.Person.Fingerprint], t)
	}
	others := 0
	for _, m := range c.Members {
		if m.Own || m.Left {
			continue
		}
		others++
		if m.Online {
			d.say(term.Literal("member"), term.Sprintf("%s is online", d.look.person(m.Person)))
		} else {
			d.away(m, byKey[m.Fingerprint])
		}
	}
	for _, t := range byKey[engine.Fingerprint{}] { // nobody was ever met there
		d.address(t)
	}
	if others == 0 {
		d.say(term.Literal("members"), term.Literal("there is nobody else in this round yet"))
		d.advise("/invite prints what lets others in")
	}
}

func (d *diagnosis) away(m engine.Member, tried []engine.Tried) {
	asleep := len(tried) > 0
	for _, t := range tried {
		asleep = asleep && (t.Err == nil || errors.Is(t.Err, engine.ErrRefused) || errors.Is(t.Err, engine.ErrUntried) || code(t.Err).Name == "timeout")
	}
	who, last := d.look.person(m.Person), seen(d.look, m.Seen)
	switch {
	case len(tried) == 0:
		d.say(term.Literal("member"), term.Sprintf("%s is away (%s), and has told no address", who, last))
		d.advise("they have to dial you, or somebody who is always there")
	case asleep:
		d.say(term.Literal("member"), term.Sprintf("%s is asleep (%s): their opentalk does not run, or is elsewhere now", who, last))
		d.advise("what you write is kept and sent when they come; somebody who is always there (--headless) helps")
	default:
		d.say(term.Literal("member"), term.Sprintf("%s cannot be reached (%s)", who, last))
	}
	for _, t := range tried {
		d.address(t)
	}
}

// address tells what became of one, with what to do about it.
func (d *diagnosis) address(t engine.Tried) {
	switch {
	case t.Err == nil:
		d.say(term.Literal("  at"), term.Sprintf("%s: answers", t.Address))
	case errors.Is(t.Err, engine.ErrUntried):
		d.say(term.Literal("  at"), term.Sprintf("%s: not tried, it is only hearsay", t.Address))
		d.advise("/connect " + t.Address + " dials it now")
	default:
		r := newReport(t.Err, 0)
		d.say(term.Literal("  at"), term.Sprintf("%s: %s", t.Address, r.code))
		d.advise(r.hint)
	}
}

// port tells whether others reach this device.
func (d *diagnosis) port(c engine.Checkup) {
	switch {
	case len(c.Announced) == 0 && len(c.Listen) == 0:
		d.say(term.Literal("port"), term.Literal("you listen nowhere, so that nobody can dial you"))
		d.advise("that is fine while you reach others; without --listen none a port is opened")
		return
	case len(c.Announced) == 0:
		d.say(term.Literal("port"), term.Literal("you listen where only this machine can dial"))
		return
	case len(c.Asked) == 0:
		d.say(term.Literal("port"), term.Literal("nobody is online to be asked whether they reach you"))
		return
	}
	reached, tried := false, false
	for _, r := range c.Reached {
		reached = reached || r.Err == nil
		tried = tried || !errors.Is(r.Err, engine.ErrUntried)
	}
	for _, r := range c.Reached {
		found := term.Literal("reaches you")
		switch {
		case errors.Is(r.Err, engine.ErrUntried):
			found = term.Literal("may not try again today")
		case r.Err != nil:
			found = term.Sprintf("does not reach you: %s", code(r.Err).Name)
		}
		d.say(term.Literal("port"), term.Sprintf("%s %s at %s", d.look.person(r.By), found, r.Address))
	}
	switch {
	case len(c.Reached) == 0:
		d.say(term.Literal("port"), term.Literal("nobody could say whether they reach you"))
	case reached:
	case tried:
		d.advise("a firewall or router is between: open and forward the port, or leave it: you reach others, which is enough")
	}
}
