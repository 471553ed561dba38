package engine

import (
	"cmp"
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
		a.scan(ctx, a.forward(after, among), after, false, everything, yield)
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
	store   Store
	onPanic func()
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
	a.onPanic = e.onPanic
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
	for blocks, err := range a.backward(before, n) {
		o := a.openAll(blocks, everything())
		if err = cmp.Or(err, o.err); err != nil {
			return nil, err
		}
		for m := range a.dress(o, before, true) {
			if len(newest) < n {
				newest = append(newest, m)
			}
		}
		if len(newest) == n {
			break
		}
	}
	slices.Reverse(newest)
	return newest, nil
}

// batches are blocks in the order in which they are to be looked at. An error is the last of them.
type batches = iter.Seq2[[]store.Block, error]

// scanBatch is how many blocks are read from the store, and given to a core, at a time. The first are fewer, so that what is
// near is there at once.
const (
	scanBatch = 512
	scanFirst = 32
)

// backward gives the blocks from that of a position on, newest first; the zero position means the end. The first batch is of
// so many.
func (a archive) backward(from Position, first int) batches {
	at := store.End
	if from != (Position{}) {
		at = beside(from.Block, 1)
	}
	return func(yield func([]store.Block, error) bool) {
		for size := max(first, scanFirst); ; size *= 2 {
			blocks, err := a.store.Before(a.tag, at, store.Limit{Blocks: min(size, scanBatch)})
			if err == nil && len(blocks) == 0 || !yield(blocks, err) || err != nil {
				return
			}
			at = blocks[len(blocks)-1].Position()
		}
	}
}

// forward gives the blocks from that of a position on, oldest first, of those that arrived before the others.
func (a archive) forward(from Position, among uint64) batches {
	at := beside(from.Block, -1)
	return func(yield func([]store.Block, error) bool) {
		for {
			blocks, err := a.store.After(a.tag, at, store.Limit{Blocks: scanBatch})
			if err == nil && len(blocks) == 0 {
				return
			}
			kept := slices.DeleteFunc(slices.Clone(blocks), func(b store.Block) bool { return b.Arrival > among })
			if !yield(kept, err) || err != nil {
				return
			}
			at = blocks[len(blocks)-1].Position()
		}
	}
}

// beside is the next place in the store after that of a block, or before it: a read that begins there gives the block, too.
func beside(p chain.Position, way int) store.Position {
	at := store.Position{T: p.T, ID: p.ID}
	over := byte(0) // what a byte is beyond which the one before it counts on
	if way > 0 {
		over = 0xff
	}
	for i := len(at.ID) - 1; i >= 0; i-- {
		carry := at.ID[i] == over
		at.ID[i] += byte(way)
		if !carry {
			return at
		}
	}
	if at.T > 0 || way > 0 {
		at.T += uint64(way)
	} else {
		at = store.Position{}
	}
	return at
}

// keep says whether a message with that text is wanted. One is made for every batch, so that it may hold what must not be
// shared.
type keep func(text string) bool

func everything() keep { return func(string) bool { return true } }

// opened are the blocks of a batch in which something is wanted.
type opened struct {
	blocks []openBlock
	err    error
}

type openBlock struct {
	*chain.Block
	said    []chain.Message
	problem string
	wanted  []int // of what is said, or of the one problem
}

// scan opens the blocks of batches, on all cores, and yields the messages beyond from that are wanted, in their order.
func (a archive) scan(ctx context.Context, in batches, from Position, back bool, newKeep func() keep, yield func(Message, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	row := make(chan chan opened, runtime.GOMAXPROCS(0))
	go func() {
		defer close(row)
		defer a.onPanic()
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
			go func() {
				defer a.onPanic()
				done <- a.openAll(raw, newKeep())
			}()
		}
	}()
	for done := range row {
		o := <-done
		if err := cmp.Or(ctx.Err(), o.err); err != nil {
			yield(Message{}, err)
			return
		}
		for m := range a.dress(o, from, back) {
			if !yield(m, nil) {
				return
			}
		}
	}
	if err := ctx.Err(); err != nil {
		yield(Message{}, err)
	}
}

// openAll is what one core does with a batch.
func (a archive) openAll(raw []store.Block, wanted keep) (o opened) {
	for i := range raw {
		b, err := chain.Stored(raw[i].Raw, raw[i].ID) // the store has looked whether it is whole
		if err != nil {
			return opened{err: err}
		}
		open := openBlock{Block: b}
		open.said, open.problem = a.said(b)
		for i := range open.said {
			if wanted(open.said[i].Text) {
				open.wanted = append(open.wanted, i)
			}
		}
		if open.problem != "" && wanted("") {
			open.wanted = []int{0}
		}
		if len(open.wanted) > 0 {
			o.blocks = append(o.blocks, open)
		}
	}
	return o
}

// dress gives the messages of a batch beyond a position, those of one block the other way round if it goes back.
func (a archive) dress(o opened, from Position, back bool) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		for _, b := range o.blocks {
			messages, beyond := a.show(b.Block, b.said, b.problem), 1
			if back {
				slices.Reverse(b.wanted)
				beyond = -1
			}
			for _, i := range b.wanted {
				m := messages[i]
				if (from == Position{} || m.At.Compare(from) == beyond) && !yield(m) {
					return
				}
			}
		}
	}
}
