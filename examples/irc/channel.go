package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

const invitePrefix = "opentalk:"

// joinAll takes the names of rounds, and invites. Clients put a "#" before what they take for the name of a channel, and some
// cut it, so that an invite may also be the key of a channel of any name.
func (c *session) joinAll(r request) {
	names, keys := strings.Split(r.Params[0], ","), strings.Split(r.param(1), ",")
	for i, name := range names[:min(len(names), maxJoins)] {
		invite := strings.TrimLeft(name, "#")
		if i < len(keys) && strings.HasPrefix(keys[i], invitePrefix) {
			invite = keys[i]
		}
		round := c.find(name)
		switch {
		case strings.HasPrefix(strings.ToLower(invite), invitePrefix):
			c.accept(word(name), invite)
		case round != nil:
			c.hide(round.Tag, false)
			c.enter(round.Tag)
		default:
			c.reply("403", quote(name), "You are in no such round; to enter one, /join INVITE, which a member gives you")
		}
	}
}

// accept enters the round of an invite, by the name that the client shows: the person may have another for rounds to come. The
// client, for which a channel of another name is open, is told how it is called.
func (c *session) accept(name, invite string) {
	handle, _, _ := strings.Cut(c.me.Handle, "~") // without what tells two apart in another round
	before := c.tags()
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		round, err := chat.Join(ctx, invite)
		if err == nil && round.Handle != handle && !slices.Contains(before, round.Tag) {
			if err := chat.SetNick(ctx, round.Tag, handle); err != nil {
				c.log.Warn("taking the name in a new round", "error", err)
			}
		}
		return func() {
			if err != nil {
				c.refused("403", name, err)
				return
			}
			c.reply("470", name, c.channels.give(round.Tag, channelOf(round.Name)), "This is what the round is called")
			c.hide(round.Tag, false)
			if c.rounds[round.Tag] == nil {
				c.refresh(round.Tag) // whoever is here looks at it then
			} else {
				c.enter(round.Tag)
			}
		}
	})
}

// enter has the client look at a round: it gets what it has missed there, and from then on what happens. While it begins it does
// not: it will look at all that there are then.
func (c *session) enter(tag string) {
	if c.beginning || c.views[tag] != nil || c.hidden[tag] {
		return
	}
	v := &view{joining: true}
	c.views[tag] = v
	remember := !c.caps["draft/chathistory"] // otherwise it remembers by itself, and asks
	key, first := c.seenKey(tag), c.settings.History
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		p := newPast(tag)
		var err error
		if remember {
			err = chat.Load(ctx, key, p.seen)
		} else {
			first = 0
		}
		if err == nil {
			err = p.read(ctx, chat, first)
		}
		return func() {
			r := c.rounds[tag]
			if c.views[tag] != v || r == nil {
				return
			}
			v.joining, v.seen, v.keep = false, p.seen, remember
			c.join(r, c.me.Fingerprint)
			c.describe(r)
			if err != nil {
				c.notice(c.channel(tag), "the history cannot be read: "+err.Error())
			}
			c.play(tag, p)
			c.unhold(v)
		}
	})
}

// unhold shows what came while the past was read.
func (c *session) unhold(v *view) {
	held := v.held
	v.held = nil
	for _, h := range held {
		c.hear(h.message, h.state)
	}
}

// join tells that somebody has come into a round.
func (c *session) join(r *round, fingerprint string) {
	m, channel := r.members[fingerprint], c.channel(r.Tag)
	switch {
	case c.caps["extended-join"] && m != nil:
		c.sendFrom(fingerprint, "JOIN", channel, fingerprint, oneLine(m.Handle))
	case c.caps["extended-join"]:
		c.sendFrom(fingerprint, "JOIN", channel, fingerprint, "*")
	default:
		c.sendFrom(fingerprint, "JOIN", channel)
	}
	if m != nil && !m.Own {
		c.differ(r, &hook.Member{Online: true}, m)
	}
}

// differ tells what is new of a member.
func (c *session) differ(r *round, was, now *hook.Member) {
	if was.Verified != now.Verified {
		mode := "-v"
		if now.Verified {
			mode = "+v"
		}
		c.send(serverName, "MODE", c.channel(r.Tag), mode, c.nickOf(now.Person))
	}
	if was.Online != now.Online && !now.Own && c.caps["away-notify"] {
		if now.Online {
			c.sendFrom(now.Fingerprint, "AWAY")
		} else {
			c.sendFrom(now.Fingerprint, "AWAY", "offline")
		}
	}
}

// sees reports whether somebody is in a round that the client looks at.
func (c *session) sees(fingerprint string) bool {
	for tag, v := range c.views {
		if r := c.rounds[tag]; r != nil && !v.joining && r.members[fingerprint] != nil {
			return true
		}
	}
	return false
}

// describe tells the topic and the members of a round.
func (c *session) describe(r *round) {
	c.tellTopic(r)
	c.names(r)
}

func (c *session) tellTopic(r *round) {
	if r.Topic == "" {
		return
	}
	c.reply("332", c.channel(r.Tag), oneLine(r.Topic))
	if r.by != "" {
		c.reply("333", c.channel(r.Tag), r.by, fmt.Sprint(r.set.Unix()))
	}
}

// sorted lists the members of a round by their nicks.
func (s *server) sorted(r *round) []*hook.Member {
	var all []*hook.Member
	for _, m := range r.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *hook.Member) int {
		return strings.Compare(fold(s.nickOf(a.Person)), fold(s.nickOf(b.Person)))
	})
	return all
}

func (c *session) names(r *round) {
	var nicks []string
	for _, m := range c.sorted(r) {
		nick := c.nickOf(m.Person)
		if m.Verified {
			nick = "+" + nick
		}
		nicks = append(nicks, nick)
	}
	channel := c.channel(r.Tag)
	for _, part := range wrap(strings.Join(nicks, " "), ircLine/2) {
		c.reply("353", "=", channel, part)
	}
	c.reply("366", channel, "End of NAMES")
}

func (c *session) listNames(r request) {
	for name := range strings.SplitSeq(r.param(0), ",") {
		if round := c.find(name); round != nil {
			c.names(round)
		} else {
			c.reply("366", quote(name), "End of NAMES")
		}
	}
}

// partAll takes rounds out of the client's sight. The person stays in them: only the chat itself leaves a round.
func (c *session) partAll(r request) {
	for name := range strings.SplitSeq(r.Params[0], ",") {
		round := c.find(name)
		switch {
		case round == nil:
			c.reply("403", quote(name), "You are in no such round")
		case c.views[round.Tag] == nil:
			c.reply("442", c.channel(round.Tag), "You do not look at that round")
		default:
			c.save()
			c.sendFrom(c.me.Fingerprint, "PART", c.channel(round.Tag), "hidden here; you are still in the round")
			delete(c.views, round.Tag)
			c.hide(round.Tag, true)
		}
	}
}

func (c *session) changeTopic(r request) {
	round := c.find(r.Params[0])
	switch {
	case round == nil:
		c.reply("403", quote(r.Params[0]), "You are in no such round")
	case len(r.Params) > 1:
		topic := typed(r.Params[1])
		c.do(func(ctx context.Context, chat *sdk.Host) func() {
			err := chat.SetTopic(ctx, round.Tag, topic)
			return func() {
				if err != nil {
					c.refused("482", c.channel(round.Tag), err)
				}
			}
		})
	case round.Topic == "":
		c.reply("331", c.channel(round.Tag), "No topic is set")
	default:
		c.tellTopic(round)
	}
}

// changeNick changes the own handle in every round. The first one of a client is what its settings happen to say, and
// changes nothing.
func (c *session) changeNick(r request) {
	wanted := clean(r.param(0))
	switch {
	case wanted == "":
		c.reply("431", "No nick is given")
	case !c.registered:
		c.nickGiven = true
		c.welcome()
	case wanted == c.nick():
	case len(c.rounds) == 0:
		c.reply("432", quote(wanted), "You are in no round; set your name for new ones with --handle")
	default:
		tags := c.tags()
		c.do(func(ctx context.Context, chat *sdk.Host) func() {
			var err error
			for _, tag := range tags {
				if err = chat.SetNick(ctx, tag, wanted); err != nil {
					break
				}
			}
			return func() {
				if err != nil {
					c.refused("432", quote(wanted), err)
				}
			}
		})
	}
}

func (c *session) list(r request) {
	only := r.param(0)
	c.reply("321", "Channel", "Users  Name")
	for _, tag := range c.tags() {
		if round := c.rounds[tag]; only == "" || slices.Contains(strings.Split(fold(only), ","), fold(c.channel(tag))) {
			c.reply("322", c.channel(tag), fmt.Sprint(len(round.members)), oneLine(round.Topic))
		}
	}
	c.reply("323", "End of LIST")
}

// mode answers questions; there is nothing that could be set.
func (c *session) mode(r request) {
	name, what := r.Params[0], strings.TrimLeft(r.param(1), "+")
	round := c.find(name)
	switch {
	case fold(name) == fold(c.nick()):
		if what == "" {
			c.reply("221", "+i")
		}
	case round == nil:
		c.reply("403", quote(name), "You are in no such round")
	case what == "":
		c.reply("324", c.channel(round.Tag), "+ns")
	case what == "b":
		c.reply("368", c.channel(round.Tag), "End of the list of bans")
	default:
		c.reply("482", c.channel(round.Tag), "A round has no operators and no modes")
	}
}
