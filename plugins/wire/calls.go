package wire

import (
	"context"
	"sync"

	"opentalk/plugins/wire/pb"
)

// remembered is how many calls back a plugin can name the one that set something off. It is more than enough for an answer
// that takes a while; what is set off by a call longer ago counts as a plugin's own idea.
const remembered = 1024

// calls are those of the chat to one plugin, numbered from 1.
type calls struct {
	mu   sync.Mutex
	last uint64
	ring [remembered]context.Context
}

// begin numbers a call.
func (c *calls) begin(ctx context.Context) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.ring[c.last%remembered] = context.WithoutCancel(ctx)
	return c.last
}

// resume returns ctx with the values of the call n, if that is remembered.
func (c *calls) resume(ctx context.Context, n uint64) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 0 || n > c.last || n+remembered <= c.last {
		return ctx
	}
	return caused{ctx, c.ring[n%remembered]}
}

// caused is a context with the values of another besides its own.
type caused struct {
	context.Context
	by context.Context
}

func (c caused) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.by.Value(key)
}

// callKey is where a plugin keeps the number of the call that it answers.
type callKey struct{}

func answering(ctx context.Context, call uint64) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

func callOf(ctx context.Context) uint64 {
	n, _ := ctx.Value(callKey{}).(uint64)
	return n
}

func fromOut(ctx context.Context, name string) *pb.From {
	return &pb.From{Extension: text(name), Call: callOf(ctx)}
}
