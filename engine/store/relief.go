package store

import (
	"time"

	"go.etcd.io/bbolt"
)

const (
	reliefEvery = 10 * time.Millisecond
	reliefUses  = 256      // or so many uses, each of which may bring in some of 64 KiB: a slow machine has no fewer
	reliefOver  = 16 << 20 // bytes of a file that is left in memory as it is
)

// relieve lets go of the pages of the file that use has brought into this process, now and then and once more after the
// last: otherwise a long history that was read once is there for ever. The system still has them, and they come back as
// they are needed. It is called within a transaction, while the mapping stays where it is, and in a long one now and then: a
// new block is looked up at a random place of ids, the system brings in the pages around it, too, and soon that is all of ids.
func (s *Store) relieve(btx *bbolt.Tx) {
	if btx.Size() < reliefOver {
		return
	}
	now, last := time.Now().UnixNano(), s.relieved.Load()
	switch {
	case now-last >= int64(reliefEvery) || s.uses.Add(1) >= reliefUses:
		if s.relieved.CompareAndSwap(last, now) {
			s.uses.Store(0)
			unmapPages(btx.DB().Info().Data, uintptr(btx.Size()))
		}
	case s.reliefDue.CompareAndSwap(false, true):
		time.AfterFunc(reliefEvery, func() {
			s.reliefDue.Store(false)
			s.snapshot(func(*bbolt.Tx) error { return nil }) // or it is closed by now
		})
	}
}
