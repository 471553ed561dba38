package link

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Guard bounds what callers who have proved nothing can take. One is shared by all listeners; it is safe from any
// goroutine, and starts none. LINK 7.
//
// Callers from the same machine, over loopback or a Unix socket, are bounded in all but not each by source: a Tor daemon
// brings every caller from there.
type Guard struct {
	now func() time.Time

	mu      sync.Mutex
	slots   []*Slot // oldest first
	total   *rate.Limiter
	sources map[netip.Prefix]*rate.Limiter
}

// Slot is the place of one connection in a Guard, from its first byte to the end of its handshake.
type Slot struct {
	guard  *Guard
	source netip.Prefix // not valid: local
	drop   func()
	proved bool
	gone   bool
}

// NewGuard makes a Guard on a clock, such as time.Now.
func NewGuard(now func() time.Time) *Guard {
	return &Guard{now: now, total: rate.NewLimiter(TotalRate, TotalBurst), sources: make(map[netip.Prefix]*rate.Limiter)}
}

// Enter takes a place for a connection from addr. Where a limit is reached the oldest that has not proved to know a round
// loses its place, and its drop is called, without a lock held; if all have, the newcomer gets nil.
func (g *Guard) Enter(addr net.Addr, drop func()) *Slot {
	s := &Slot{guard: g, source: sourceOf(addr), drop: drop}
	evicted, ok := g.enter(s)
	for _, e := range evicted {
		e.drop()
	}
	if !ok {
		return nil
	}
	return s
}

func (g *Guard) enter(s *Slot) (evicted []*Slot, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.source.IsValid() {
		if e, ok := g.makeRoom(MaxUnprovenSource, func(o *Slot) bool { return o.source == s.source }); !ok {
			return nil, false
		} else if e != nil {
			evicted = append(evicted, e)
		}
	}
	if e, ok := g.makeRoom(MaxUnproven, func(*Slot) bool { return true }); !ok {
		return evicted, false
	} else if e != nil {
		evicted = append(evicted, e)
	}
	g.slots = append(g.slots, s)
	return evicted, true
}

// makeRoom brings the slots that count below limit.
func (g *Guard) makeRoom(limit int, counts func(*Slot) bool) (evicted *Slot, ok bool) {
	n := 0
	for _, s := range g.slots {
		if !counts(s) {
			continue
		}
		n++
		if evicted == nil && !s.proved {
			evicted = s
		}
	}
	if n < limit {
		return nil, true
	}
	if evicted == nil {
		return nil, false
	}
	g.remove(evicted)
	return evicted, true
}

func (g *Guard) remove(s *Slot) {
	s.gone = true
	for i, o := range g.slots {
		if o == s {
			g.slots = append(g.slots[:i], g.slots[i+1:]...)
			return
		}
	}
}

// Admit is called once the first message has shown that the caller knows a round. It reports whether a handshake may go
// on; only then is it charged.
func (s *Slot) Admit() bool {
	g := s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.gone {
		return false
	}
	now := g.now()
	if g.total.TokensAt(now) < 1 {
		return false
	}
	if s.source.IsValid() && !g.limiter(s.source, now).AllowN(now, 1) {
		return false
	}
	s.proved = true
	return g.total.AllowN(now, 1)
}

// limiter returns the bucket of a source. Full ones are dropped first: they are as good as new, and at TotalRate only a
// few dozen can be other than full.
func (g *Guard) limiter(source netip.Prefix, now time.Time) *rate.Limiter {
	if l := g.sources[source]; l != nil {
		return l
	}
	for p, l := range g.sources {
		if l.TokensAt(now) >= SourceBurst {
			delete(g.sources, p)
		}
	}
	l := rate.NewLimiter(SourceRate, SourceBurst)
	g.sources[source] = l
	return l
}

// Leave gives the place back. Leaving twice does nothing.
func (s *Slot) Leave() {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	if !s.gone {
		s.guard.remove(s)
	}
}

// sourceOf is what one flooder has one of: an IPv4 address, or an IPv6 /64. Local callers have none.
func sourceOf(addr net.Addr) netip.Prefix {
	if addr == nil || !strings.HasPrefix(addr.Network(), "tcp") {
		return netip.Prefix{}
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil || ap.Addr().Unmap().IsLoopback() {
		return netip.Prefix{}
	}
	ip, bits := ap.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
