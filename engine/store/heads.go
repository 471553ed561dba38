package store

// headChange is what a transaction makes of a block. The bucket is told at its end: in a long row of blocks each is a head
// until the next, and few are when all are there.
type headChange struct {
	head    bool
	stored  bool   // the bucket says that it is
	arrival []byte // as the bucket has it
}

// setHead makes a block a head, or none any more, and reports whether it was one.
func (r *round) setHead(id ID, head bool, arrival []byte) (was bool, err error) {
	change, changed := r.newly[id]
	if !changed {
		_, change.stored, err = r.get(headsBucket, id[:])
		if err != nil {
			return false, err
		}
		change.head = change.stored
	}
	switch was = change.head; {
	case head == was:
		return was, nil
	case head:
		r.heads++
	default:
		r.heads--
	}
	r.dirty = true
	if change.head, change.arrival = head, arrival; change.head == change.stored {
		delete(r.newly, id)
		return was, nil
	}
	if r.newly == nil {
		r.newly = map[ID]headChange{}
	}
	r.newly[id] = change
	return was, nil
}

// flushHeads tells the bucket.
func (r *round) flushHeads() error {
	for id, change := range r.newly {
		err := error(nil)
		if change.head {
			err = r.put(headsBucket, id[:], change.arrival)
		} else {
			err = r.remove(headsBucket, id[:])
		}
		if err != nil {
			return err
		}
	}
	clear(r.newly)
	return nil
}
