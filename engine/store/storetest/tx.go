package storetest

import (
	"errors"
	"fmt"
	"slices"

	"opentalk/engine/identity"
	"opentalk/engine/store"
)

type tx struct {
	m       *Memory
	changed map[identity.Tag]*draft // nil: removed
	over    bool
}

func clone(b []byte) []byte { return append([]byte{}, b...) }

// in returns the round for change, once value is known to be no bigger than it may be.
func (t *tx) in(tag identity.Tag, value []byte) (*draft, error) {
	if t.over {
		return nil, errors.New("transaction of the store is over")
	}
	if err := store.CheckValue(value); err != nil {
		return nil, err
	}
	d, touched := t.changed[tag]
	if !touched {
		t.m.mu.RLock()
		base := t.m.rounds[tag]
		t.m.mu.RUnlock()
		if base != nil {
			d = &draft{small: base.small.copy(), base: base, ids: map[store.ID]bool{}}
			t.changed[tag] = d
		}
	}
	if d == nil {
		return nil, store.ErrNoRound
	}
	return d, nil
}

func (t *tx) AddRound(tag identity.Tag, value []byte) error {
	_, err := t.in(tag, value)
	if err == nil {
		return fmt.Errorf("round %s is %w", tag, store.ErrExists)
	}
	if !errors.Is(err, store.ErrNoRound) {
		return err
	}
	base := &round{ids: map[store.ID]int{}, lines: map[identity.Device][]int{}}
	t.changed[tag] = &draft{base: base, ids: map[store.ID]bool{}, small: small{
		value: clone(value), heads: map[store.ID]int{}, peers: map[identity.Device][]byte{}, settings: map[string][]byte{},
	}}
	return nil
}

func (t *tx) SetRound(tag identity.Tag, value []byte) error {
	d, err := t.in(tag, value)
	if err == nil {
		d.value = clone(value)
	}
	return err
}

func (t *tx) RemoveRound(tag identity.Tag) error {
	_, err := t.in(tag, nil)
	if err == nil {
		t.changed[tag] = nil
	}
	return err
}

func (t *tx) AddBlock(tag identity.Tag, e store.Entry, raw []byte, cites []store.ID) (uint64, error) {
	d, err := t.in(tag, raw)
	if err != nil {
		return 0, err
	}
	if _, found := d.base.ids[e.ID]; found || d.ids[e.ID] {
		return 0, fmt.Errorf("block %x is %w", e.ID[:4], store.ErrExists)
	}
	n := len(d.base.blocks) + len(d.added)
	e.Arrival = uint64(n) + 1
	d.added = append(d.added, store.Block{Entry: e, Raw: t.m.block(raw)})
	d.ids[e.ID] = true
	d.heads[e.ID] = n
	for _, id := range cites {
		delete(d.heads, id)
	}
	return e.Arrival, nil
}

func (t *tx) Behead(tag identity.Tag, ids []store.ID) error {
	d, err := t.in(tag, nil)
	if err == nil {
		for _, id := range ids {
			delete(d.heads, id)
		}
	}
	return err
}

func (t *tx) Head(tag identity.Tag, ids []store.ID) error {
	d, err := t.in(tag, nil)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if n, ok := d.base.ids[id]; ok {
			d.heads[id] = n
		}
		for i, b := range d.added {
			if b.ID == id {
				d.heads[id] = len(d.base.blocks) + i
			}
		}
	}
	return nil
}

func (t *tx) PutDraft(tag identity.Tag, id [16]byte, value []byte) error {
	d, err := t.in(tag, value)
	if err != nil {
		return err
	}
	next := store.Draft{ID: id, Value: clone(value)}
	if i := d.draft(id); i >= 0 {
		d.drafts[i] = next
	} else {
		d.drafts = append(d.drafts, next)
	}
	return nil
}

func (t *tx) RemoveDraft(tag identity.Tag, id [16]byte) error {
	d, err := t.in(tag, nil)
	if err != nil {
		return err
	}
	if i := d.draft(id); i >= 0 {
		d.drafts = slices.Delete(d.drafts, i, i+1)
	}
	return nil
}

func (s small) draft(id [16]byte) int {
	return slices.IndexFunc(s.drafts, func(d store.Draft) bool { return d.ID == id })
}

func (t *tx) PutPeer(tag identity.Tag, device identity.Device, value []byte) error {
	d, err := t.in(tag, value)
	if err == nil {
		d.peers[device] = clone(value)
	}
	return err
}

func (t *tx) RemovePeer(tag identity.Tag, device identity.Device) error {
	d, err := t.in(tag, nil)
	if err == nil {
		delete(d.peers, device)
	}
	return err
}

func (t *tx) PutSetting(tag identity.Tag, name string, value []byte) error {
	d, err := t.in(tag, value)
	if err == nil {
		err = store.CheckName(name)
	}
	if err == nil {
		d.settings[name] = clone(value)
	}
	return err
}

func (t *tx) RemoveSetting(tag identity.Tag, name string) error {
	d, err := t.in(tag, nil)
	if err == nil {
		err = store.CheckName(name)
	}
	if err == nil {
		delete(d.settings, name)
	}
	return err
}

// settle returns the round with everything that was added. Its base is not used any more.
func (d *draft) settle() *round {
	r := d.base
	r.small = d.small
	for _, b := range d.added {
		n := len(r.blocks)
		r.blocks = append(r.blocks, b)
		r.ids[b.ID] = n
		at, _ := slices.BinarySearchFunc(r.order, b.Position(), func(i int, p store.Position) int {
			return r.blocks[i].Position().Compare(p)
		})
		r.order = slices.Insert(r.order, at, n)
		line := r.lines[b.Author]
		at, _ = slices.BinarySearchFunc(line, linePlace(b.Entry), func(i int, p store.Position) int {
			return linePlace(r.blocks[i].Entry).Compare(p)
		})
		r.lines[b.Author] = slices.Insert(line, at, n)
	}
	return r
}

// linePlace orders a line by (seq, id).
func linePlace(e store.Entry) store.Position { return store.Position{T: e.Seq, ID: e.ID} }
