package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/link"
	"opentalk/engine/seal"
	"opentalk/engine/store"
)

// wreckage is what was found in a damaged store. Blocks stay where they are until they are needed: of each only the place in
// the order is in memory.
type wreckage map[Tag]*remains

// remains are those of one round. Of what was found more than once, the last counts; of settings all do.
type remains struct {
	value                  []byte
	counted, countedDrafts uint64 // as the store last counted
	hasCounts              bool
	blocks                 []foundBlock
	drafts                 waitingDrafts
	peers                  map[Device][]byte
	settings               map[string][][]byte
}

type foundBlock struct {
	store.Position
	at store.Spot
}

// waitingDrafts are drafts with their number in the outbox.
type waitingDrafts map[MessageID]numbered

type numbered struct {
	store.Draft
	n uint64
}

func (w wreckage) of(tag Tag) *remains {
	r := w[tag]
	if r == nil {
		r = &remains{drafts: waitingDrafts{}, peers: map[Device][]byte{}, settings: map[string][][]byte{}}
		w[tag] = r
	}
	return r
}

func (w wreckage) FoundRound(tag Tag, value []byte) { w.of(tag).value = value }

func (w wreckage) FoundCounts(tag Tag, blocks, drafts uint64) {
	if r := w.of(tag); blocks >= r.counted {
		r.counted, r.countedDrafts, r.hasCounts = blocks, drafts, true
	}
}

func (w wreckage) FoundBlock(tag Tag, e store.Entry, at store.Spot) {
	r := w.of(tag)
	r.blocks = append(r.blocks, foundBlock{e.Position(), at})
}

func (w wreckage) FoundDraft(tag Tag, n uint64, d store.Draft) {
	w.of(tag).drafts[d.ID] = numbered{d, n}
}

func (w wreckage) FoundPeer(tag Tag, p store.Peer) { w.of(tag).peers[p.Device] = p.Value }

func (w wreckage) FoundSetting(tag Tag, name string, value []byte) {
	r := w.of(tag)
	r.settings[name] = append(r.settings[name], value)
}

// openDrafts are the drafts that this person has written.
func (left *remains) openDrafts(r *round) waitingDrafts {
	maps.DeleteFunc(left.drafts, func(id MessageID, d numbered) bool {
		plain, err := seal.OpenPrivate(r.c.keys.Store, r.draftName(), d.Value)
		if err == nil {
			_, err = decodeDraft(id, plain)
		}
		return err != nil
	})
	return left.drafts
}

func (ds waitingDrafts) inOrder() []numbered {
	return slices.SortedFunc(maps.Values(ds), func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
}

// reprove flags the devices about which there is a proof whose blocks were lost.
func (r *round) reprove(settings map[string][][]byte) error {
	for name, values := range settings {
		for _, value := range values {
			var raw link.Proof
			if !strings.HasPrefix(name, forkPrefix) || cbor.Unmarshal(value, &raw) != nil {
				continue
			}
			d, fork, err := r.chain.Proof(raw.A, raw.B)
			if err != nil || r.chain.Line(d) == nil {
				continue
			}
			if err := r.flag(d, proof{raw, fork}); err != nil {
				return err
			}
		}
	}
	return nil
}
