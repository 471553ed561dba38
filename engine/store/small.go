package store

import (
	"encoding/binary"

	"opentalk/engine/identity"
)

// Keys of the outbox: drafts by number, in the order they were put, and their numbers by id.
func draftKey(n uint64) []byte      { return append([]byte{0}, number(n)...) }
func draftIDKey(id [16]byte) []byte { return append([]byte{1}, id[:]...) }

func (t *tx) PutDraft(tag identity.Tag, id [16]byte, value []byte) error {
	err := t.in(tag, value, func(r *round) error {
		n, found, err := r.draftNumber(id)
		if err != nil {
			return err
		}
		if !found {
			n = r.draft
			r.draft++
			r.drafts++
			r.dirty = true
			if err := r.put(draftsBucket, draftIDKey(id), number(n)); err != nil {
				return err
			}
		}
		return r.put(draftsBucket, draftKey(n), append(id[:], value...))
	})
	return t.note(err, opPutDraft, tag, id[:], value)
}

func (t *tx) RemoveDraft(tag identity.Tag, id [16]byte) error {
	err := t.in(tag, nil, func(r *round) error {
		n, found, err := r.draftNumber(id)
		if err != nil || !found {
			return err
		}
		r.drafts--
		r.dirty = true
		if err := r.remove(draftsBucket, draftKey(n)); err != nil {
			return err
		}
		return r.remove(draftsBucket, draftIDKey(id))
	})
	return t.note(err, opRemoveDraft, tag, id[:])
}

// draftNumber returns the number of a draft, which must be that draft's.
func (r *round) draftNumber(id [16]byte) (uint64, bool, error) {
	value, found, err := r.get(draftsBucket, draftIDKey(id))
	if err != nil || !found {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, damaged("number of a draft of %d bytes", len(value))
	}
	n := binary.BigEndian.Uint64(value)
	draft, found, err := r.get(draftsBucket, draftKey(n))
	if err != nil {
		return 0, false, err
	}
	if !found || len(draft) < len(id) || [16]byte(draft[:16]) != id {
		return 0, false, damaged("draft %x is missing", id)
	}
	return n, true, nil
}

func (t *tx) PutPeer(tag identity.Tag, device identity.Device, value []byte) error {
	err := t.in(tag, value, func(r *round) error { return r.keep(peersBucket, device[:], value, &r.peers) })
	return t.note(err, opPutPeer, tag, device[:], value)
}

func (t *tx) RemovePeer(tag identity.Tag, device identity.Device) error {
	err := t.in(tag, nil, func(r *round) error { return r.drop(peersBucket, device[:], &r.peers) })
	return t.note(err, opRemovePeer, tag, device[:])
}

func (t *tx) PutSetting(tag identity.Tag, name string, value []byte) error {
	err := t.in(tag, value, func(r *round) error {
		if err := CheckName(name); err != nil {
			return err
		}
		return r.keep(settingsBucket, []byte(name), value, &r.settings)
	})
	return t.note(err, opPutSetting, tag, []byte(name), value)
}

func (t *tx) RemoveSetting(tag identity.Tag, name string) error {
	err := t.in(tag, nil, func(r *round) error {
		if err := CheckName(name); err != nil {
			return err
		}
		return r.drop(settingsBucket, []byte(name), &r.settings)
	})
	return t.note(err, opRemoveSetting, tag, []byte(name))
}

// Drafts returns the outbox in the order it was filled.
func (s *Store) Drafts(tag identity.Tag) (drafts []Draft, err error) {
	err = s.in(tag, func(r *round) error {
		return r.each(draftsBucket, 2*r.drafts, func(key, value []byte) error {
			if key[0] != 0 {
				return nil
			}
			if len(value) < 16 {
				return damaged("draft of %d bytes", len(value))
			}
			drafts = append(drafts, Draft{ID: [16]byte(value[:16]), Value: clone(value[16:])})
			return nil
		})
	})
	return drafts, err
}

// Peers returns the round's address book, in order of devices.
func (s *Store) Peers(tag identity.Tag) (peers []Peer, err error) {
	err = s.in(tag, func(r *round) error {
		return r.each(peersBucket, r.peers, func(key, value []byte) error {
			if len(key) != len(identity.Device{}) {
				return damaged("peer %x", key)
			}
			peers = append(peers, Peer{Device: identity.Device(key), Value: clone(value)})
			return nil
		})
	})
	return peers, err
}

// Setting returns a value of the round; ok is false if there is none of this name.
func (s *Store) Setting(tag identity.Tag, name string) (value []byte, ok bool, err error) {
	err = s.in(tag, func(r *round) error {
		found, ok2, err := r.get(settingsBucket, []byte(name))
		if err != nil {
			return err
		}
		if !ok2 { // there are few: count them before believing it
			return r.checkSettings()
		}
		value, ok = clone(found), true
		return nil
	})
	return value, ok, err
}
