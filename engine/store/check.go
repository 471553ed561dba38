package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"opentalk/engine/identity"
)

// Check reads the whole file and returns ErrDamaged if anything in it is not what was written, or ctx's error. It may run
// beside everything else, though not within a Write, for some seconds a gigabyte; while it looks at the pages the file cannot use space again. It is
// worth its time after a crash, before a long silence is believed, and when [Store.Doubt] says so.
func (s *Store) Check(ctx context.Context) error {
	if err := s.checkPages(); err != nil {
		return err
	}
	rounds, err := s.Rounds()
	if err != nil {
		return err
	}
	for _, round := range rounds {
		if err := s.checkRound(ctx, round.Tag); err != nil && !errors.Is(err, ErrNoRound) {
			return fmt.Errorf("round %s: %w", round.Tag, err)
		}
	}
	return nil
}

// checkPages walks all pages of one snapshot.
func (s *Store) checkPages() error {
	s.settle()
	s.writing.Lock() // two commits overwrite the root that the snapshot has
	release := sync.OnceFunc(s.writing.Unlock)
	defer release()
	return s.snapshot(func(btx *bbolt.Tx) error {
		for _, at := range []int64{0, int64(btx.DB().Info().PageSize)} {
			r, ok := readRoot(s.file, at)
			if !ok || r.txid != uint64(btx.ID()) {
				continue
			}
			release()
			w, err := newWalk(s.file, r, true)
			if err != nil {
				return err
			}
			return w.run()
		}
		return damaged("root of transaction %d cannot be read", btx.ID())
	})
}

// checkRound follows every block from and to its indexes, some thousand in one snapshot.
func (s *Store) checkRound(ctx context.Context, tag identity.Tag) error {
	read := []func() error{
		func() error { _, err := s.Heads(tag); return err },
		func() error { _, err := s.Drafts(tag); return err },
		func() error { _, err := s.Peers(tag); return err },
		func() error { return s.in(tag, (*round).checkSettings) },
	}
	for _, fn := range read {
		if err := fn(); err != nil {
			return err
		}
	}
	for next, more := uint64(1), true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.in(tag, func(r *round) error {
			end := min(r.blocks, next+MaxBlocks-1)
			for ; next <= end; next++ {
				if err := r.checkBlock(next); err != nil {
					return err
				}
			}
			more = next <= r.blocks
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.in(tag, (*round).checkSizes)
}

func (r *round) checkSettings() error {
	return r.each(settingsBucket, r.settings, func(_, _ []byte) error { return nil })
}

func (r *round) checkBlock(arrival uint64) error {
	b, err := r.block(arrival)
	if err != nil {
		return err
	}
	for name, key := range map[string][]byte{
		idsBucket: b.ID[:], orderBucket: orderKey(b.Position()), linesBucket: lineKey(b.Author, b.Seq, b.ID),
	} {
		n, ok, err := r.arrival(name, key)
		if err != nil {
			return err
		}
		if !ok || n != arrival {
			return damaged("%s record %x leads to block %d and not %d", name, key, n, arrival)
		}
	}
	return nil
}

// checkSizes finds what is in an index or among the blocks and should not be.
func (r *round) checkSizes() error {
	for _, name := range []string{blocksBucket, idsBucket, orderBucket, linesBucket} {
		b, err := r.bucket(name)
		if err != nil {
			return err
		}
		var n uint64
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			n++
		}
		if n != r.blocks {
			return damaged("%d records of %s for %d blocks", n, name, r.blocks)
		}
	}
	return nil
}
