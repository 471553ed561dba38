package engine

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// serving is an answer under way, read from the store as fast as it leaves. Of a history however long, one page of each
// line is in memory; of an answer that waits for those before it, nothing.
type serving struct {
	request uint64
	more    bool          // the WANT has as many ranges as fit: the next one goes on with it
	begin   func() error  // reads what the answer begins with, nil once it has
	ahead   []store.Block // leaves first
	fetch   []chain.ID    // then these, if they are here
	lines   merge         // then what of these lines is not in ahead, in canonical order
}

// cursor walks along a device's line, a few blocks ahead.
type cursor struct {
	device   Device
	next, to uint64
	ahead    []store.Block
}

// merge is a heap of lines: the one with the next block in canonical order comes first.
type merge []*cursor

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(c any)   { *m = append(*m, c.(*cursor)) }
func (m merge) Less(i, j int) bool {
	return m[i].ahead[0].Position().Compare(m[j].ahead[0].Position()) < 0
}

func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// onRequest takes an order; serve fills it.
func (p *peer) onRequest(m link.Message) {
	p.graft(m)
	switch m := m.(type) {
	case link.Want:
		if !p.wants(m) {
			p.drop(link.ReasonViolation, errors.New("it asks for a line twice at once"))
			return
		}
	case link.Fetch:
		s := p.order(m.Request)
		s.begin = func() (err error) { s.fetch, err = p.round.inOrder(m.IDs); return err }
	case link.Newest:
		s := p.order(m.Request)
		s.begin = func() (err error) { s.ahead, err = p.round.newest(int(m.Count)); return err }
	}
	if len(p.serving) > maxServing {
		p.drop(link.ReasonViolation, fmt.Errorf("it asks for more than %d things at once", maxServing))
		return
	}
	p.serve()
}

func (p *peer) order(request uint64) *serving {
	s := &serving{request: request}
	p.serving = append(p.serving, s)
	return s
}

// wants takes a WANT, or what one goes on with. It reports false if that is not to be answered: of each line a block is in memory.
func (p *peer) wants(m link.Want) bool {
	s := p.unfinished(m.Request)
	if s == nil {
		s = p.order(m.Request)
		s.begin = func() error { return p.round.beginLines(s) }
	}
	for _, want := range m.Ranges {
		s.lines = append(s.lines, &cursor{device: want.Device, next: want.From, to: want.To})
	}
	if s.more = len(m.Ranges) == link.MaxRanges && len(s.lines) < maxLines; s.more {
		return true
	}
	slices.SortFunc(s.lines, func(a, b *cursor) int { return compareDevices(a.device, b.device) })
	once := slices.CompactFunc(slices.Clone(s.lines), func(a, b *cursor) bool { return a.device == b.device })
	return len(once) == len(s.lines)
}

// unfinished is the WANT that the next one with its number goes on with, nil if there is none.
func (p *peer) unfinished(request uint64) *serving {
	if n := len(p.serving); n > 0 && p.serving[n-1].more && p.serving[n-1].request == request {
		return p.serving[n-1]
	}
	return nil
}

// failed ends a link that this device cannot serve.
func (p *peer) failed(err error) {
	p.hangUp(link.ReasonDone, err)
	p.round.c.tell(ErrorEvent{Round: p.round.tag, Err: err})
}

// serve sends more of what was asked for, until enough is on its way.
func (p *peer) serve() {
	for len(p.serving) > 0 && p.queued < serveBelow && !p.serving[0].more {
		s := p.serving[0]
		raws, last, err := p.round.chunk(s)
		if err != nil {
			p.failed(err)
			return
		}
		p.send(link.Blocks{Request: s.request, Blocks: raws, Last: last})
		if last {
			p.serving = p.serving[1:]
		}
	}
}

// chunk takes the next blocks of an answer, up to serveChunk bytes but at least one.
func (r *round) chunk(s *serving) (raws [][]byte, last bool, err error) {
	if begin := s.begin; begin != nil {
		s.begin = nil
		if err := begin(); err != nil {
			return nil, false, err
		}
	}
	for size := 0; ; {
		b, err := r.peek(s)
		switch {
		case err != nil:
			return nil, false, err
		case b == nil:
			return raws, true, nil
		case len(raws) == link.MaxBlocks || len(raws) > 0 && size+len(b.Raw) > serveChunk:
			return raws, false, nil
		}
		raws, size = append(raws, b.Raw), size+len(b.Raw)
		if err := r.advance(s); err != nil {
			return nil, false, err
		}
	}
}

// peek is the next block of an answer, nil at the end. Genesis has a message of its own.
func (r *round) peek(s *serving) (*store.Block, error) {
	for len(s.ahead) == 0 && len(s.fetch) > 0 {
		id := s.fetch[0]
		s.fetch = s.fetch[1:]
		b, ok, err := r.c.store.Block(r.tag, id)
		if err != nil {
			return nil, err
		}
		if ok {
			s.ahead = append(s.ahead, b)
		}
	}
	switch {
	case len(s.ahead) > 0:
		return &s.ahead[0], nil
	case len(s.lines) > 0:
		return &s.lines[0].ahead[0], nil
	}
	return nil, nil
}

// advance leaves behind what peek gave.
func (r *round) advance(s *serving) error {
	if len(s.ahead) > 0 {
		s.ahead = s.ahead[1:]
		return nil
	}
	c := s.lines[0]
	c.ahead = c.ahead[1:]
	if err := r.fill(c, len(s.lines)); err != nil {
		return err
	}
	if len(c.ahead) == 0 {
		heap.Pop(&s.lines)
	} else {
		heap.Fix(&s.lines, 0)
	}
	return nil
}

// beginLines reads where each line begins. First blocks go ahead of everything, because they say who wrote the rest.
func (r *round) beginLines(s *serving) error {
	for _, c := range s.lines {
		if c.next > 0 {
			continue
		}
		first, err := r.c.store.Line(r.tag, c.device, 0, 0, store.Limit{})
		if err != nil {
			return err
		}
		s.ahead = append(s.ahead, first...)
		c.next = 1
	}
	slices.SortFunc(s.ahead, func(a, b store.Block) int { return a.Position().Compare(b.Position()) })
	lines := s.lines[:0]
	for _, c := range s.lines {
		if err := r.fill(c, len(s.lines)); err != nil {
			return err
		}
		if len(c.ahead) > 0 {
			lines = append(lines, c)
		}
	}
	s.lines = lines
	heap.Init(&s.lines)
	return nil
}

// fill reads the next page of a line, one of n that share what may be read ahead.
func (r *round) fill(c *cursor, n int) (err error) {
	if len(c.ahead) > 0 || c.next > c.to {
		return nil
	}
	limit := store.Limit{Blocks: max(2, serveAheadBlocks/n), Bytes: serveAhead / n}
	if c.ahead, err = r.c.store.Line(r.tag, c.device, c.next, c.to, limit); err != nil {
		return err
	}
	c.next = c.to + 1
	if n := len(c.ahead); n > 0 {
		c.next = c.ahead[n-1].Seq + 1
	}
	return nil
}

// inOrder gives those of some ids that are here, in canonical order.
func (r *round) inOrder(ids [][32]byte) ([]chain.ID, error) {
	found := make([]store.Entry, 0, len(ids))
	for _, id := range ids {
		e, ok, err := r.c.store.Entry(r.tag, id)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b store.Entry) int { return a.Position().Compare(b.Position()) })
	sorted := make([]chain.ID, len(found))
	for i, e := range found {
		sorted[i] = e.ID
	}
	return sorted, nil
}

// newest are the last blocks in canonical order, with the first blocks of their authors before them: whoever asks may know
// none of them yet.
func (r *round) newest(count int) ([]store.Block, error) {
	blocks, err := r.c.store.Before(r.tag, store.End, store.Limit{Blocks: count, Bytes: serveAhead})
	if err != nil {
		return nil, err
	}
	slices.Reverse(blocks)
	var firsts []store.Block
	seen := map[Device]bool{r.genesis.Author: true} // genesis says who that is
	for _, b := range blocks {
		if line := r.chain.Line(b.Author); line != nil && !seen[b.Author] {
			seen[b.Author] = true
			firsts = append(firsts, store.Block{Raw: line.First.Bytes()})
		}
	}
	return append(firsts, blocks...), nil
}
