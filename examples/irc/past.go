package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// seen is what a client was shown of a round, so that it is shown the rest when it comes again: everything up to After, and of
// what follows that the messages in Old and New. Cursors cannot be compared, and a message may land before others that were
// shown; so After stays a little behind.
type seen struct {
	Known bool        `json:"known"` // false: the client was never here
	After hook.Cursor `json:"after"` // "" for the beginning
	Mid   hook.Cursor `json:"mid"`   // where Old ends; the next After
	Old   []string    `json:"old"`
	New   []string    `json:"new"`
	last  hook.Cursor // of the newest message
}

// short is enough of an id to know a message by among a hundred.
func short(id hook.MessageID) string { return string(id[max(0, len(id)-16):]) }

func (s *seen) has(id hook.MessageID) bool {
	for _, known := range [][]string{s.New, s.Old} {
		for i := len(known) - 1; i >= 0; i-- {
			if known[i] == short(id) {
				return true
			}
		}
	}
	return false
}

func (s *seen) add(m hook.Message) {
	if m.Cursor != "" && !m.Late {
		s.last = m.Cursor
	}
	if s.has(m.ID) {
		return
	}
	s.New = append(s.New, short(m.ID))
	if len(s.New) < checkpoint || s.last == "" {
		return
	}
	if s.Mid != "" {
		s.After = s.Mid
	}
	s.Mid, s.Old, s.New = s.last, s.New, nil
}

func (s *seen) clone() *seen {
	c := *s
	c.Old, c.New = slices.Clone(s.Old), slices.Clone(s.New)
	return &c
}

// past is what a client is to be shown of a round.
type past struct {
	tag      string
	seen     *seen
	messages []hook.Message
	more     bool // there was too much: these are the newest
}

func newPast(tag string) *past { return &past{tag: tag, seen: &seen{}} }

// read asks the chat for what the client has not seen, or for the first messages, as many as it is shown at its first time.
func (p *past) read(ctx context.Context, chat *sdk.Host, first int) error {
	if !p.seen.Known {
		return p.begin(ctx, chat, first)
	}
	q := hook.Query{Round: p.tag, After: p.seen.After, Limit: hook.MaxHistory}
	if q.After == "" {
		q.Since = time.UnixMilli(1)
	}
	for len(p.messages) < maxMissed {
		page, err := chat.History(ctx, q)
		if err != nil {
			return err
		}
		for _, m := range page {
			if !p.seen.has(m.ID) {
				p.messages = append(p.messages, m)
			}
		}
		if len(page) < q.Limit {
			return nil
		}
		q = hook.Query{Round: p.tag, After: page[len(page)-1].Cursor, Limit: q.Limit}
	}
	p.messages, p.more, p.seen = nil, true, &seen{}
	return p.begin(ctx, chat, hook.MaxHistory)
}

// begin reads the newest messages.
func (p *past) begin(ctx context.Context, chat *sdk.Host, first int) error {
	page, err := chat.History(ctx, hook.Query{Round: p.tag, Limit: max(1, first)})
	if err != nil {
		return err
	}
	p.seen.Known = true
	for _, m := range page {
		p.seen.After = cmp.Or(p.seen.After, m.Cursor) // what waits has none
	}
	if first > 0 {
		p.messages = page
	}
	return nil
}

// play shows it.
func (c *session) play(tag string, p *past) {
	if p.more {
		c.notice(c.channel(tag), "more was said than is shown here; /history in the chat shows all")
	}
	if len(p.messages) == 0 {
		return
	}
	batch := c.openBatch("chathistory", c.channel(tag))
	for _, m := range p.messages {
		if !c.views[tag].seen.has(m.ID) {
			c.show(m, "", batch)
			c.note(m)
		}
	}
	c.closeBatch(batch)
}

// catchUp shows what was lost on the way.
func (c *session) catchUp(tag string) {
	v := c.views[tag]
	if v == nil || v.joining {
		return
	}
	p := &past{tag: tag, seen: v.seen.clone()}
	c.do(func(ctx context.Context, chat *sdk.Host) func() {
		err := p.read(ctx, chat, 0)
		return func() {
			if err != nil {
				c.log.Warn("reading what was lost", "error", err)
			}
			if c.views[tag] == v {
				c.play(tag, p)
			}
		}
	})
}

// ---- what is kept ----

func (c *session) seenKey(tag string) string { return "seen/" + c.client + "/" + tag }

// unsaved adds what is to be kept of what the client has seen.
func (c *session) unsaved(values map[string]any) {
	for tag, v := range c.views {
		if v.keep && v.dirty && !v.joining {
			v.dirty = false
			values[c.seenKey(tag)] = v.seen.clone()
		}
	}
}
