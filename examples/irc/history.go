package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// spot is a place in a history as clients name it: by a message, by a time, or "*" for the end.
type spot struct {
	id  hook.MessageID
	at  time.Time
	end bool
}

func parseSpot(s string) (spot, bool) {
	kind, value, _ := strings.Cut(s, "=")
	switch kind {
	case "*":
		return spot{end: true}, value == ""
	case "msgid":
		return spot{id: hook.MessageID(value)}, value != ""
	case "timestamp":
		at, err := time.Parse(time.RFC3339, value)
		return spot{at: at}, err == nil
	}
	return spot{}, false
}

// history answers CHATHISTORY.
func (c *session) history(r request) {
	sub := strings.ToUpper(r.param(0))
	first, ok1 := parseSpot(r.param(2))
	second, ok2 := spot{}, true
	limit := r.param(3)
	switch sub {
	case "LATEST":
	case "BEFORE", "AFTER":
		ok1 = ok1 && !first.end
	case "BETWEEN":
		second, ok2 = parseSpot(r.param(3))
		ok1, ok2, limit = ok1 && !first.end, ok2 && !second.end, r.param(4)
	case "TARGETS":
		c.targets(r)
		return
	default:
		c.fail("INVALID_PARAMS", "There is no such question", quote(sub))
		return
	}
	n, err := strconv.Atoi(limit)
	round := c.find(r.param(1))
	switch {
	case !ok1 || !ok2 || err != nil || n < 1:
		c.fail("INVALID_PARAMS", "That is no place in a history, or no number", sub)
	case round == nil:
		c.fail("INVALID_TARGET", "You are in no such round", sub, quote(r.param(1)))
	default:
		c.read(round.Tag, sub, first, second, min(n, maxPage))
	}
}

func (c *session) fail(code, text string, params ...string) {
	all := append([]string{"CHATHISTORY", code}, params...)
	c.send(serverName, "FAIL", append(all, text)...)
}

// read asks the chat, and sends what it tells.
func (c *session) read(tag, sub string, first, second spot, limit int) {
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		found, err := stretch(ctx, chat, tag, sub, first, second, limit)
		return func() {
			if err != nil {
				c.fail("MESSAGE_ERROR", oneLine(err.Error()), sub, c.quoteChannel(tag))
				return
			}
			batch := c.openBatch("chathistory", c.quoteChannel(tag))
			for _, m := range found {
				c.show(m, "", batch)
			}
			c.closeBatch(batch)
		}
	})
}

// quoteChannel is a channel that may be gone meanwhile.
func (c *session) quoteChannel(tag string) string { return quote(c.channel(tag)) }

// stretch reads the part of a history that is asked for.
func stretch(ctx context.Context, chat *sdk.Host, tag, sub string, first, second spot, limit int) ([]hook.Message, error) {
	q := hook.Query{Round: tag, Limit: limit}
	var err error
	switch {
	case sub == "BEFORE":
		q.Before, q.Until, err = before(ctx, chat, tag, first)
	case sub == "AFTER" || sub == "BETWEEN" && !second.at.Before(first.at):
		q.After, q.Since, err = after(ctx, chat, tag, first)
	case sub == "BETWEEN":
		q.Before, q.Until, err = before(ctx, chat, tag, first)
	}
	if err != nil {
		return nil, err
	}
	all, err := chat.History(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case sub == "LATEST" || sub == "BETWEEN" && second.at.Before(first.at):
		return from(all, map[bool]spot{true: first, false: second}[sub == "LATEST"]), nil
	case sub == "BETWEEN":
		return upTo(all, second), nil
	}
	return all, nil
}

func before(ctx context.Context, chat *sdk.Host, tag string, s spot) (hook.Cursor, time.Time, error) {
	if s.id == "" {
		return "", s.at, nil
	}
	cursor, err := place(ctx, chat, tag, s.id)
	return cursor, time.Time{}, err
}

func after(ctx context.Context, chat *sdk.Host, tag string, s spot) (hook.Cursor, time.Time, error) {
	if s.id == "" {
		return "", s.at.Add(time.Millisecond), nil
	}
	cursor, err := place(ctx, chat, tag, s.id)
	return cursor, time.Time{}, err
}

// place looks for a message: clients ask about those that they were shown, which are among the newest.
func place(ctx context.Context, chat *sdk.Host, tag string, id hook.MessageID) (hook.Cursor, error) {
	q := hook.Query{Round: tag, Limit: hook.MaxHistory}
	for range findPages {
		page, err := chat.History(ctx, q)
		if err != nil {
			return "", err
		}
		at := slices.IndexFunc(page, func(m hook.Message) bool { return m.ID == id && m.Cursor != "" })
		if at >= 0 {
			return page[at].Cursor, nil
		}
		if len(page) < q.Limit || page[0].Cursor == "" {
			break
		}
		q.Before = page[0].Cursor
	}
	return "", errors.New("there is no such message, or it is too old to be found by its id")
}

// from leaves out what is not after a spot, upTo what is not before one.
func from(all []hook.Message, s spot) []hook.Message {
	for i, m := range slices.Backward(all) {
		if m.ID == s.id || !s.at.IsZero() && !m.Written.After(s.at) {
			return all[i+1:]
		}
	}
	return all
}

func upTo(all []hook.Message, s spot) []hook.Message {
	for i, m := range all {
		if m.ID == s.id || !s.at.IsZero() && !m.Written.Before(s.at) {
			return all[:i]
		}
	}
	return all
}

// targets lists the rounds in which something was said last between two times.
func (c *session) targets(r request) {
	a, ok1 := parseSpot(r.param(1))
	b, ok2 := parseSpot(r.param(2))
	limit, err := strconv.Atoi(r.param(3))
	if !ok1 || !ok2 || a.at.IsZero() || b.at.IsZero() || err != nil || limit < 1 {
		c.fail("INVALID_PARAMS", "TARGETS takes two times and a number", "TARGETS")
		return
	}
	if b.at.Before(a.at) {
		a, b = b, a
	}
	tags := c.tags()
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		newest := map[string]time.Time{}
		for _, tag := range tags {
			last, err := chat.History(ctx, hook.Query{Round: tag, Limit: 1})
			if err == nil && len(last) > 0 && last[0].Written.After(a.at) && last[0].Written.Before(b.at) {
				newest[tag] = last[0].Written
			}
		}
		return func() { c.tellTargets(tags, newest, limit) }
	})
}

func (c *session) tellTargets(tags []string, newest map[string]time.Time, limit int) {
	batch := c.openBatch("draft/chathistory-targets")
	for _, tag := range tags {
		if at, ok := newest[tag]; ok && limit > 0 {
			line := ircmsg.MakeMessage(nil, serverName, "CHATHISTORY", "TARGETS", c.quoteChannel(tag), stamp(at))
			if batch != "" {
				line.SetTag("batch", batch)
			}
			c.sendAs(line)
			limit--
		}
	}
	c.closeBatch(batch)
}
