package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"opentalk/engine/chain"
)

// A device's clock may be wrong, by years even. Every READY, PING and PONG carries the clock of whoever sends it, so a device
// that is wrong finds out: it then goes by the others' clocks and says so. CHAIN 6.5.
//
// Three clocks must be told apart. now is for waiting and measuring only. The plain clock is what this device's says: it goes
// into READY, PING, PONG and a block's wall. The corrected clock decides everything else: t, when a message was written, what
// is held, how long an address record lasts.

// plain is this device's own clock in milliseconds; before 1970 it reads as 0.
func (c *core) plain() uint64 { return uint64(max(0, c.now.UnixMilli())) }

// clock is the corrected clock.
func (c *core) clock() time.Time { return c.now.Add(c.correction) }

// millis is the corrected clock as blocks carry it.
func (c *core) millis() uint64 { return min(uint64(max(0, c.clock().UnixMilli())), chain.MaxTime) }

// latest is the corrected clock or, where that is later, the one that the others have between them.
func (c *core) latest() uint64 {
	median, _ := c.others()
	return max(c.millis(), min(uint64(max(0, c.now.Add(median).UnixMilli())), chain.MaxTime))
}

// skew is how far the clock of a peer is ahead of this device's plain one.
type skew struct {
	by       time.Duration
	known    bool
	measured bool // by a PONG, so that the way it took is known
}

// onClock notes what a peer's clock said a moment ago.
func (p *peer) onClock(millis uint64, ago time.Duration, measured bool) {
	if p.skew.measured && !measured {
		return
	}
	by := time.UnixMilli(int64(min(millis, chain.MaxTime))).Add(ago).Sub(p.round.c.now)
	by = min(max(by, -farthest), farthest)
	p.skew = skew{by: by, known: true, measured: measured}
	p.round.c.correct()
}

// correct sets the clock by the median of the peers', if it is more than clockOff away from it and two identities agree on
// it; a clock that is before the beginning of a round takes anybody's word. What has been corrected stays so until others
// say otherwise.
func (c *core) correct() {
	median, agree := c.others()
	if agree < 2 && (agree == 0 || !c.beforeGenesis()) {
		return
	}
	if median.Abs() <= clockOff {
		median = 0
	} else if (median - c.correction).Abs() <= clockOff {
		return
	}
	if median == c.correction {
		return
	}
	c.correction = median
	if median == 0 {
		c.tell(NoticeEvent{Text: "this device's clock agrees with the others' again"})
	} else {
		c.tell(NoticeEvent{Text: fmt.Sprintf("this device's clock is %s; the others' is used until it is set right", offBy(median))})
	}
	c.recheckHeld()
	for _, r := range c.order {
		for d := range ordered(r.doubtful, compareDevices) {
			r.reconsider(d)
		}
	}
}

// others is the median of how far other identities' clocks are ahead of the plain one, each identity counted once, and how
// many of them agree on it. Of two in the middle it is the one nearer to this device's own. One's own devices do not count:
// where one clock is wrong, the other may be, in the same way.
func (c *core) others() (median time.Duration, agree int) {
	each := map[Fingerprint][]time.Duration{}
	for _, p := range c.peers {
		if f := p.fingerprint(); p.skew.known && (p.theirs || !p.round.member) && f != c.self.Credential.Fingerprint() {
			each[f] = append(each[f], p.skew.by)
		}
	}
	if len(each) == 0 {
		return 0, 0
	}
	all := make([]time.Duration, 0, len(each))
	for _, skews := range each {
		all = append(all, middle(skews))
	}
	median = middle(all)
	for _, s := range all {
		if (s - median).Abs() <= clockAgree {
			agree++
		}
	}
	return median, agree
}

// middle is the median of what is not empty.
func middle(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	low, high := ds[(len(ds)-1)/2], ds[len(ds)/2]
	return slices.MinFunc([]time.Duration{low, high}, func(a, b time.Duration) int { return cmp.Compare(a.Abs(), b.Abs()) })
}

// beforeGenesis reports whether the plain clock is before the beginning of a round it is in.
func (c *core) beforeGenesis() bool {
	for _, r := range c.order {
		if r.genesis != nil && c.plain() < r.genesis.T {
			return true
		}
	}
	return false
}

func offBy(d time.Duration) string {
	d = d.Round(time.Second)
	switch abs := d.Abs(); {
	case abs > 48*time.Hour:
		return fmt.Sprintf("%d days %s", int(abs.Hours()/24), behind(d))
	default:
		return fmt.Sprintf("%v %s", abs, behind(d))
	}
}

func behind(d time.Duration) string {
	if d > 0 {
		return "slow"
	}
	return "fast"
}

// advance moves the clock on. Where the time on the clock and the time that has passed differ, either the clock was set or
// the machine slept; of the two readings that are possible now the one nearer to the last is believed, and everybody is
// asked again.
func (c *core) advance(now time.Time) {
	jump := now.Round(0).Sub(c.now.Round(0)) - now.Sub(c.now)
	last := c.clock().Add(now.Sub(c.now))
	first := c.now.IsZero()
	if c.now = now; !first && jump.Abs() > time.Second {
		c.clockSet(last)
	}
}

// clockSet is called when the plain clock has jumped from where it would have gone. last is what the corrected clock would
// say without that.
func (c *core) clockSet(last time.Time) {
	if last = last.Round(0); c.now.Round(0).Sub(last).Abs() < c.clock().Round(0).Sub(last).Abs() {
		c.correction = 0
	}
	for _, r := range c.order {
		for _, p := range r.peers {
			p.skew = skew{}
			if p.online() {
				p.pingNow()
			}
		}
	}
	c.recheckHeld()
}

// recheckHeld holds and releases what the clock, having changed, does.
func (c *core) recheckHeld() {
	for _, r := range c.order {
		if r.chain != nil {
			r.rehold()
			r.release()
		}
	}
}
