package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/store"
)

// A store that is damaged is not mended in place. What can still be read goes the way of what comes from a member – it is
// admitted by the rules, edges first – into a new store; that takes the place of the damaged one, which is kept aside.
// Until then nothing is changed, so that a crash, or a full disk, leaves everything as it was.
//
// Whether the newest of one's own blocks were among what was lost, nothing left can tell, nor whether any member who can be
// reached has them. So this device signs nothing any more: its person goes on as a new device.

// salvage is one such rescue.
type salvage struct {
	core  *core
	store *store.Store
	wreck *store.Wreck
	found wreckage
	tell  func(done, total int64, what string)

	blocks, drafts         int  // saved
	lostBlocks, lostDrafts int  // as the store last counted
	uncounted              bool // nothing is left of its counts of some round
}

// salvageStore puts a new store with what is left of the damaged one in its place. The line says what became of it.
func (h *home) salvageStore(cfg *Config, cause error) (line string, err error) {
	path := filepath.Join(h.dir, storeFile)
	cfg.Log.Error("the store is damaged", "err", cause)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w; saving what is left of it: %w", cause, err)
		}
	}()
	wreck, err := store.OpenWreck(path)
	if err != nil {
		return "", h.refused(err)
	}
	defer wreck.Close()
	fresh := path + salvageSuffix
	if err := store.Remove(fresh); err != nil { // of a salvage that did not come to its end
		return "", err
	}
	defer store.Remove(fresh)
	s := &salvage{wreck: wreck, tell: slowly(cfg.Progress)}
	if s.store, err = store.Open(fresh); err != nil {
		return "", h.refused(err)
	}
	s.core = newCore(h.keys, s.store, h.handle, cfg.Log, func(b []byte) { rand.Read(b) })
	s.core.now = time.Now()
	if err := errors.Join(s.run(), s.store.Close()); err != nil {
		return "", err
	}
	kept, err := wreck.Keep()
	if err != nil {
		return "", err
	}
	none := func(Tag, *identity.DeviceKey, *identity.Credential) ([]byte, error) { return nil, nil }
	if err := h.keys.Retire(time.Now(), none); err != nil { // first: no new store ever meets the old key
		os.Remove(kept)
		return "", err
	}
	if err := wreck.Replace(fresh); err != nil {
		return "", err
	}
	return s.line(filepath.Base(kept)), nil
}

// slowly shows now and then how far something has come.
func slowly(show func(string)) func(done, total int64, what string) {
	var next time.Time
	return func(done, total int64, what string) {
		if now := time.Now(); now.After(next) {
			next = now.Add(3 * time.Second)
			show(fmt.Sprintf("%s: %d %%", what, 100*done/max(total, 1)))
		}
	}
}

func (s *salvage) run() error {
	c := s.core
	var tags []Tag
	for i := range c.keys.Rounds {
		tags = append(tags, c.keys.Rounds[i].ID.Tag())
	}
	s.found = wreckage{}
	err := s.wreck.Search(tags, s.found, func(done, total int64) { s.tell(done, total, "the store is damaged; looking for what is left") })
	if err != nil {
		return err
	}
	s.uncounted = s.wreck.LostWrites() > 0
	for i := range c.keys.Rounds {
		if err := s.begin(&c.keys.Rounds[i]); err != nil {
			return err
		}
	}
	for _, r := range c.order {
		r.enrol(nil)
		if err := s.refill(r, s.found.of(r.tag)); err != nil {
			return fmt.Errorf("round %s: %w", r.tag, err)
		}
	}
	s.keepFormer()
	return s.flush()
}

// begin makes a round that the store is yet to know.
func (s *salvage) begin(secret *identity.RoundSecret) error {
	if len(secret.Genesis()) == 0 {
		return nil
	}
	genesis, err := chain.Parse(secret.Genesis())
	if err != nil {
		return fmt.Errorf("reading genesis: %w", err)
	}
	r := s.core.newRound(secret.ID)
	if err := r.begin(genesis); err != nil {
		return err
	}
	left := s.found.of(r.tag)
	if name := nameIn(left.value); name != "" {
		r.name = name
	}
	for _, k := range allMarks {
		for _, value := range left.settings[string(k)] {
			if kept, err := r.openMarks(k, value); err == nil {
				s.core.marks.adopt(k, kept)
			}
		}
	}
	return nil
}

// refill gives a round what is left of it: first the blocks, which say what else is worth something.
func (s *salvage) refill(r *round, left *remains) error {
	drafts := left.openDrafts(r)
	saved := r.blocks
	total := int64(len(left.blocks))
	slices.SortFunc(left.blocks, func(a, b foundBlock) int { return a.Compare(b.Position) })
	for blocks := left.blocks; len(blocks) > 0; {
		n := min(len(blocks), salvageBatch)
		if err := s.readmit(r, blocks[:n], drafts); err != nil {
			return err
		}
		blocks = blocks[n:]
		s.tell(total-int64(len(blocks)), total, fmt.Sprintf("saving %q", r.name))
	}
	saved = r.blocks - saved
	s.uncounted = s.uncounted || !left.hasCounts
	s.blocks += saved
	s.lostBlocks += max(0, int(left.counted)-saved)
	if err := r.reprove(left.settings); err != nil {
		return err
	}
	for device, value := range left.peers {
		r.c.write(func(w store.Tx) error { return w.PutPeer(r.tag, device, value) }, nil)
	}
	waiting := drafts.inOrder()
	for _, d := range waiting {
		r.c.write(func(w store.Tx) error { return w.PutDraft(r.tag, d.ID, d.Value) }, nil)
	}
	s.drafts += len(waiting)
	s.lostDrafts += max(0, int(left.countedDrafts)-len(waiting))
	return s.flush()
}

// readmit admits those of the blocks that hold. What one of them says waits no more.
func (s *salvage) readmit(r *round, found []foundBlock, drafts waitingDrafts) error {
	raws := make([][]byte, 0, len(found))
	for i, f := range found {
		if i > 0 && f.Position == found[i-1].Position {
			continue
		}
		if raw, err := s.wreck.Raw(f.at); err == nil {
			raws = append(raws, raw)
		}
	}
	blocks, errs := verifyAll(raws)
	for i, b := range blocks {
		if errs[i] != nil {
			continue
		}
		taken, err := r.readmit(b)
		if err != nil {
			return err
		}
		if taken && len(drafts) > 0 && r.isOwn(r.chain.Line(b.Author)) {
			for _, m := range r.messages(b) {
				delete(drafts, m.ID)
			}
		}
	}
	return s.flush()
}

// readmit takes in a block that was admitted before; taken is false if it does not hold or lacks an edge now.
func (r *round) readmit(b *chain.Block) (taken bool, err error) {
	if _, ok, err := r.entry(b.ID()); ok || err != nil {
		return false, err
	}
	missing, err := r.chain.Check(b)
	if f := (*chain.Fault)(nil); errors.As(err, &f) || len(missing) > 0 {
		return false, nil
	}
	if err == nil {
		err = r.noteFork(b)
	}
	if err != nil {
		return false, err
	}
	if b.Kind == chain.KindPubKey {
		r.showFirst(b, false)
		if b.Author == r.c.self.Key.Device() {
			r.followFrom(b.Author)
		}
	}
	err = r.add(b, r.change(b, false), nil)
	if err == nil && b.Seq == 0 {
		err = r.flagKnown(b.Author)
	}
	return err == nil, err
}

// keepFormer keeps the marks of rounds that were left.
func (s *salvage) keepFormer() {
	for tag, left := range s.found {
		former, ok := left.settings[formerSetting]
		if !ok || s.core.keys.Round(tag) != nil {
			continue
		}
		s.core.write(func(w store.Tx) error {
			return errors.Join(w.AddRound(tag, left.value), w.PutSetting(tag, formerSetting, former[0]))
		}, nil)
	}
}

// flush writes what has gathered. What the front would be told is of no interest: the new store is opened as any.
func (s *salvage) flush() error {
	err := s.core.flushTo(s.store)
	s.core.effects = nil
	return err
}

// line is what a person is told.
func (s *salvage) line(kept string) string {
	saved := fmt.Sprintf("the store of this home was damaged: of %s, %s and %s are saved",
		count(len(s.core.order), "round"), count(s.blocks, "block"), count(s.drafts, "waiting message"))
	var lost []string
	if s.lostBlocks > 0 {
		lost = append(lost, count(s.lostBlocks, "block"))
	}
	if s.lostDrafts > 0 {
		lost = append(lost, count(s.lostDrafts, "waiting message"))
	}
	switch {
	case s.uncounted:
		saved += ", and how much is lost cannot be told"
	case len(lost) > 0:
		saved += ", and " + strings.Join(lost, " and ") + " lost"
	}
	return saved + "; what is missing of the history comes from the members, for whom you go on as a new device; the damaged file is kept as " + kept
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
