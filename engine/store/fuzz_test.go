package store

import (
	"bytes"
	"testing"

	"opentalk/engine/identity"
)

// FuzzRecord: what is read of a record in the file is what was put there: a value, or a block with its entry. Each input is
// taken as a record, and as what a record with the right checksums says; and it holds at no other place.
func FuzzRecord(f *testing.F) {
	e, raw, _ := testBlock(3)
	here := place{bucket: blocksBucket, tag: testTag, key: number(4)}
	f.Add(here.sealBlock(e, raw))
	f.Add(here.seal([]byte("a value")))
	f.Add(here.seal(nil))
	f.Add(appendEntry(nil, e))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, said []byte) {
		records := [][]byte{said, here.seal(said)}
		if len(said) >= entrySize {
			records = append(records, here.sealBlock(parseEntry(said[:entrySize], 0), said[entrySize:]))
		}
		elsewhere := place{bucket: blocksBucket, tag: testTag, key: number(5)}
		for i, rec := range records {
			value, err := here.open(rec)
			if err == nil && !bytes.Equal(here.seal(value), rec) || i == 1 && (err != nil || !bytes.Equal(value, said)) {
				t.Errorf("%x is read as %x, %v", rec, value, err)
			}
			b, err := here.openBlock(rec)
			if err == nil && (b.Arrival != 4 || !bytes.Equal(here.sealBlock(b.Entry, b.Raw), rec)) || i == 2 && err != nil {
				t.Errorf("%x is read as %+v, %v", rec, b, err)
			}
			if _, other := elsewhere.openBlock(rec); err == nil && other == nil {
				t.Errorf("%x holds at two places", rec)
			}
		}
	})
}

// FuzzState: the counts of a round have one encoding.
func FuzzState(f *testing.F) {
	f.Add(state{blocks: 1, heads: 2, drafts: 3, peers: 4, settings: 5, draft: 6}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, said []byte) {
		var s state
		if err := s.decode(said); err == nil && !bytes.Equal(s.encode(), said) {
			t.Errorf("%x is read as %+v", said, s)
		}
	})
}

// FuzzPage: whatever a page holds, what is read of it lies in it, in order and without a gap.
func FuzzPage(f *testing.F) {
	leaf := make([]byte, pageHeader+2*pageElem)
	leaf[8], leaf[10] = 2, 2 // a leaf of two
	leaf[pageHeader+4], leaf[pageHeader+8], leaf[pageHeader+12] = 2*pageElem, 1, 2
	leaf[pageHeader+pageElem+4], leaf[pageHeader+pageElem+8] = pageElem+3, 1
	f.Add(append(leaf, "k12l"...))
	f.Add(make([]byte, pageHeader))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < pageHeader { // which Open does not look at
			return
		}
		elems, err := page{b: b}.elems(nil, nil)
		at := pageHeader + len(elems)*pageElem
		for i, e := range elems {
			if !bytes.Equal(append(bytes.Clone(e.key), e.value...), b[at:at+len(e.key)+len(e.value)]) || i > 0 && bytes.Compare(elems[i-1].key, e.key) >= 0 {
				t.Errorf("element %d of %x is %x: %x", i, b, e.key, e.value)
			}
			at += len(e.key) + len(e.value)
		}
		parseRoot(b)
		if err != nil && elems != nil {
			t.Error("there are elements and an error", err)
		}
	})
}

// retold is a Tx that writes down what is done in it, as the journal does.
type retold struct {
	Tx
	ops []byte
}

func (r *retold) say(op byte, tag identity.Tag, parts ...[]byte) error {
	r.ops = appendOp(r.ops, op, tag, parts...)
	return nil
}

func (r *retold) AddBlock(tag identity.Tag, e Entry, raw []byte, cites []ID) (uint64, error) {
	return 0, r.say(opAddBlock, tag, appendEntry(nil, e), raw, joinIDs(cites))
}
func (r *retold) Behead(tag identity.Tag, ids []ID) error { return r.say(opBehead, tag, joinIDs(ids)) }
func (r *retold) Head(tag identity.Tag, ids []ID) error   { return r.say(opHead, tag, joinIDs(ids)) }
func (r *retold) PutDraft(tag identity.Tag, id [16]byte, value []byte) error {
	return r.say(opPutDraft, tag, id[:], value)
}
func (r *retold) RemoveDraft(tag identity.Tag, id [16]byte) error {
	return r.say(opRemoveDraft, tag, id[:])
}
func (r *retold) PutPeer(tag identity.Tag, d identity.Device, value []byte) error {
	return r.say(opPutPeer, tag, d[:], value)
}
func (r *retold) RemovePeer(tag identity.Tag, d identity.Device) error {
	return r.say(opRemovePeer, tag, d[:])
}
func (r *retold) PutSetting(tag identity.Tag, name string, value []byte) error {
	return r.say(opPutSetting, tag, []byte(name), value)
}
func (r *retold) RemoveSetting(tag identity.Tag, name string) error {
	return r.say(opRemoveSetting, tag, []byte(name))
}

// FuzzJournal: of a journal nothing is read but records that are whole, each of which encodes again to what it was; and an
// operation that is read is done as it was written, to the byte. Each input is taken as a journal, and as what a record says.
func FuzzJournal(f *testing.F) {
	e, raw, cites := testBlock(5)
	said := &retold{}
	said.AddBlock(testTag, e, raw, cites)
	said.Behead(testTag, cites)
	said.Head(testTag, nil)
	said.PutDraft(testTag, [16]byte{1}, []byte("draft"))
	said.RemoveDraft(testTag, [16]byte{1})
	said.PutPeer(testTag, identity.Device{2}, nil)
	said.RemovePeer(testTag, identity.Device{2})
	said.PutSetting(testTag, "name", []byte("value"))
	said.RemoveSetting(testTag, "name")
	f.Add(said.ops)
	f.Add(appendOp(nil, opBehead, testTag, make([]byte, 33)))
	f.Add(append(record{storeID{1}, 7, said.ops}.encode(), record{storeID{1}, 9, nil}.encode()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _ := remaining(b)
		if row := records(b); len(row) > len(all) {
			t.Errorf("%d records in a row, %d in all", len(row), len(all))
		}
		for i, r := range all {
			if !bytes.Contains(b, r.encode()) || i > 0 && r.number <= all[i-1].number {
				t.Errorf("record %d, number %d, is not in the journal", i, r.number)
			}
		}
		for _, r := range append(all, record{ops: b}) {
			ops, err := operations(r.ops)
			if err != nil {
				continue
			}
			again := &retold{}
			for _, o := range ops {
				o.apply(again)
			}
			if !bytes.Equal(again.ops, r.ops) {
				t.Errorf("%x is done as %x", r.ops, again.ops)
			}
		}
	})
}
