package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// A device that signs two blocks of one seq has written two histories, and no order could be made of both that is safe from
// the next. The two signatures prove it, to everybody and for good: the proof is kept and passed on, the device is flagged and
// not cited any more. From then on its blocks are taken only where others have built on them. CHAIN 6.4.

// proof is what is kept of a fork.
type proof struct {
	link.Proof
	fork chain.Fork
}

const forkPrefix = "fork "

func forkSetting(d Device) string { return forkPrefix + hex.EncodeToString(d[:]) }

// noteFork looks whether a block that has been checked, but not admitted, is the second of its seq. Its edges may be missing:
// the signature says enough.
func (r *round) noteFork(b *chain.Block) error {
	line := r.chain.Line(b.Author)
	if line == nil || b.Seq > line.Newest.Seq || line.Fork != nil {
		return nil
	}
	other, err := r.signedAt(b.Author, b.Seq)
	if err != nil || other == nil {
		return err
	}
	raw := link.Proof{A: other, B: b.Signed()}
	d, fork, err := r.chain.Proof(raw.A, raw.B)
	if err != nil {
		return err
	}
	return r.flag(d, proof{raw, fork})
}

// signedAt finds header and signature of an admitted block of a device at seq, nil if there is none.
func (r *round) signedAt(d Device, seq uint64) ([]byte, error) {
	if seq == 0 && d == r.genesis.Author {
		return r.genesis.Signed(), nil
	}
	for _, b := range r.unlanded {
		if b.Author == d && b.Seq == seq {
			return b.Signed(), nil
		}
	}
	if !r.kept {
		return nil, nil
	}
	blocks, err := r.c.store.Line(r.tag, d, seq, seq, store.Limit{Blocks: 1})
	if err != nil || len(blocks) == 0 {
		return nil, err
	}
	b, err := chain.Parse(blocks[0].Raw)
	if err != nil {
		return nil, err
	}
	return b.Signed(), nil
}

// flag marks a device for good, and tells everybody.
func (r *round) flag(d Device, pr proof) error {
	line := r.chain.Line(d)
	if line.Fork != nil {
		return nil
	}
	value, err := cbor.Marshal(pr.Proof)
	if err != nil {
		return err
	}
	r.chain.Flag(d, pr.fork)
	r.proofs[d] = pr
	r.c.write(func(w store.Tx) error { return w.PutSetting(r.tag, forkSetting(d), value) }, nil)
	if d != r.c.self.Key.Device() { // which says so itself, and retires
		who := r.person(line.Credential.Fingerprint(), d)
		r.c.tell(ForkEvent{Round: r.tag, Person: who})
		r.c.tell(NoticeEvent{Text: fmt.Sprintf("a device of %s has written two histories: it signed two blocks with number %d",
			who.Name, pr.fork.Seq)})
	}
	for _, p := range r.peers {
		p.forgive(d)
	}
	r.c.settled(func() { // who is shown it may fetch both blocks
		for _, p := range r.peers {
			if p.online() {
				p.prove(d)
			}
		}
	})
	return nil
}

// flagKnown flags a device whose proof came before its first block.
func (r *round) flagKnown(d Device) error {
	if pr, ok := r.proofs[d]; ok {
		return r.flag(d, pr)
	}
	return nil
}

// restoreFork reads the proof about a device, and of its newest blocks picks the one that counts.
func (r *round) restoreFork(line *chain.Line) error {
	d := line.First.Author
	value, ok, err := r.c.store.Setting(r.tag, forkSetting(d))
	if err != nil || !ok {
		return err
	}
	var raw link.Proof
	if err := cbor.Unmarshal(value, &raw); err != nil {
		return err
	}
	_, fork, err := r.chain.Proof(raw.A, raw.B)
	if err != nil {
		return err
	}
	r.proofs[d], line.Fork = proof{raw, fork}, &fork
	blocks, err := r.c.store.Line(r.tag, d, line.Newest.Seq, line.Newest.Seq, store.Limit{})
	if err == nil && len(blocks) > 0 {
		line.Newest = placeOf(blocks[0].Entry) // ascending by id
	}
	return err
}

// onProof takes in what somebody else has found out, and fetches what of it this device lacks.
func (p *peer) onProof(m link.Proof) {
	r := p.round
	d, fork, err := r.chain.Proof(m.A, m.B)
	if errors.Is(err, chain.ErrVersion) {
		return
	}
	if err != nil {
		p.drop(link.ReasonBlock, err)
		return
	}
	if r.chain.Line(d) == nil { // not heard of yet
		if len(r.proofs) < maxProofs {
			r.proofs[d] = proof{m, fork}
			p.proved[d] = true
		}
		return
	}
	p.proved[d] = true
	p.forgive(d)
	if err := r.flag(d, proof{m, fork}); err != nil {
		r.c.tell(ErrorEvent{Round: r.tag, Err: err})
	}
	p.fetch(r.unknown([]chain.ID{fork.A, fork.B}))
}

// prove shows a peer the proof about a device, once.
func (p *peer) prove(d Device) {
	if pr, ok := p.round.proofs[d]; ok && !p.proved[d] {
		p.proved[d] = true
		p.send(pr.Proof)
	}
}

// sendProofs shows a peer all that is known.
func (p *peer) sendProofs() {
	for d := range ordered(p.round.proofs, compareDevices) {
		p.prove(d)
	}
}

// forgive expects no ACK for a flagged device's blocks: they may not have been taken.
func (p *peer) forgive(d Device) {
	delete(p.owes, d)
	if len(p.owes) == 0 {
		p.unacked = time.Time{}
	}
}

// differs reports whether an entry of somebody's frontier or ACK shows another block than the one here.
func (r *round) differs(e link.Entry) bool {
	line := r.chain.Line(e.Device)
	if line == nil || line.Fork != nil && !r.isOwn(line) || e.Seq > line.Newest.Seq || e.ID == line.Newest.ID {
		return false
	}
	_, ok, err := r.entry(e.ID)
	return !ok && err == nil
}

// lift asks a peer for a flagged device's line from the fork to b, which others have built on and there is no room to set
// aside: in order, nothing of it has to wait. Whatever else the device wrote up to there comes along.
func (p *peer) lift(b *chain.Block) {
	r := p.round
	line := r.chain.Line(b.Author)
	if line == nil || line.Fork == nil || b.Seq < line.Fork.Seq || p.lifting != 0 {
		return
	}
	r.lifted[b.Author] = max(b.Seq, r.lifted[b.Author])
	p.request++
	p.lifting = p.request
	p.send(link.Want{Request: p.lifting, Ranges: []link.Range{{Device: b.Author, From: line.Fork.Seq, To: b.Seq}}})
}

// isOwn reports whether a line is by a device of this person. Whatever such a one wrote before it retired is taken, and built
// on: nobody else would.
func (r *round) isOwn(line *chain.Line) bool {
	return line.Credential.Fingerprint() == r.c.self.Credential.Fingerprint()
}

// unknown lists which of ids and of what they descend from is neither admitted nor set aside.
func (r *round) unknown(ids []chain.ID) (unknown []chain.ID) {
	seen := map[chain.ID]bool{}
	for queue := slices.Clone(ids); len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if seen[id] {
			continue
		}
		seen[id] = true
		if w := r.orphans.waiting[id]; w != nil {
			queue = append(queue, w.block.Edges()...)
		} else if _, ok, err := r.entry(id); err == nil && !ok {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

// wanted reports whether a block is taken for its own sake: not that of a flagged device of somebody else beyond the pair that
// proves it, and what comes before that.
func (r *round) wanted(b *chain.Block) bool {
	line := r.chain.Line(b.Author)
	if line == nil || line.Fork == nil || r.isOwn(line) {
		return true
	}
	return r.proves(b) || b.Seq <= r.lifted[b.Author] || b.Seq < line.Fork.Seq && b.Seq > line.Newest.Seq
}

// proves reports whether a block is one of the two that prove a fork.
func (r *round) proves(b *chain.Block) bool {
	line := r.chain.Line(b.Author)
	return line != nil && line.Fork != nil && (b.ID() == line.Fork.A || b.ID() == line.Fork.B)
}

// needed reports whether a block is wanted, or something waits for it that is.
func (r *round) needed(b *chain.Block) bool {
	seen := map[chain.ID]bool{}
	for queue := []*chain.Block{b}; len(queue) > 0; queue = queue[1:] {
		b := queue[0]
		if r.wanted(b) {
			return true
		}
		for child := range r.orphans.wanted[b.ID()] {
			if w := r.orphans.waiting[child]; w != nil && !seen[child] {
				seen[child] = true
				queue = append(queue, w.block)
			}
		}
	}
	return false
}

// shun sets aside a block of a flagged device that nobody has built on, and tells who sent it why it is not acknowledged.
func (r *round) shun(p *peer, b *chain.Block, missing []chain.ID) {
	r.orphans.keep(p.id, b, missing, r.c.now, true)
	r.c.settled(func() {
		if r.c.peers[p.id] == p && p.online() {
			p.prove(b.Author)
		}
	})
}

// forked reports whether a device of a person has written two histories.
func (r *round) forked(p *person) bool {
	return slices.ContainsFunc(p.devices, func(d Device) bool { l := r.chain.Line(d); return l != nil && l.Fork != nil })
}
