package shell

import (
	"errors"
	"strings"

	"opentalk/engine"
	"opentalk/plugins/hook"
	"opentalk/shell/term"
)

// noTopic is what takes the topic of a round away.
const noTopic = "-"

func changeCommands() []command {
	return []command{
		{name: "nick", args: "NAME", min: 1, max: 1, run: runNick,
			help: "changes your name in this round",
			more: "What you are called in rounds to come is /set handle.", example: "/nick robert"},
		{name: "topic", args: "[TEXT]", max: 1, text: true, run: runTopic,
			help: "tells the topic of this round, or changes it",
			more: "With - there is none any more.", example: "/topic what to eat tonight"},
		{name: "leave", args: "[yes]", max: 1, run: runLeave, complete: []source{oneOf("yes")},
			help: "leaves this round for good",
			more: "Its history here is deleted, and what waits in it. Whoever types is asked first, and says so with yes."},
	}
}

func runNick(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	state, err := c.Rename(round.Tag, c.args[0])
	c.sayIfWaits(state)
	return err
}

func runTopic(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	if len(c.args) == 0 {
		if round.Topic == "" {
			c.say(term.Literal("this round has no topic: /topic TEXT gives it one"))
			return nil
		}
		c.say(term.CleanLine(round.Topic))
		return nil
	}
	topic := c.args[0]
	if topic == noTopic {
		topic = ""
	}
	state, err := c.SetTopic(round.Tag, topic)
	c.sayIfWaits(state)
	return err
}

func (c *call) sayIfWaits(s engine.State) {
	if s == engine.Waiting {
		c.say(dim(term.Literal("(waiting: it is told when somebody is online)")))
	}
}

func runLeave(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	sure := !c.person
	if len(c.args) > 0 {
		if sure, err = yesOrNo(c.args[0]); err != nil {
			return err
		}
	}
	if !sure {
		c.say(term.Sprintf("/leave yes leaves %s for good, and deletes its history here and what waits", term.CleanLine(round.Name)))
		return nil
	}
	told, err := c.Leave(c, round.Tag)
	if err != nil {
		return err
	}
	c.say(term.Sprintf("you have left %s", round.Name))
	if !told {
		c.say(term.Literal("nobody was online to be told: the others go on counting you"))
	}
	c.then = func(s *Shell) { s.left(round) }
	return nil
}

// left takes a round out, and goes to another if it was the current one.
func (s *Shell) left(round engine.Round) {
	s.ext.observe(hook.RoundEvent{Round: s.book.hookRound(round), Change: hook.Left})
	s.book.left(round.Tag)
	if s.book.current != round.Tag {
		return
	}
	s.book.inRound = false
	next, found := engine.Round{}, false
	for _, r := range s.book.rounds {
		if !found || r.Name < next.Name {
			next, found = r, true
		}
	}
	if found {
		if !s.person { // a person sees it
			s.view.notice(term.Sprintf("you are in %s now", next.Name))
		}
		s.enter(next, term.Text{})
	}
	s.view.changed()
}

// findMember returns the member of that name, whatever the case if only one fits, or of that fingerprint.
func findMember(c *call, name string) (engine.Round, engine.Member, error) {
	round, err := c.current()
	if err != nil {
		return round, engine.Member{}, err
	}
	members, err := c.Members(round.Tag)
	if err != nil {
		return round, engine.Member{}, err
	}
	var near []engine.Member
	var all []string
	for _, m := range members {
		shown := term.CleanHandle(m.Name).String()
		switch {
		case m.Name == name, shown == name, m.Fingerprint.String() == name:
			return round, m, nil
		case strings.EqualFold(shown, name):
			near = append(near, m)
		}
		all = append(all, shown)
	}
	if len(near) == 1 {
		return round, near[0], nil
	}
	fault := faultf(errUnknownMember, "nobody in %s is called %q", round.Name, name)
	if n := nearest(name, all); n != "" {
		return round, engine.Member{}, fault.but("did you mean %s? /members lists who is here", n)
	}
	return round, engine.Member{}, fault
}

var errUnknownMember = errors.New("unknown member")
