package engine

import (
	"errors"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// delivery is who holds what this device has said. A device that has retired may have said things that not all hold yet: its
// line is followed until they do.
type delivery struct {
	unheld   []said
	holds    map[Device]map[Device]uint64 // for each line that is followed, the newest seq of it that each device is known to hold
	holdsNew bool                         // the store does not have all of holds
}

// said is an own block that some member is not known to hold.
type said struct {
	line Device // whose seq tells who holds it
	seq  uint64
	id   chain.ID
	msgs []MessageID
	held int
}

const holdsSetting = "holds"

// followFrom begins to watch who holds a line of this person's.
func (r *round) followFrom(line Device) {
	if r.holds[line] == nil {
		r.holds[line], r.holdsNew = map[Device]uint64{}, true
	}
}

// restoreHolds takes up the lines that are followed, with the blocks of each that nobody is known to hold.
func (r *round) restoreHolds() error {
	value, _, err := r.c.store.Setting(r.tag, holdsSetting)
	if err != nil {
		return err
	}
	var holds map[Device]map[Device]uint64
	if len(value) > 0 && cbor.Unmarshal(value, &holds) == nil {
		r.holds = holds
	}
	self := r.c.self.Key.Device()
	for line := range ordered(r.holds, compareDevices) {
		if line != self {
			err = errors.Join(err, r.restoreUnheld(line))
		}
	}
	if r.chain.Line(self) != nil {
		r.followFrom(self)
		err = errors.Join(err, r.restoreUnheld(self)) // last: it may vouch for the others
	}
	r.unheld = slices.DeleteFunc(r.unheld, func(s said) bool { return s.line != self && r.builtOn(s.line) })
	r.forgetHolds()
	return err
}

// forgetHolds ends following the lines of retired devices of which all is held.
func (r *round) forgetHolds() {
	for line := range r.holds {
		if line != r.c.self.Key.Device() && !slices.ContainsFunc(r.unheld, func(s said) bool { return s.line == line }) {
			delete(r.holds, line)
		}
	}
}

func (r *round) restoreUnheld(line Device) error {
	most := uint64(0)
	for _, seq := range r.holds[line] {
		most = max(most, seq)
	}
	blocks, err := r.c.store.Line(r.tag, line, most+1, chain.MaxTime, store.Limit{})
	if err != nil {
		return err
	}
	for _, raw := range blocks {
		if b, err := chain.Parse(raw.Raw); err == nil {
			r.follow(b, r.messages(b))
		}
	}
	return nil
}

func (r *round) saveHolds() {
	r.holdsNew = false
	if value, err := cbor.Marshal(r.holds); err == nil {
		r.c.write(func(w store.Tx) error { return w.PutSetting(r.tag, holdsSetting, value) }, nil)
	}
}

// follow watches who comes to hold an own block, which says some messages.
func (r *round) follow(b *chain.Block, messages []Message) {
	if b.Author == r.c.self.Key.Device() {
		r.vouch(b)
	}
	s := said{line: b.Author, seq: b.Seq, id: b.ID()}
	for _, m := range messages {
		s.msgs = append(s.msgs, m.ID)
	}
	if len(s.msgs) == 0 {
		return
	}
	r.followFrom(b.Author)
	if r.unheld = append(r.unheld, s); len(r.unheld) > unheldKept {
		r.unheld = r.unheld[1:]
	}
}

// vouch is for the lines of retired devices with two histories. Others take such a line only where somebody has built on it,
// and say little of how far: but who holds b, which comes after all of it, holds it.
func (r *round) vouch(b *chain.Block) {
	for i := range r.unheld {
		if s := &r.unheld[i]; s.line != b.Author && r.builtOn(s.line) {
			s.line, s.seq, s.held = b.Author, b.Seq, 0
		}
	}
}

// builtOn reports whether a line with two histories has no end that nobody has built on.
func (r *round) builtOn(d Device) bool {
	line := r.chain.Line(d)
	return line != nil && line.Fork != nil && !slices.ContainsFunc(r.chain.Heads(), func(h chain.Place) bool { return h.Author == d })
}

// heldTo notes what a peer's frontier or ACK says of a line that is followed.
func (r *round) heldTo(d Device, e link.Entry) {
	if r.chain == nil {
		return // who comes back is told how far they had come before they have genesis
	}
	if line := r.chain.Line(e.Device); r.holds[e.Device] != nil && line != nil && line.Fork == nil {
		r.holdsUpTo(e.Device, d, e.Seq)
	}
}

// holdsUpTo notes that a device holds a line that is followed up to seq.
func (r *round) holdsUpTo(own, d Device, seq uint64) {
	line := r.chain.Line(d)
	if seq <= r.holds[own][d] || line == nil {
		return
	}
	who := line.Credential.Fingerprint()
	if who == r.c.self.Credential.Fingerprint() {
		return
	}
	before := r.heldBy(own, who)
	r.holds[own][d], r.holdsNew = seq, true
	others := r.people.members() - 1
	for i := range r.unheld {
		s := &r.unheld[i]
		if s.line != own || s.seq <= before || s.seq > seq {
			continue
		}
		if !r.people[who].left() {
			s.held++
		}
		for _, id := range s.msgs {
			r.c.tell(DeliveryEvent{Round: r.tag, ID: id, Held: s.held, Members: others})
		}
	}
	r.goodbyeHeld(seq)
	r.unheld = slices.DeleteFunc(r.unheld, func(s said) bool { return s.held >= others })
	r.forgetHolds()
}

// heldBy is how far some device of a person holds a line that is followed.
func (r *round) heldBy(own Device, who Fingerprint) (seq uint64) {
	if p := r.people[who]; p != nil {
		for _, d := range p.devices {
			seq = max(seq, r.holds[own][d])
		}
	}
	return seq
}
