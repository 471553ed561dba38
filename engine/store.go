package engine

import (
	"opentalk/engine/store"
)

// Store is what the engine keeps on disk: [store.Store], or in simulations its double in memory. Any goroutine may read;
// Write is called from one.
type Store interface {
	Write(func(store.Tx) error) error
	Close() error

	Round(Tag) (value []byte, err error)
	Count(Tag) (uint64, error)
	Entry(Tag, store.ID) (store.Entry, bool, error)
	Block(Tag, store.ID) (store.Block, bool, error)
	Line(tag Tag, device Device, from, to uint64, limit store.Limit) ([]store.Block, error)
	Before(Tag, store.Position, store.Limit) ([]store.Block, error)
	After(Tag, store.Position, store.Limit) ([]store.Block, error)
	Frontier(Tag) ([]store.Entry, error)
	Heads(Tag) ([]store.Entry, error)
	Drafts(Tag) ([]store.Draft, error)
	Peers(Tag) ([]store.Peer, error)
	Setting(tag Tag, name string) ([]byte, bool, error)
}

// both is two writes in one; either may be nil.
func both(a, b func(store.Tx) error) func(store.Tx) error {
	return func(w store.Tx) error {
		for _, write := range []func(store.Tx) error{a, b} {
			if write != nil {
				if err := write(w); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

var _ Store = (*store.Store)(nil)
