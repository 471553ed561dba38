package shell

import (
	"slices"
	"strings"
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
		{name: "ignore", args: "[HANDLE] [yes|no]", max: 2, run: runIgnore, complete: []source{names.ofPeople, oneOf("yes", "no")},
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
	t, away := table{}, map[engine.Fingerprint]term.Text{}
	for _, m := range members {
		if !m.Own && !m.Left && !m.Online {
			away[m.Fingerprint] = seen(c.look, m.Seen)
		}
	}
	shown := map[engine.Fingerprint]bool{}
	for _, p := range peers {
		f := p.Person.Fingerprint
		shown[f] = true
		t.row(c.look.person(p.Person), term.CleanLine(string(p.State)), listed(roundTrip(p), lacks(p)), term.CleanLine(p.Address),
			listed(away[f], term.CleanLine(redact(p.Problem))))
	}
	for _, m := range members {
		if last, ok := away[m.Fingerprint]; ok && !shown[m.Fingerprint] {
			t.row(c.look.person(m.Person), term.Literal("offline"), term.Text{}, term.Text{}, last)
		}
	}
	if t.empty() {
		c.say(term.Literal("there is nobody else in this round yet: /invite prints what lets others in"))
	}
	c.say(t.lines()...)
	return nil
}

func roundTrip(p engine.Peer) term.Text {
	if p.State != engine.Online || p.RTT == 0 {
		return term.Text{}
	}
	return term.Sprintf("%s", p.RTT.Round(100*time.Microsecond))
}

// lacks tells how many blocks behind a peer is.
func lacks(p engine.Peer) term.Text {
	if p.State != engine.Online || p.Behind == 0 {
		return term.Text{}
	}
	return term.Sprintf("lacks %s", count(p.Behind, "block"))
}

// listed are those of parts that say something.
func listed(parts ...term.Text) term.Text {
	return term.Join(slices.DeleteFunc(parts, term.Text.Empty), term.Literal(", "))
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
	peers, err := c.Peers(round.Tag)
	if err != nil {
		return err
	}
	t := table{}
	for _, m := range members {
		t.row(c.look.person(m.Person), presence(c.look, m), key(c, m.Fingerprint), notes(m))
		if len(m.Devices) == 1 {
			continue
		}
		for _, d := range m.Devices {
			t.row(term.Sprintf("  device %s", d.Short()), deviceState(c, m, d, peers))
		}
	}
	c.say(t.lines()...)
	return nil
}

// shownWords of the words of a fingerprint tell members apart at a glance. To trust one takes all of them: /verify.
const shownWords = 4

// key is a fingerprint to tell members apart by: some words for people, all of it for programs.
func key(c *call, f engine.Fingerprint) term.Text {
	if !c.person {
		return term.CleanLine(f.String())
	}
	return term.CleanLine(strings.Join(f.Words()[:shownWords], " ") + " …")
}

// notes are what else there is to know of a member.
func notes(m engine.Member) term.Text {
	verified, ignored, forked := term.Text{}, term.Text{}, term.Text{}
	if m.Verified {
		verified = term.Literal("verified")
	}
	if m.Ignored {
		ignored = term.Literal("ignored")
	}
	if m.Forked {
		forked = term.Literal("has written two histories")
	}
	return listed(verified, ignored, forked)
}

func deviceState(c *call, m engine.Member, d engine.Device, peers []engine.Peer) term.Text {
	if m.Own && d == c.Self().Device {
		return term.Literal("this one")
	}
	for _, p := range peers {
		if p.Person.Device == d && p.State == engine.Online {
			return term.Literal("online")
		}
	}
	return term.Literal("not linked")
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
