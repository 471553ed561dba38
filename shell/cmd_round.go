package shell

import (
	"context"
	"errors"
	"strings"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// joinTime is how long /join tries. Piped, no other line runs meanwhile.
const joinTime = 30 * time.Second

func roundCommands() []command {
	return []command{
		{name: "new", args: "NAME", min: 1, max: 1, run: runNew,
			help: "begins a round", example: "/new friends"},
		{name: "join", args: "INVITE | ADDRESS ROUND-ID", min: 1, max: 2, secret: true, long: true, run: runJoin,
			help: "enters a round that you were invited to",
			more: "INVITE is the word that /invite prints for a member. It takes up to half a minute; ctrl-c gives it up.", example: "/join opentalk:…"},
		{name: "invite", run: runInvite,
			help: "prints what lets others into this round",
			more: "Whoever has it can join and read everything, so give it only to them."},
		{name: "rounds", run: runRounds,
			help: "lists your rounds"},
		{name: "switch", args: "NAME", min: 1, max: 1, run: runSwitch, complete: []source{names.ofRounds},
			help: "goes to another of your rounds", example: "/switch friends"},
	}
}

func runNew(c *call) error {
	round, err := c.New(c.args[0])
	if err != nil {
		return err
	}
	hint := term.Literal("what you type goes here, and /invite prints what lets others in")
	c.then = func(s *Shell) { s.enter(round, hint) }
	return nil
}

func runJoin(c *call) error {
	invite, err := readInvite(c.args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c, joinTime)
	defer cancel()
	round, err := c.Join(ctx, invite)
	if err != nil {
		if errors.Is(c.Err(), context.Canceled) {
			return faultf(context.Canceled, "joining was given up")
		}
		return err
	}
	hint := term.Literal("what you type goes here, and /history shows what was said") // how many there are is not known yet
	line := c.line
	c.then = func(s *Shell) { s.joined(round, line, hint) }
	return nil
}

func readInvite(args []string) (engine.Invite, error) {
	if len(args) == 2 {
		return engine.InviteTo(args[0], args[1])
	}
	return engine.ParseInvite(args[0])
}

func runInvite(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	invite, err := c.Invite(round.Tag)
	if err != nil {
		return err
	}
	c.secret = invite.Token()
	if len(invite.Addresses) == 0 {
		c.say(term.Literal("(it holds no address, since this opentalk does not listen: others cannot reach it)"))
	}
	return nil
}

func runRounds(c *call) error {
	rounds, err := c.Rounds()
	if err != nil {
		return err
	}
	if len(rounds) == 0 {
		c.say(term.Literal("you are in no round yet: /new NAME begins one, /join INVITE enters one"))
	}
	t := table{}
	for _, r := range rounds {
		mark := term.Literal(" ")
		if c.inRound && r.Tag == c.round.Tag {
			mark = term.Literal("*")
		}
		t.row(mark, term.CleanLine(r.Name), count(r.Members, "member"), term.Sprintf("%d online", r.Online),
			term.Sprintf("%d waiting", r.Waiting))
	}
	c.say(t.lines()...)
	return nil
}

func runSwitch(c *call) error {
	rounds, err := c.Rounds()
	if err != nil {
		return err
	}
	round, err := findRound(rounds, c.args[0])
	if err != nil {
		return err
	}
	c.then = func(s *Shell) { s.enter(round, term.Text{}) }
	return nil
}

// findRound returns the round of that name, whatever the case if only one fits.
func findRound(rounds []engine.Round, name string) (engine.Round, error) {
	var near []engine.Round
	var all []string
	for _, r := range rounds {
		if r.Name == name {
			return r, nil
		}
		if strings.EqualFold(r.Name, name) {
			near = append(near, r)
		}
		all = append(all, r.Name)
	}
	if len(near) == 1 {
		return near[0], nil
	}
	err := faultf(errUnknownRound, "you are in no round %q", name)
	if n := nearest(name, all); n != "" {
		return engine.Round{}, err.but("did you mean %s? /rounds lists the rounds", n)
	}
	return engine.Round{}, err
}
