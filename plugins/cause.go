package plugins

import (
	"context"
	"sync"

	"opentalk/plugins/hook"
)

// cause is who set something off, and through how many extensions.
type cause struct {
	from  string // the extension that did it, "" for a person or another member
	depth int    // of the messages of extensions that led to it: 0 if none
}

type causeKey struct{}

func withCause(ctx context.Context, c cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

func causeOf(ctx context.Context) cause {
	c, _ := ctx.Value(causeKey{}).(cause)
	return c
}

// senders remembers the last maxSenders messages that extensions have sent.
type senders struct {
	mu    sync.Mutex
	by    map[hook.MessageID]cause
	order []hook.MessageID // oldest first
}

func (s *senders) add(id hook.MessageID, c cause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[hook.MessageID]cause{}
	}
	if len(s.order) == maxSenders {
		delete(s.by, s.order[0])
		s.order = s.order[1:]
	}
	s.by[id] = c
	s.order = append(s.order, id)
}

// of returns the zero cause for what no extension has sent, as far as is remembered.
func (s *senders) of(id hook.MessageID) cause {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[id]
}
