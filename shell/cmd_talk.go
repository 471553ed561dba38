package shell

import (
	"opentalk/engine"
	"opentalk/shell/term"
)

func talkCommands() []command {
	return []command{
		{name: "send", args: "TEXT", min: 1, max: 1, text: true, run: runSend,
			help: "sends a message",
			more: "A line without a slash does the same.", example: "/send hello"},
		{name: "me", args: "TEXT", min: 1, max: 1, text: true, run: runMe,
			help: "tells what you do", example: "/me waves"},
		{name: "pending", run: runPending,
			help: "lists your messages that nobody else holds yet"},
	}
}

func runSend(c *call) error { return send(c, engine.Plain) }
func runMe(c *call) error   { return send(c, engine.Action) }

func send(c *call, form engine.Form) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	text, err := c.ext.outgoing(c, round, c.args[0], form)
	if err != nil {
		return err
	}
	c.Say(round.Tag, text, form, false, c.number)
	return nil
}

func runPending(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	pending, err := c.Pending(round.Tag)
	if err != nil {
		return err
	}
	if len(pending) == 0 {
		c.say(term.Literal("nothing waits: every message of yours is held by somebody"))
	}
	for _, p := range pending {
		note := stateNote(p.State)
		switch p.Kind {
		case engine.KindProfile:
			c.say(term.Concat(term.Sprintf("your new name: %s", p.Message.Text), note))
		case engine.KindTopic:
			c.say(term.Concat(term.Sprintf("a new topic: %s", p.Message.Text), note))
		default:
			c.say(c.look.message(p.Message, note))
		}
	}
	return nil
}

// stateNote is what is put behind an own message that nobody holds yet.
func stateNote(s engine.State) term.Text {
	switch s {
	case engine.Waiting:
		return dim(term.Literal("  (waiting: nobody online)"))
	case engine.Failed:
		return dim(term.Literal("  (not sent)"))
	}
	return dim(term.Literal("  (sent, held by nobody yet)"))
}
