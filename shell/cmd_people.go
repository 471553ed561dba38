package shell

import (
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

func peopleCommands() []command {
	return []command{
		{name: "peers", run: runPeers,
			help: "shows the links to others, and who is away"},
		{name: "members", run: runMembers,
			help: "lists who is in this round"},
		{name: "ignore", args: "[HANDLE] [yes|no]", max: 2, run: runIgnore, complete: names.ofPeople,
			help:    "hides what a member says from your screen",
			more:    "It goes for every round, on this device; with no they are shown again. Alone it lists whom you ignore.",
			example: "/ignore mallory"},
	}
}

func runPeers(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	peers, err := c.Peers(round.Tag)
	if err != nil {
		return err
	}
	members, err := c.Members(round.Tag)
	if err != nil {
		return err
	}
	t, linked := table{}, map[engine.Fingerprint]bool{}
	for _, p := range peers {
		linked[p.Person.Fingerprint] = true
		t.row(c.look.person(p.Person), term.CleanLine(string(p.State)), peerDetail(c, p), term.CleanLine(p.Address))
	}
	for _, m := range members {
		if !m.Own && !m.Left && !linked[m.Fingerprint] {
			t.row(c.look.person(m.Person), term.Literal("offline"), seen(c.look, m.Seen))
		}
	}
	if t.empty() {
		c.say(term.Literal("there is nobody else in this round yet: /invite prints what lets others in"))
	}
	c.say(t.lines()...)
	return nil
}

// peerDetail is the most telling thing about a link.
func peerDetail(c *call, p engine.Peer) term.Text {
	switch {
	case p.Problem != "":
		return term.CleanLine(redact(p.Problem))
	case p.Behind > 0:
		return term.Sprintf("lacks %s", count(p.Behind, "block"))
	case p.RTT > 0:
		return term.Sprintf("%s", p.RTT.Round(100*time.Microsecond))
	case !p.Since.IsZero():
		return term.Sprintf("since %s", c.look.clock(p.Since))
	}
	return term.Text{}
}

func seen(l look, t time.Time) term.Text {
	if t.IsZero() {
		return term.Literal("not seen yet")
	}
	return term.Sprintf("last seen %s", l.when(t))
}

// presence tells whether somebody is here.
func presence(l look, m engine.Member) term.Text {
	switch {
	case m.Own:
		return term.Literal("you")
	case m.Left:
		return term.Literal("left")
	case m.Online:
		return term.Literal("online")
	}
	return seen(l, m.Seen)
}

func runMembers(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	members, err := c.Members(round.Tag)
	if err != nil {
		return err
	}
	t := table{}
	for _, m := range members {
		devices := term.Text{}
		if len(m.Devices) > 1 {
			devices = count(len(m.Devices), "device")
		}
		verified := term.Text{}
		if m.Verified {
			verified = term.Literal("verified")
		}
		t.row(c.look.person(m.Person), presence(c.look, m), term.CleanLine(m.Fingerprint.String()), devices, verified)
	}
	c.say(t.lines()...)
	return nil
}

func runIgnore(c *call) error {
	if len(c.args) == 0 {
		return listIgnored(c)
	}
	round, m, err := findMember(c, c.args[0])
	if err != nil {
		return err
	}
	yes := true
	if len(c.args) == 2 {
		if yes, err = yesOrNo(c.args[1]); err != nil {
			return err
		}
	}
	if m.Own {
		return faultf(errUnknownMember, "%q is you", c.args[0]).but("name somebody else")
	}
	if err := c.Ignore(round.Tag, m.Fingerprint, yes); err != nil {
		return err
	}
	if yes {
		c.say(term.Sprintf("what %s says is not shown; /ignore %s no shows it again", c.look.person(m.Person), m.Name))
	} else {
		c.say(term.Sprintf("what %s says from now on is shown; /history shows the rest", c.look.person(m.Person)))
	}
	return nil
}

func listIgnored(c *call) error {
	rounds, err := c.Rounds()
	if err != nil {
		return err
	}
	t, listed := table{}, map[engine.Fingerprint]bool{}
	for _, r := range rounds {
		members, err := c.Members(r.Tag)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Ignored && !listed[m.Fingerprint] {
				listed[m.Fingerprint] = true
				t.row(c.look.person(m.Person), term.CleanLine(m.Fingerprint.String()))
			}
		}
	}
	if t.empty() {
		c.say(term.Literal("you ignore nobody"))
	}
	c.say(t.lines()...)
	return nil
}

func yesOrNo(arg string) (bool, error) {
	if arg != "yes" && arg != "no" {
		return false, faultf(errValue, "%q is neither yes nor no", arg)
	}
	return arg == "yes", nil
}
