package main

import (
	"context"
	"slices"
	"strings"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// command is what a client may ask for.
type command struct {
	min   int  // parameters
	early bool // also before the client has said who it is
	run   func(c *session, r request)
	// between: clients ask this by themselves, also between the parts of a message.
	between bool
}

var commands map[string]command

func init() {
	nothing := func(*session, request) {}
	commands = map[string]command{
		"AUTHENTICATE": {1, true, (*session).authenticate, false},

		"CAP":  {1, true, (*session).capability, false},
		"PASS": {1, true, (*session).pass, false},
		"NICK": {0, true, (*session).changeNick, false},
		"USER": {4, true, (*session).user, false},
		"PING": {1, true, (*session).ping, true},
		"PONG": {0, true, nothing, true},
		"QUIT": {0, true, func(c *session, r request) { c.end("Closing link: you have quit") }, false},

		"JOIN":  {1, false, (*session).joinAll, false},
		"PART":  {1, false, (*session).partAll, false},
		"TOPIC": {1, false, (*session).changeTopic, false},
		"NAMES": {0, false, (*session).listNames, true},
		"LIST":  {0, false, (*session).list, true},
		"MODE":  {1, false, (*session).mode, true},

		"PRIVMSG":     {0, false, (*session).privmsg, true},
		"NOTICE":      {0, false, (*session).privmsg, false},
		"TAGMSG":      {0, false, nothing, true},
		"CHATHISTORY": {0, false, (*session).history, false},

		"WHO":      {0, false, (*session).who, true},
		"WHOIS":    {1, false, (*session).whois, true},
		"WHOWAS":   {1, false, (*session).whowas, true},
		"ISON":     {0, false, (*session).isOn, true},
		"USERHOST": {0, false, (*session).userHost, true},

		"AWAY":    {0, false, (*session).setAway, false},
		"MOTD":    {0, false, func(c *session, _ request) { c.reply("422", "There is no message of the day") }, true},
		"LUSERS":  {0, false, func(c *session, _ request) { c.reply("251", "Everybody is a server here, and nobody") }, true},
		"VERSION": {0, false, func(c *session, _ request) { c.reply("351", "opentalk", serverName, "a face of opentalk") }, true},
	}
}

func (c *session) ping(r request) { c.send(serverName, "PONG", serverName, clean(r.Params[0])) }

func (c *session) user(r request) {
	if c.registered {
		c.reply("462", "You have registered already")
		return
	}
	c.client = clientOf(r.Params[0])
	c.welcome()
}

func (c *session) capability(r request) {
	switch sub := strings.ToUpper(r.Params[0]); sub {
	case "LS", "REQ":
		c.negotiating = !c.registered
		if sub == "LS" {
			c.send(serverName, "CAP", c.target(), "LS", strings.Join(capabilities, " "))
			return
		}
		c.request(r.param(1))
	case "LIST":
		var have []string
		for _, name := range capabilities {
			if c.caps[name] {
				have = append(have, name)
			}
		}
		c.send(serverName, "CAP", c.target(), "LIST", strings.Join(have, " "))
	case "END":
		c.negotiating = false
		c.welcome()
	default:
		c.reply("410", quote(sub), "Invalid CAP command")
	}
}

// request takes all of what is asked for, or nothing.
func (c *session) request(list string) {
	names := strings.Fields(list)
	for _, name := range names {
		if !slices.Contains(capabilities, strings.TrimPrefix(name, "-")) {
			c.send(serverName, "CAP", c.target(), "NAK", clean(list))
			return
		}
	}
	for _, name := range names {
		bare, off := strings.CutPrefix(name, "-")
		c.caps[bare] = !off
	}
	c.send(serverName, "CAP", c.target(), "ACK", list)
}

func (c *session) target() string {
	if c.registered {
		return c.nick()
	}
	return "*"
}

// setAway answers as is expected; the chat has no such state.
func (c *session) setAway(r request) {
	if r.param(0) != "" {
		c.reply("306", "You are marked as being away, for this client only")
		return
	}
	c.reply("305", "You are no longer marked as being away")
}

// ---- people ----

// known returns what is known of whoever has a nick, from the first round that they are in.
func (s *server) known(nick string) (m hook.Member, channels []string) {
	id := s.nicks.id(nick)
	for _, tag := range s.tags() {
		if in := s.rounds[tag].members[id]; in != nil {
			if m.Fingerprint == "" || in.Online {
				m = *in
			}
			channels = append(channels, s.channel(tag))
		}
	}
	if m.Fingerprint == "" && id != "" && id == s.me.Fingerprint {
		m.Person = hook.Person{Handle: s.me.Handle, Fingerprint: id, Own: true}
	}
	m.Online = m.Online || m.Own
	return m, channels
}

// whois asks the chat before it tells: that a fingerprint was compared is no event.
func (c *session) whois(r request) {
	nick := r.Params[len(r.Params)-1] // the server that may be named first is this one
	id := c.nicks.id(nick)
	tags := slices.DeleteFunc(c.tags(), func(tag string) bool { return c.rounds[tag].members[id] == nil })
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		now := map[string][]hook.Member{}
		for _, tag := range tags {
			now[tag], _ = chat.Members(ctx, tag) // what is known is told otherwise
		}
		return func() {
			for tag, members := range now {
				if r := c.rounds[tag]; r != nil {
					for _, m := range members {
						c.member(r, m)
					}
				}
			}
			c.tellWhois(nick)
		}
	})
}

func (c *session) tellWhois(nick string) {
	m, channels := c.known(nick)
	if m.Fingerprint == "" {
		c.reply("401", quote(nick), "Nobody here is called so")
		c.reply("318", quote(nick), "End of WHOIS")
		return
	}
	nick = c.nicks.by[m.Fingerprint].Name
	c.reply("311", nick, "id", host(m.Fingerprint), "*", oneLine(m.Handle))
	if len(channels) > 0 {
		for _, part := range wrap(strings.Join(channels, " "), ircLine/2) {
			c.reply("319", nick, part)
		}
	}
	c.reply("312", nick, serverName, "opentalk")
	if !m.Online {
		text := "is offline"
		if !m.Seen.IsZero() {
			text += ", was last seen here " + m.Seen.Format("2006-01-02 15:04")
		}
		c.reply("301", nick, text)
	}
	c.reply("330", nick, m.Fingerprint, "is the identity")
	switch {
	case m.Own:
		c.reply("320", nick, "is you")
	case m.Verified:
		c.reply("320", nick, "is verified: you have compared the fingerprint")
	default:
		c.reply("320", nick, "is not verified: /verify in the chat shows words to compare")
	}
	c.reply("318", nick, "End of WHOIS")
}

func (c *session) whowas(r request) {
	c.reply("406", quote(r.Params[0]), "Nobody is remembered who was called so")
	c.reply("369", quote(r.Params[0]), "End of WHOWAS")
}

func (c *session) who(r request) {
	mask := r.param(0)
	if round := c.find(mask); round != nil {
		for _, m := range c.sorted(round) {
			c.whoReply(c.channel(round.Tag), *m)
		}
	} else if m, channels := c.known(mask); m.Fingerprint != "" {
		c.whoReply(append(channels, "*")[0], m)
	}
	c.reply("315", quote(mask), "End of WHO")
}

func (c *session) whoReply(channel string, m hook.Member) {
	flags := "G"
	if m.Online || m.Own {
		flags = "H"
	}
	if m.Verified {
		flags += "+"
	}
	c.reply("352", channel, "id", host(m.Fingerprint), serverName, c.nickOf(m.Person), flags, "0 "+oneLine(m.Handle))
}

func (c *session) isOn(r request) {
	var on []string
	for _, nick := range strings.Fields(strings.Join(r.Params, " ")) {
		if m, _ := c.known(nick); m.Online {
			on = append(on, c.nickOf(m.Person))
		}
	}
	c.reply("303", strings.Join(on, " "))
}

func (c *session) userHost(r request) {
	var all []string
	for _, nick := range r.Params[:min(5, len(r.Params))] {
		if m, _ := c.known(nick); m.Fingerprint != "" {
			here := "-"
			if m.Online {
				here = "+"
			}
			all = append(all, c.nickOf(m.Person)+"="+here+"id@"+host(m.Fingerprint))
		}
	}
	c.reply("302", strings.Join(all, " "))
}
