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
			help: "lists who is in this round, with their fingerprints"},
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
