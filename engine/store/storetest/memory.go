// Package storetest is a store in memory, for simulations: the same methods as [store.Store], with the same answers and the
// same errors, a disk that fails when it is told to, and a crash that forgets whatever was not committed.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"opentalk/engine/identity"
	"opentalk/engine/store"
)

// When says at which point a Write fails.
type When int

const (
	Before When = iota // nothing of it is on the disk
	After              // all of it is, though Write returned an error
)

// ErrInjected is the cause of a failure that was asked for.
var ErrInjected = errors.New("injected failure")

// Memory is a store in memory, safe for use by several goroutines. Make one with [New].
type Memory struct {
	// Shared stores neither copy the blocks that they are given nor those that they give: for crowds, who change none and have
	// the same.
	Shared bool

	writing sync.Mutex // held by the one Write

	mu     sync.RWMutex // guards what follows
	rounds map[identity.Tag]*round
	closed bool
	failed error
	writes int
	fails  map[int]When
}

// New returns an empty store.
func New() *Memory {
	return &Memory{rounds: map[identity.Tag]*round{}, fails: map[int]When{}}
}

// FailWrite makes the nth Write from now on fail, the next being 1. As with a disk, the store is read-only from then on.
func (m *Memory) FailWrite(n int, when When) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails[m.writes+n] = when
}

// Writes returns how many Writes came as far as committing, so that a simulation can be run again with each of them failing.
func (m *Memory) Writes() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.writes
}

// block makes the store's own copy of a block, or the caller's.
func (m *Memory) block(raw []byte) []byte {
	if m.Shared {
		return raw
	}
	return clone(raw)
}

// Crash ends the process that used m: every call on it returns ErrClosed from now on, also the commit of a Write that is
// going on. It returns what the next process finds, with no failures asked for.
func (m *Memory) Crash() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := New()
	next.Shared = m.Shared
	if m.rounds != nil {
		next.rounds, m.rounds = m.rounds, nil
	}
	m.closed = true
	return next
}

// Copy returns a store with what is committed now: a backup.
func (m *Memory) Copy() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	backup := New()
	for tag, r := range m.rounds {
		lines := make(map[identity.Device][]int, len(r.lines))
		for d, line := range r.lines {
			lines[d] = slices.Clone(line)
		}
		backup.rounds[tag] = &round{
			small: r.small.copy(), blocks: slices.Clone(r.blocks), ids: maps.Clone(r.ids), order: slices.Clone(r.order), lines: lines,
		}
	}
	return backup
}

// Close is [store.Store.Close]. What was stored is still there for Crash.
func (m *Memory) Close() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// Write is [store.Store.Write].
func (m *Memory) Write(fn func(store.Tx) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if err := m.ready(); err != nil {
		return err
	}
	t := &tx{m: m, changed: map[identity.Tag]*draft{}}
	defer func() { t.over = true }()
	if err := fn(t); err != nil {
		return err
	}
	return m.commit(t)
}

func (m *Memory) ready() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.failed != nil {
		return m.failed
	}
	if m.closed {
		return store.ErrClosed
	}
	return nil
}

func (m *Memory) commit(t *tx) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return store.ErrClosed
	}
	m.writes++
	when, fails := m.fails[m.writes]
	if fails {
		m.failed = fmt.Errorf("%w: write %d: %w", store.ErrReadOnly, m.writes, ErrInjected)
	}
	if fails && when == Before {
		return m.failed
	}
	for tag, d := range t.changed {
		if d == nil {
			delete(m.rounds, tag)
		} else {
			m.rounds[tag] = d.settle()
		}
	}
	return m.failed
}

// round is what is committed of a round. Blocks are only ever appended.
type round struct {
	small
	blocks []store.Block // in order of arrival
	ids    map[store.ID]int
	order  []int // indexes of blocks, in canonical order
	lines  map[identity.Device][]int
}

// small is what a transaction copies before it changes it.
type small struct {
	value    []byte
	heads    map[store.ID]int
	drafts   []store.Draft
	peers    map[identity.Device][]byte
	settings map[string][]byte
}

func (s small) copy() small {
	s.heads, s.peers, s.settings = maps.Clone(s.heads), maps.Clone(s.peers), maps.Clone(s.settings)
	s.drafts = append([]store.Draft(nil), s.drafts...)
	return s
}

// draft is a round in a transaction: what it was, and what is to become of it.
type draft struct {
	small
	base  *round
	added []store.Block
	ids   map[store.ID]bool // of added
}

// Check is [store.Store.Check]. Memory does not decay.
func (m *Memory) Check(ctx context.Context) error {
	return m.view(ctx.Err)
}
