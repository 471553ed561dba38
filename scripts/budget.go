package scripts

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errBudget ends Lua code that has computed for too long.
var errBudget = errors.New("ran for too long")

// budget is how long the Lua code of a state may compute. What the chat takes to answer does not count, nor what a busy machine
// gives to others: the time is over when it has passed and the process has computed for as long. gopher-lua looks at its
// context between instructions only; a single one that takes for ever is ended with the process, by the chat.
//
// The context outlives a call, because a coroutine keeps the one that it was made under. It is replaced when the time was up,
// so that only coroutines from before are lost.
type budget struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	left   time.Duration
	since  time.Duration // what the process had computed then
	timer  *time.Timer
	turn   int // of the clock: a timer that comes late is not of this one
}

// start gives d to what runs next, and returns the context that ends it.
func (b *budget) start(d time.Duration) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil || b.ctx.Err() != nil {
		b.ctx, b.cancel = context.WithCancelCause(context.Background())
	}
	b.left = d
	b.run()
	return b.ctx
}

// run lets the clock run. The caller holds mu.
func (b *budget) run() {
	b.turn++
	turn := b.turn
	b.since = computed()
	b.timer = time.AfterFunc(b.left, func() { b.expire(turn) })
}

// halt stops the clock. The caller holds mu.
func (b *budget) halt() {
	b.turn++
	b.timer.Stop()
	b.left = max(0, b.left-(computed()-b.since))
}

// expire ends the code, unless it has been waiting for the machine; then it gets what is left.
func (b *budget) expire(turn int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if turn != b.turn {
		return
	}
	if b.halt(); b.left > 0 {
		b.run()
		return
	}
	b.cancel(errBudget)
}

// pause stops the clock while the chat is asked something; resume lets it run on.
func (b *budget) pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halt()
}

func (b *budget) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run()
}

// stop stops the clock for good, and reports whether the time was up.
func (b *budget) stop() (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halt()
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
