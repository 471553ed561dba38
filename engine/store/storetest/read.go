package storetest

import (
	"bytes"
	"slices"

	"opentalk/engine/identity"
	"opentalk/engine/store"
)

// view runs fn on what is committed.
func (m *Memory) view(fn func() error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return store.ErrClosed
	}
	return fn()
}

func (m *Memory) in(tag identity.Tag, fn func(*round)) error {
	return m.view(func() error {
		r := m.rounds[tag]
		if r == nil {
			return store.ErrNoRound
		}
		fn(r)
		return nil
	})
}

// Rounds is [store.Store.Rounds].
func (m *Memory) Rounds() (rounds []store.Round, err error) {
	err = m.view(func() error {
		for tag, r := range m.rounds {
			rounds = append(rounds, store.Round{Tag: tag, Value: clone(r.value)})
		}
		return nil
	})
	slices.SortFunc(rounds, func(a, b store.Round) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return rounds, err
}

// Round is [store.Store.Round].
func (m *Memory) Round(tag identity.Tag) (value []byte, err error) {
	err = m.in(tag, func(r *round) { value = clone(r.value) })
	return value, err
}

// Count is [store.Store.Count].
func (m *Memory) Count(tag identity.Tag) (n uint64, err error) {
	err = m.in(tag, func(r *round) { n = uint64(len(r.blocks)) })
	return n, err
}

// Entry is [store.Store.Entry].
func (m *Memory) Entry(tag identity.Tag, id store.ID) (e store.Entry, ok bool, err error) {
	b, ok, err := m.Block(tag, id)
	return b.Entry, ok, err
}

// Block is [store.Store.Block].
func (m *Memory) Block(tag identity.Tag, id store.ID) (b store.Block, ok bool, err error) {
	err = m.in(tag, func(r *round) {
		var n int
		if n, ok = r.ids[id]; ok {
			b = r.blocks[n]
			b.Raw = m.block(b.Raw)
		}
	})
	return b, ok, err
}

// Since is [store.Store.Since].
func (m *Memory) Since(tag identity.Tag, arrival uint64, limit store.Limit) (blocks []store.Block, err error) {
	err = m.in(tag, func(r *round) {
		to := newCollector(m, r, limit)
		for n := arrival; n < uint64(len(r.blocks)) && to.add(int(n)); n++ {
		}
		blocks = to.blocks
	})
	return blocks, err
}

// Before is [store.Store.Before].
func (m *Memory) Before(tag identity.Tag, p store.Position, limit store.Limit) (blocks []store.Block, err error) {
	err = m.in(tag, func(r *round) {
		to := newCollector(m, r, limit)
		at, _ := r.search(p)
		for at--; at >= 0 && to.add(r.order[at]); at-- {
		}
		blocks = to.blocks
	})
	return blocks, err
}

// After is [store.Store.After].
func (m *Memory) After(tag identity.Tag, p store.Position, limit store.Limit) (blocks []store.Block, err error) {
	err = m.in(tag, func(r *round) {
		to := newCollector(m, r, limit)
		at, exact := r.search(p)
		if exact {
			at++
		}
		for ; at < len(r.order) && to.add(r.order[at]); at++ {
		}
		blocks = to.blocks
	})
	return blocks, err
}

func (r *round) search(p store.Position) (at int, exact bool) {
	return slices.BinarySearchFunc(r.order, p, func(i int, p store.Position) int { return r.blocks[i].Position().Compare(p) })
}

// Line is [store.Store.Line].
func (m *Memory) Line(tag identity.Tag, device identity.Device, from, to uint64, limit store.Limit) (blocks []store.Block, err error) {
	err = m.in(tag, func(r *round) {
		col := newCollector(m, r, limit)
		last := -1
		for _, n := range r.lines[device] {
			e := r.blocks[n].Entry
			if e.Seq < from || e.Seq > to {
				continue
			}
			if last >= 0 && r.blocks[last].Seq == e.Seq {
				col.force(n)
			} else if !col.add(n) {
				break
			}
			last = n
		}
		blocks = col.blocks
	})
	return blocks, err
}

// Frontier is [store.Store.Frontier].
func (m *Memory) Frontier(tag identity.Tag) (entries []store.Entry, err error) {
	err = m.in(tag, func(r *round) {
		for _, line := range r.lines {
			entries = append(entries, r.blocks[line[len(line)-1]].Entry)
		}
	})
	slices.SortFunc(entries, func(a, b store.Entry) int { return bytes.Compare(a.Author[:], b.Author[:]) })
	return entries, err
}

// Heads is [store.Store.Heads].
func (m *Memory) Heads(tag identity.Tag) (heads []store.Entry, err error) {
	err = m.in(tag, func(r *round) {
		for _, n := range r.heads {
			heads = append(heads, r.blocks[n].Entry)
		}
	})
	slices.SortFunc(heads, func(a, b store.Entry) int { return a.Position().Compare(b.Position()) })
	return heads, err
}

// Drafts is [store.Store.Drafts].
func (m *Memory) Drafts(tag identity.Tag) (drafts []store.Draft, err error) {
	err = m.in(tag, func(r *round) {
		for _, d := range r.drafts {
			drafts = append(drafts, store.Draft{ID: d.ID, Value: clone(d.Value)})
		}
	})
	return drafts, err
}

// Peers is [store.Store.Peers].
func (m *Memory) Peers(tag identity.Tag) (peers []store.Peer, err error) {
	err = m.in(tag, func(r *round) {
		for device, value := range r.peers {
			peers = append(peers, store.Peer{Device: device, Value: clone(value)})
		}
	})
	slices.SortFunc(peers, func(a, b store.Peer) int { return bytes.Compare(a.Device[:], b.Device[:]) })
	return peers, err
}

// Setting is [store.Store.Setting].
func (m *Memory) Setting(tag identity.Tag, name string) (value []byte, ok bool, err error) {
	err = m.in(tag, func(r *round) {
		var found []byte
		if found, ok = r.settings[name]; ok {
			value = clone(found)
		}
	})
	return value, ok, err
}

// collector copies blocks of a round until a limit is reached.
type collector struct {
	m      *Memory
	r      *round
	limit  store.Limit
	blocks []store.Block
	size   int
}

func newCollector(m *Memory, r *round, limit store.Limit) *collector {
	return &collector{m: m, r: r, limit: limit.Clamp()}
}

func (c *collector) add(n int) bool {
	if c.limit.Full(c.blocks, c.size, len(c.r.blocks[n].Raw)) {
		return false
	}
	c.force(n)
	return true
}

func (c *collector) force(n int) {
	b := c.r.blocks[n]
	b.Raw = c.m.block(b.Raw)
	c.blocks = append(c.blocks, b)
	c.size += len(b.Raw)
}
