package shell

import (
	"cmp"
	"slices"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

const (
	gather  = 200 * time.Millisecond // deliveries that come together are told together
	patient = 3 * time.Second        // until a message that waits with somebody online is told of

	quoteCols = 40 // of such a message, to tell which
)

// deliveries follows the own messages that were shown as waiting, until somebody holds them. Of a message that was held
// at once nobody needs to hear, and /pending tells.
type deliveries struct {
	waits map[engine.MessageID]bool   // shown as waiting
	quiet map[engine.MessageID]int    // may go on any moment; the number is that of its patience
	last  int                         // of these numbers
	news  map[engine.MessageID]heldBy // to be told of; nil if there are none
	later later
	tell  func(term.Text)
}

func newDeliveries(in later, tell func(term.Text)) *deliveries {
	return &deliveries{
		waits: map[engine.MessageID]bool{}, quiet: map[engine.MessageID]int{}, later: in, tell: tell,
	}
}

// follows reports whether a message was told of, and nobody is known to hold it.
func (d *deliveries) follows(id engine.MessageID) bool { return d.waits[id] || d.quiet[id] > 0 }

type heldBy struct{ held, members int }

// soon runs f in a while unless the message has gone on before.
func (d *deliveries) soon(id engine.MessageID, f func()) {
	d.last++
	mine := d.last
	d.quiet[id] = mine
	d.later(patient, func() {
		if d.quiet[id] == mine {
			delete(d.quiet, id)
			f()
		}
	})
}

func (d *deliveries) signed(id engine.MessageID) { delete(d.quiet, id) }

func (d *deliveries) drop(id engine.MessageID) {
	delete(d.quiet, id)
	delete(d.waits, id)
}

// delivered notes that more members hold a message. The first time is told, soon, and with the newest numbers.
func (d *deliveries) delivered(ev engine.DeliveryEvent) {
	delete(d.quiet, ev.ID)
	if !d.waits[ev.ID] || ev.Held == 0 {
		return
	}
	if d.news == nil {
		d.news = map[engine.MessageID]heldBy{}
		d.later(gather, d.flush)
	}
	d.news[ev.ID] = heldBy{ev.Held, ev.Members}
}

// flush tells what has gathered.
func (d *deliveries) flush() {
	counts := map[heldBy]int{}
	for id, h := range d.news {
		counts[h]++
		delete(d.waits, id)
	}
	d.news = nil
	all := make([]heldBy, 0, len(counts))
	for h := range counts {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b heldBy) int { return cmp.Or(b.held-a.held, a.members-b.members) })
	for _, h := range all {
		if counts[h] == 1 {
			d.tell(term.Sprintf("(held by %d of %d)", h.held, h.members))
		} else {
			d.tell(term.Sprintf("(%d messages held by %d of %d)", counts[h], h.held, h.members))
		}
	}
}
