package engine

import (
	"context"
	"iter"
	"runtime"
	"slices"

	"opentalk/engine/chain"
	"opentalk/engine/store"
)

// What was said is read from the store on the goroutine of whoever asks, never in the core: a long search or an export holds
// nothing up. The core is only asked for what it alone knows: whose device it is.

// MaxHistory bounds what one call of History returns.
const MaxHistory = 1000

// History returns the n messages that come before a position in canonical order, oldest first; the zero position means the
// end. What is not signed yet has no place in it.
func (e *Engine) History(tag Tag, before Position, n int) ([]Message, error) {
	a, err := e.archive(context.Background(), tag)
	if err != nil {
		return nil, err
	}
	return a.history(before, min(n, MaxHistory))
}

// After ranges over the messages after a position in canonical order, oldest first; the zero position means the beginning.
// Of blocks only the first `among` to arrive on this device are looked at, so that what comes meanwhile changes nothing;
// [Engine.Arrived] tells how many there are. An error is the last that it gives.
func (e *Engine) After(ctx context.Context, tag Tag, after Position, among uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		a, err := e.archive(ctx, tag)
		if err != nil {
			yield(Message{}, err)
			return
		}
		a.scan(ctx, a.forward(after, among), false, everything, yield)
	}
}

// Arrived tells how many blocks of a round are on this device's disk.
func (e *Engine) Arrived(ctx context.Context, tag Tag) (uint64, error) {
	if _, err := e.archive(ctx, tag); err != nil {
		return 0, err
	}
	return e.home.store.Count(tag)
}

// archive is what a round holds on disk.
type archive struct {
	reader
	store Store
}

// archive waits until what has been shown is on disk: a message may be shown a moment before.
func (e *Engine) archive(ctx context.Context, tag Tag) (archive, error) {
	ch := make(chan answer[archive], 1)
	err := e.in(tag, func(r *round) {
		r.c.settled(func() { ch <- answer[archive]{value: r.archive()} })
	})
	if err != nil {
		return archive{}, err
	}
	a, err := wait(ctx, e, ch)
	known := map[Device]Person{}
	a.author = func(d Device) Person {
		who, ok := known[d]
		if !ok {
			who = Person{Name: "?" + d.Short(), Device: d} // it has left meanwhile
			e.in(tag, func(r *round) { who = r.author(d) })
			known[d] = who
		}
		return who
	}
	return a, err
}

func (r *round) archive() archive { return archive{reader: r.reader(), store: r.c.store} }

// history returns the n messages before a position, oldest first.
func (a archive) history(before Position, n int) ([]Message, error) {
	var newest []Message // newest first
	for blocks, err := range a.backward(before, 2*n) {
		if err != nil {
			return nil, err
		}
		for _, raw := range blocks {
			b, err := chain.Parse(raw.Raw)
			if err != nil {
				return nil, err
			}
			ms := a.messages(b)
			slices.Reverse(ms)
			newest = append(newest, ms...)
		}
		if len(newest) >= n {
			break
		}
	}
	newest = newest[:min(n, len(newest))]
	slices.Reverse(newest)
	return newest, nil
}

// batches are blocks in the order in which they are to be looked at. An error is the last of them.
type batches = iter.Seq2[[]store.Block, error]

// scanBatch is how many blocks are read from the store, and given to a core, at a time; the first few are fewer, so that
// what is near is there at once.
const (
	scanBatch = 512
	scanFirst = 32
)

// backward gives the blocks before a position, newest first; the zero position means the end. About `first` of them come at once.
func (a archive) backward(before Position, first int) batches {
	return func(yield func([]store.Block, error) bool) {
		at := store.Position{T: before.T, ID: before.ID}
		if before == (Position{}) {
			at = store.End
		}
		for size := first; ; size *= 2 {
			blocks, err := a.store.Before(a.tag, at, store.Limit{Blocks: min(max(size, 1), scanBatch)})
			if !yield(blocks, err) || err != nil || len(blocks) == 0 {
				return
			}
			at = blocks[len(blocks)-1].Position()
		}
	}
}

// forward gives the blocks after a position, oldest first, of those that arrived before the others.
func (a archive) forward(after Position, among uint64) batches {
	return func(yield func([]store.Block, error) bool) {
		at := store.Position{T: after.T, ID: after.ID}
		for {
			blocks, err := a.store.After(a.tag, at, store.Limit{Blocks: scanBatch})
			if err != nil || len(blocks) == 0 {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			at = blocks[len(blocks)-1].Position()
			blocks = slices.DeleteFunc(blocks, func(b store.Block) bool { return b.Arrival > among })
			if !yield(blocks, nil) {
				return
			}
		}
	}
}

// keep says whether a message is wanted. One is made for every batch, so that it may hold what must not be shared.
type keep func(*chain.Message) bool

func everything() keep { return func(*chain.Message) bool { return true } }

// opened are the blocks of a batch in which something is wanted.
type opened struct {
	blocks []openBlock
	err    error
}

type openBlock struct {
	*chain.Block
	said    []chain.Message
	problem string
}

// scan opens the blocks of batches, on all cores, and yields the messages that are wanted in their order; those of one block
// the other way round if the batches go back.
func (a archive) scan(ctx context.Context, in batches, back bool, newKeep func() keep, yield func(Message, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	row := make(chan chan opened, runtime.GOMAXPROCS(0))
	go func() {
		defer close(row)
		for raw, err := range in {
			done := make(chan opened, 1)
			select {
			case row <- done:
			case <-ctx.Done():
				return
			}
			if err != nil {
				done <- opened{err: err}
				return
			}
			go func() { done <- a.openAll(raw, newKeep()) }()
		}
	}()
	for done := range row {
		if ctx.Err() != nil {
			break
		}
		if !a.yield(<-done, back, yield) {
			return
		}
	}
	if err := ctx.Err(); err != nil {
		yield(Message{}, err)
	}
}

// openAll is what one core does with a batch.
func (a archive) openAll(raw []store.Block, wanted keep) (o opened) {
	for i := range raw {
		b, err := chain.Parse(raw[i].Raw)
		if err != nil {
			return opened{err: err}
		}
		said, problem := a.said(b)
		said = slices.DeleteFunc(said, func(m chain.Message) bool { return !wanted(&m) })
		if len(said) > 0 || problem != "" && wanted(&chain.Message{}) {
			o.blocks = append(o.blocks, openBlock{b, said, problem})
		}
	}
	return o
}

// yield gives what is wanted of a batch, and reports whether to go on.
func (a archive) yield(o opened, back bool, yield func(Message, error) bool) bool {
	if o.err != nil {
		yield(Message{}, o.err)
		return false
	}
	for _, b := range o.blocks {
		messages := a.show(b.Block, b.said, b.problem)
		if back {
			slices.Reverse(messages)
		}
		for _, m := range messages {
			if !yield(m, nil) {
				return false
			}
		}
	}
	return true
}
