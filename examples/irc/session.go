package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// session is one client. What it is sent goes to write, a line at a time with its end, until close, which takes the reason.
type session struct {
	*server
	write func(line []byte)
	close func(why string)

	nickGiven, authenticating, passed, negotiating, registered, closed bool
	// beginning: it is not known yet which rounds it looks at.
	beginning bool

	client  string // what it calls itself: where it has been is remembered by this
	caps    map[string]bool
	hidden  map[string]bool // rounds that it has left, and the person has not
	views   map[string]*view
	part    *part // of a message that may go on
	batches int

	jobs   []work
	busy   bool
	resume chan struct{} // closed when there is room for jobs again
}

// view is a round as a client looks at it.
type view struct {
	joining bool // its past is being asked for, and what is said meanwhile waits in held
	held    []heard
	seen    *seen
	keep    bool // what was seen is written down, for when the client comes again
	dirty   bool // it is not yet
}

type heard struct {
	message hook.Message
	state   string
}

// capabilities that a client may ask for.
var capabilities = []string{
	"account-tag", "away-notify", "batch", "draft/chathistory", "echo-message", "extended-join", "message-tags", "sasl", "server-time",
}

// connect begins a session.
func (s *server) connect(write func([]byte), close func(string)) *session {
	return &session{
		server: s, write: write, close: close, passed: s.password == "",
		caps: map[string]bool{}, hidden: map[string]bool{}, views: map[string]*view{},
	}
}

// disconnect ends it. What it has sent is still said.
func (c *session) disconnect() {
	c.flush()
	c.save()
	c.closed = true
	c.sessions = slices.DeleteFunc(c.sessions, func(o *session) bool { return o == c })
	c.wake()
}

// end has the client go, with a last line that says why.
func (c *session) end(why string) {
	if !c.closed {
		c.sendAs(ircmsg.MakeMessage(nil, "", "ERROR", why))
		c.close(why)
		c.disconnect()
	}
}

// line takes one from the client, without its end.
func (c *session) line(line string) {
	if c.closed || strings.Trim(line, " \r\n") == "" {
		return
	}
	m, err := ircmsg.ParseLineStrict(line, true, maxLine)
	switch {
	case errors.Is(err, ircmsg.ErrorBodyTooLong), errors.Is(err, ircmsg.ErrorTagsTooLong):
		c.reply("417", "The line is too long")
		return
	case err != nil:
		return // it is no line of IRC, and there is nothing to answer to
	}
	name := strings.ToUpper(m.Command)
	if !c.registered && browser(name) {
		c.end("This is no web server") // and no page that somebody looks at may talk to it
		return
	}
	if line[0] == '@' {
		_, line, _ = strings.Cut(line, " ")
	}
	m.Command = name
	c.dispatch(m, len(line))
}

func (c *session) dispatch(m ircmsg.Message, size int) {
	name := m.Command
	cmd, known := commands[name]
	if !cmd.between {
		c.flush()
	}
	switch {
	case !c.registered && !cmd.early:
		c.reply("451", "You have not registered")
	case !known:
		c.reply("421", quote(name), "Unknown command")
	case len(m.Params) < cmd.min:
		c.reply("461", name, "Not enough parameters")
	default:
		cmd.run(c, request{Message: m, size: size})
	}
}

// browser reports whether a command is one of HTTP.
func browser(name string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}, name)
}

// request is a line of a client that is long enough for its command.
type request struct {
	ircmsg.Message
	size int // of the line without its tags, in bytes
}

// param returns a parameter, "" if there is none.
func (r request) param(n int) string {
	if n >= len(r.Params) {
		return ""
	}
	return r.Params[n]
}

// ---- what the client is sent ----

func (c *session) sendAs(m ircmsg.Message) {
	line, err := m.LineBytesStrict(false, ircLine)
	if err != nil && !errors.Is(err, ircmsg.ErrorBodyTooLong) {
		c.log.Error("making a line", "command", m.Command, "error", err)
		return
	}
	if !c.closed {
		c.write(line)
	}
}

func (c *session) send(source, command string, params ...string) {
	c.sendAs(ircmsg.MakeMessage(nil, source, command, params...))
}

// sendFrom sends what somebody does.
func (c *session) sendFrom(fingerprint, command string, params ...string) {
	m := ircmsg.MakeMessage(nil, c.source(fingerprint), command, params...)
	if c.caps["account-tag"] {
		m.SetTag("account", fingerprint)
	}
	c.sendAs(m)
}

// reply sends a numeric, whose last parameter is a text.
func (c *session) reply(code string, params ...string) {
	to := "*"
	if c.registered {
		to = c.nick()
	}
	m := ircmsg.MakeMessage(nil, serverName, code, append([]string{to}, params...)...)
	m.ForceTrailing()
	c.sendAs(m)
}

// notice tells something in a channel, or the client itself.
func (c *session) notice(to, text string) {
	for _, line := range lines(text) {
		for _, part := range wrap(line, ircLine-len(serverName)-len(to)-len(": NOTICE  :\r\n")) {
			c.send(serverName, "NOTICE", to, part)
		}
	}
}

// refused tells that the chat has not done something.
func (c *session) refused(code, about string, err error) {
	text := err.Error()
	var e *hook.Error
	if errors.As(err, &e) && e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	c.reply(code, about, oneLine(text))
}

// ---- what the chat is asked ----

// do has work done after all that this client has asked for before.
func (c *session) do(w work) {
	c.jobs = append(c.jobs, w)
	if !c.busy {
		c.next()
	}
}

func (c *session) next() {
	if len(c.jobs) <= maxJobs/2 && !c.beginning {
		c.wake()
	}
	if len(c.jobs) == 0 {
		return
	}
	w := c.jobs[0]
	c.jobs, c.busy = c.jobs[1:], true
	c.ask(func(ctx context.Context, chat *sdk.Host) func() {
		then := w(ctx, chat)
		return func() {
			then()
			c.busy = false
			c.next()
		}
	})
}

// pause returns what is closed when lines may be taken from the client again, nil if they may now. What a client has to say at
// once when it is let in waits until it looks at its rounds.
func (c *session) pause() <-chan struct{} {
	if len(c.jobs) < maxJobs && !c.beginning || c.closed {
		return nil
	}
	if c.resume == nil {
		c.resume = make(chan struct{})
	}
	return c.resume
}

func (c *session) wake() {
	if c.resume != nil {
		close(c.resume)
		c.resume = nil
	}
}

// ---- registration ----

// welcome lets the client in, if it has said all that is needed.
func (c *session) welcome() {
	if c.registered || c.negotiating || !c.nickGiven || c.client == "" {
		return
	}
	if !c.passed {
		c.turnAway("464")
		return
	}
	c.registered = true
	c.sessions = append(c.sessions, c)
	c.reply("001", "Welcome to opentalk, "+c.nick())
	c.reply("002", "This is your own chat, on your own machine")
	c.reply("003", "There is no server")
	m := ircmsg.MakeMessage(nil, serverName, "004", c.nick(), serverName, "opentalk", "i", "nstv", "v")
	c.sendAs(m)
	c.reply("005", "CASEMAPPING=ascii", "CHANTYPES=#", "CHANMODES=,,,nst", "PREFIX=(v)+", "NETWORK=opentalk",
		fmt.Sprint("NICKLEN=", maxNick), fmt.Sprint("CHANNELLEN=", maxChannel), fmt.Sprint("LINELEN=", maxLine), "UTF8ONLY",
		fmt.Sprint("CHATHISTORY=", maxPage), "MSGREFTYPES=timestamp,msgid", "are supported here")
	c.reply("422", "There is no message of the day")
	c.reply("221", "+i")
	c.begin()
}

// begin has the client look at every round that it has not left.
func (c *session) begin() {
	key := "client/" + c.client
	c.beginning = true
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		var hidden []string
		err := chat.Load(ctx, key, &hidden)
		return func() {
			if err != nil {
				c.log.Warn("reading what a client looks at", "error", err)
			}
			for _, tag := range hidden {
				c.hidden[tag] = true
			}
			c.beginning = false
			for _, tag := range c.tags() {
				if !c.hidden[tag] {
					c.enter(tag)
				}
			}
		}
	})
}

// hide takes note of whether the client wants to see a round when it comes again.
func (c *session) hide(tag string, hidden bool) {
	if c.hidden[tag] == hidden {
		return
	}
	c.hidden[tag] = hidden
	maps.DeleteFunc(c.hidden, func(tag string, hidden bool) bool { return !hidden || c.rounds[tag] == nil })
	key, all := "client/"+c.client, slices.Sorted(maps.Keys(c.hidden))
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		err := chat.Save(ctx, key, all)
		return func() {
			if err != nil {
				c.log.Warn("keeping what a client looks at", "error", err)
			}
		}
	})
}

// stamp writes a time as server-time has it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
