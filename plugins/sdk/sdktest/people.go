package sdktest

import (
	"context"
	"fmt"

	"opentalk/plugins/hook"
)

// What the members of the current round do besides talking. Plugins are told, and asked for more: the errors are those of
// their handlers.

// Enter has somebody join, or come back.
func (c *Chat) Enter(handle string) error {
	c.mu.Lock()
	p := c.member(handle)
	m := &c.current.members[c.current.index(handle)]
	m.Left, m.Online = false, true
	c.note(context.Background(), c.current.changed(p, hook.Joined))
	c.mu.Unlock()
	return c.tell()
}

// Depart has a member leave for good.
func (c *Chat) Depart(handle string) error {
	return c.change(handle, func(r *round, i int) {
		r.members[i].Left, r.members[i].Online = true, false
		c.note(context.Background(), r.changed(r.members[i].Person, hook.Left))
	})
}

// Rename gives a member another handle.
func (c *Chat) Rename(handle, to string) error {
	return c.change(handle, func(r *round, i int) { c.rename(context.Background(), r, i, to) })
}

// Connect has a link to a member go up or down.
func (c *Chat) Connect(handle string, up bool) error {
	return c.change(handle, func(r *round, i int) {
		m := &r.members[i]
		m.Online, m.Seen = up, c.now
		c.note(context.Background(), hook.PeerEvent{Round: r.Name, Tag: r.Tag, Person: m.Person, Online: up})
	})
}

// Verify has the person compare the fingerprint of a member.
func (c *Chat) Verify(handle string) error {
	return c.change(handle, func(r *round, i int) {
		r.members[i].Verified = true
		c.note(context.Background(), r.changed(r.members[i].Person, hook.Verified))
	})
}

// Retitle has a member change the topic.
func (c *Chat) Retitle(handle, topic string) error {
	return c.change(handle, func(r *round, i int) { c.retitle(context.Background(), r, r.members[i].Person, topic) })
}

// change does something with a member of the current round, and tells of it.
func (c *Chat) change(handle string, f func(r *round, i int)) error {
	c.mu.Lock()
	r := c.current
	i := r.index(handle)
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("no member %q", handle)
	}
	f(r, i)
	c.mu.Unlock()
	return c.tell()
}

// index finds a member, -1 if there is none.
func (r *round) index(handle string) int {
	for i, m := range r.members {
		if m.Handle == handle {
			return i
		}
	}
	return -1
}

func (r *round) changed(p hook.Person, to hook.Change) hook.MemberEvent {
	return hook.MemberEvent{Round: r.Name, Tag: r.Tag, Person: p, Change: to, Live: true}
}

// What follows needs c.mu.

// note keeps an event to be told, as happen does.
func (c *Chat) note(ctx context.Context, e hook.Event) {
	c.happened = append(c.happened, happening{ctx: ctx, event: e})
}

func (c *Chat) rename(ctx context.Context, r *round, i int, handle string) {
	m := &r.members[i]
	was := m.Handle
	m.Handle = handle
	if m.Own {
		r.Handle = handle
	}
	e := r.changed(m.Person, hook.Renamed)
	e.Was = was
	c.note(ctx, e)
}

func (c *Chat) retitle(ctx context.Context, r *round, by hook.Person, topic string) {
	r.Topic = topic
	c.note(ctx, hook.TopicEvent{Round: r.Name, Tag: r.Tag, Topic: topic, By: by, Live: true})
}
