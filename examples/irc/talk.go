package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// part is the beginning of a message that the client may have cut, because it was too long for a line.
type part struct {
	to    *round
	form  hook.Form
	text  string
	until time.Time
}

// privmsg says something in a round. IRC has lines of 512 bytes, and clients cut what is longer: a part that leaves hardly any
// room waits a moment for the next.
func (c *session) privmsg(r request) {
	if len(r.Params) < 2 || r.Params[1] == "" {
		c.flush()
		c.reply("412", "No text to send")
		return
	}
	text, form, ok := message(r.Params[1])
	to := c.find(r.Params[0])
	if to == nil || c.views[to.Tag] == nil || !ok || text == "" {
		c.flush()
		c.unsaid(r, to, ok)
		return
	}
	if r.Command == "NOTICE" {
		c.speak(to, text, form, false)
		return
	}
	if p := c.part; p != nil && p.to == to && p.form == form && len(p.text)+len(text) < hook.MaxText {
		text = p.text + glue(p.text) + text
	} else {
		c.flush()
	}
	c.part = &part{to: to, form: form, text: text, until: c.now().Add(joinTime)}
	if len(c.source(c.me.Fingerprint))+len(": \r\n")+r.size < ircLine-joinRoom || r.size > ircLine {
		c.flush()
	}
}

// message is what a client has written. CTCP other than ACTION asks a program something, and there is none.
func message(raw string) (text string, form hook.Form, ok bool) {
	ctcp, is := strings.CutPrefix(raw, "\x01")
	if !is {
		return typed(raw), hook.FormPlain, true
	}
	action, is := strings.CutPrefix(strings.TrimSuffix(ctcp, "\x01"), "ACTION ")
	return typed(action), hook.FormAction, is
}

// unsaid tells why something was not said. A NOTICE is never answered.
func (c *session) unsaid(r request, to *round, ok bool) {
	switch {
	case r.Command == "NOTICE", !ok:
	case to != nil && c.views[to.Tag] == nil:
		c.reply("404", c.channel(to.Tag), "You do not look at that round: /join it first")
	case to != nil:
		c.reply("412", "No text to send")
	case c.nicks.id(r.Params[0]) != "":
		c.reply("404", quote(r.Params[0]), "Rounds are all that there is: nobody can be written to alone")
	default:
		c.reply("401", quote(r.Params[0]), "No such round")
	}
}

// glue is what stood between two parts: some clients leave out the space at which they cut. A word is cut only if it is long.
func glue(before string) string {
	if !strings.HasSuffix(before, " ") && strings.Contains(before[max(0, len(before)-longWord):], " ") {
		return " "
	}
	return ""
}

// flushLate says what has waited long enough for its next part.
func (c *session) flushLate() {
	if c.part != nil && !c.now().Before(c.part.until) {
		c.flush()
	}
}

func (c *session) flush() {
	if p := c.part; p != nil {
		c.part = nil
		c.speak(p.to, p.text, p.form, true)
	}
}

// speak says something in a round: as what the person has typed, or as what a program has.
func (c *session) speak(to *round, text string, form hook.Form, person bool) {
	c.sending++
	out := hook.Outgoing{Round: to.Tag, Text: text, Form: form, Person: person}
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		id, err := send(ctx, chat, out)
		return func() {
			c.sending--
			if err != nil {
				c.refused("404", c.channel(to.Tag), fmt.Errorf("not sent: %w", err))
			} else {
				c.origins.add(id, c)
			}
			if err == nil && !person {
				c.server.sent(hook.SentEvent{State: hook.Sent, Message: hook.Message{ // the chat does not tell who has sent it
					ID: id, Round: to.Name, Tag: to.Tag, Text: text, Form: form, Auto: true, Written: c.now(), Live: true,
					From: hook.Person{Handle: to.Handle, Fingerprint: c.me.Fingerprint, Own: true},
				}})
			}
			c.unpark()
		}
	})
}

// send tries until the chat takes a message: it takes one a second if there are many.
func send(ctx context.Context, chat *sdk.Host, out hook.Outgoing) (hook.MessageID, error) {
	for {
		id, err := chat.SendMessage(ctx, out)
		if !errors.Is(err, &hook.Error{Code: hook.CodeTooMuch}) {
			return id, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return id, err
		}
	}
}

// hear shows a message, once.
func (c *session) hear(m hook.Message, state string) {
	v := c.views[m.Tag]
	switch {
	case v == nil:
	case v.joining:
		v.held = append(v.held, heard{m, state})
	case !v.seen.has(m.ID):
		c.show(m, state, "")
		c.note(m)
	}
}

// has reports whether the client was shown a message.
func (c *session) has(m hook.Message) bool {
	v := c.views[m.Tag]
	return v != nil && !v.joining && v.seen.has(m.ID)
}

// note takes note that the client knows a message.
func (c *session) note(m hook.Message) {
	if v := c.views[m.Tag]; v != nil && !v.joining {
		v.seen.add(m)
		v.dirty = true
	}
}

// show sends a message, a line of it at a time. state is that of an own one, batch where it belongs, either may be "".
func (c *session) show(m hook.Message, state, batch string) {
	c.nickOf(m.From) // one who has left, too
	source, channel := c.source(m.From.Fingerprint), c.channel(m.Tag)
	command, before, after := "PRIVMSG", c.age(m), ""
	switch {
	case m.Auto && m.Form == hook.FormAction:
		command, before = "NOTICE", before+"* "
	case m.Auto:
		command = "NOTICE"
	case m.Form == hook.FormAction:
		before, after = "\x01ACTION "+before, "\x01"
	}
	room := ircLine - len(source) - len(command) - len(channel) - len(before) - len(after) - len(":   :\r\n")
	first := true
	for _, line := range lines(m.Text) {
		for _, part := range wrap(line, room) {
			out := ircmsg.MakeMessage(c.messageTags(m, state, batch, first), source, command, channel, before+part+after)
			out.ForceTrailing()
			c.sendAs(out)
			first = false
		}
	}
}

// age is what stands before the text of a message that is not of now, for a client that could not tell.
func (c *session) age(m hook.Message) string {
	written := m.Written.In(c.now().Location())
	switch {
	case c.caps["server-time"], m.Live:
		return ""
	case written.Format(time.DateOnly) == c.now().Format(time.DateOnly):
		return written.Format("[15:04] ")
	}
	return written.Format("[2006-01-02 15:04] ")
}

// messageTags are those of a line of a message. Only the first has its id: no two lines may have the same.
func (c *session) messageTags(m hook.Message, state, batch string, first bool) map[string]string {
	tags := map[string]string{}
	if c.caps["server-time"] {
		tags["time"] = stamp(m.Written)
	}
	if c.caps["account-tag"] {
		tags["account"] = m.From.Fingerprint
	}
	if batch != "" {
		tags["batch"] = batch
	}
	if c.caps["message-tags"] && first {
		tags["msgid"] = string(m.ID)
		if state != "" {
			tags[stateTag] = state
		}
	}
	return tags
}

// stateTag tells how far an own message has come: waiting, sent, held:1/2.
const stateTag = "opentalk/state"

// state tells what has become of a message that the client was shown.
func (c *session) state(tag string, id hook.MessageID, state string) {
	v := c.views[tag]
	if !c.caps["message-tags"] || v == nil || v.joining || !v.seen.has(id) {
		return
	}
	tags := map[string]string{stateTag: state, "+draft/reply": string(id)}
	c.sendAs(ircmsg.MakeMessage(tags, c.source(c.me.Fingerprint), "TAGMSG", c.channel(tag)))
}

// openBatch begins lines that belong together, and returns what they are to be marked with: "" for a client that knows no such
// thing.
func (c *session) openBatch(kind string, params ...string) string {
	if !c.caps["batch"] {
		return ""
	}
	c.batches++
	ref := fmt.Sprint("b", c.batches)
	c.send(serverName, "BATCH", append([]string{"+" + ref, kind}, params...)...)
	return ref
}

func (c *session) closeBatch(ref string) {
	if ref != "" {
		c.send(serverName, "BATCH", "-"+ref)
	}
}
