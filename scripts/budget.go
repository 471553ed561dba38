package scripts

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errBudget ends Lua code that has computed for too long.
var errBudget = errors.New("ran for too long")

// budget is how long the Lua code of a state may run. What the chat takes to answer does not count. gopher-lua looks at its
// context between instructions only; a single one that takes for ever is ended with the process, by the chat.
//
// The context outlives a call, because a coroutine keeps the one that it was made under. It is replaced when the time was up,
// so that only coroutines from before are lost.
type budget struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	left   time.Duration
	since  time.Time
	timer  *time.Timer
}

// start gives d to what runs next, and returns the context that ends it.
func (b *budget) start(d time.Duration) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil || b.ctx.Err() != nil {
		b.ctx, b.cancel = context.WithCancelCause(context.Background())
	}
	b.left = d
	b.tick()
	return b.ctx
}

// tick lets the time run. The caller holds mu.
func (b *budget) tick() {
	cancel := b.cancel
	b.since = time.Now()
	b.timer = time.AfterFunc(b.left, func() { cancel(errBudget) })
}

// pause stops the clock while the chat is asked something; resume lets it run on.
func (b *budget) pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer.Stop()
	b.left = max(0, b.left-time.Since(b.since))
}

func (b *budget) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tick()
}

// stop stops the clock for good, and reports whether the time was up.
func (b *budget) stop() (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timer.Stop()
	return b.ctx.Err() != nil
}

// close lets go of what coroutines that never ended hold.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel(context.Canceled)
	}
}
