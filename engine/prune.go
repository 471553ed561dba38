package engine

import (
	"time"

	"opentalk/engine/link"
)

// Who brings whom what. A new block could come to a device along every link that it has, and all but the first would bring it
// in vain: in a round of ten that is work for ten. So a device that is brought a block which it has tells who brought it to
// PRUNE its author: of their blocks it hears from there a moment later only, in an ACK, and not at all once it has shown that
// it holds them. What is left is a tree for each author, along which blocks travel fastest. If it breaks, that ACK tells what
// is missing, and who has to ask is brought that author's blocks again. LINK 6.2.
//
// It is Plumtree: Leitão, Pereira and Rodrigues, "Epidemic Broadcast Trees", SRDS 2007.

// pruned is how two ends of a link stand with that.
type pruned struct {
	theirs map[Device]bool      // whose blocks the peer gets from others
	ours   map[Device]time.Time // when it was last told that this device gets theirs from others
	late   map[Device]bool      // of theirs, the lines that have grown since it was last told
	due    time.Time            // when it is told; zero if late is empty
}

// inVain notes that the peer has brought or announced a block that is here.
func (p *peer) inVain(author Device) {
	now := p.round.c.now
	if author != p.device() && now.Sub(p.pruned.ours[author]) >= pruneAgain {
		p.pruned.ours[author] = now
		p.send(link.Prune{Devices: []Device{author}})
	}
}

// onPrune notes whose blocks the peer gets from others. This device's own it is always sent.
func (p *peer) onPrune(m link.Prune) {
	for _, d := range m.Devices {
		if d != p.round.c.self.Key.Device() && p.round.chain.Line(d) != nil {
			p.pruned.theirs[d] = true
		}
	}
}

// graft takes back what the peer has pruned: it has had to ask.
func (p *peer) graft(m link.Message) {
	switch m := m.(type) {
	case link.Want:
		for _, r := range m.Ranges {
			delete(p.pruned.theirs, r.Device)
		}
	case link.Fetch:
		for _, id := range m.IDs {
			if e, ok, err := p.round.entry(id); ok && err == nil {
				delete(p.pruned.theirs, e.Author)
			}
		}
	}
}

// tellLater has the peer told of a line a moment later. The moments differ, so that of two who tell each other one comes first.
func (p *peer) tellLater(d Device) {
	c := p.round.c
	if p.pruned.late[d] = true; p.pruned.due.IsZero() {
		p.pruned.due = c.now.Add(pruneWait + time.Duration(c.random(int(pruneWait))))
	}
	c.wakeAt(p.pruned.due)
}

// tellLate tells the peer of the lines that have waited long enough, and it is not known to hold.
func (p *peer) tellLate() {
	switch c := p.round.c; {
	case p.pruned.due.IsZero():
	case c.now.Before(p.pruned.due):
		c.wakeAt(p.pruned.due)
	default:
		for d := range p.pruned.late {
			if at := p.round.durable[d]; beyond(p.known, d, at.Seq) && beyond(p.told, d, at.Seq) {
				p.acknowledge(d, at.Seq)
			}
		}
		clear(p.pruned.late)
		p.pruned.due = time.Time{}
	}
}
