package engine

import (
	"bytes"
	"fmt"

	"opentalk/engine/chain"
	"opentalk/engine/link"
	"opentalk/engine/store"
)

// serving is an answer under way: blocks of some lines, merged into canonical order and read as fast as they leave.
type serving struct {
	request uint64
	lines   []*cursor
	fetch   []chain.ID
}

// cursor walks along a device's line, a few blocks ahead.
type cursor struct {
	device   Device
	next, to uint64
	ahead    []store.Block
	page     int
}

// onRequest takes an order; serve fills it.
func (p *peer) onRequest(m link.Message) {
	switch m := m.(type) {
	case link.Want:
		s := &serving{request: m.Request}
		for _, want := range m.Ranges {
			s.lines = append(s.lines, &cursor{
				device: want.Device, next: want.From, to: want.To, page: max(2, 512/len(m.Ranges)),
			})
		}
		p.serving = append(p.serving, s)
	case link.Fetch:
		s := &serving{request: m.Request}
		for _, id := range m.IDs {
			s.fetch = append(s.fetch, id)
		}
		p.serving = append(p.serving, s)
	}
	if len(p.serving) > maxServing {
		p.drop(link.ReasonViolation, fmt.Errorf("it asks for more than %d things at once", maxServing))
		return
	}
	p.serve()
}

// serve sends more of what was asked for, until enough is on its way.
func (p *peer) serve() {
	for len(p.serving) > 0 && p.queued < serveBelow {
		s := p.serving[0]
		raws, last, err := p.round.chunk(s)
		if err != nil {
			p.hangUp(link.ReasonDone, err)
			p.round.c.tell(ErrorEvent{Round: p.round.tag, Err: err})
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
	for size := 0; ; {
		raw, err := r.nextBlock(s)
		if err != nil {
			return nil, false, err
		}
		if raw == nil {
			return raws, true, nil
		}
		raws = append(raws, raw)
		if size += len(raw); size >= serveChunk-chain.MaxBlock/4 || len(raws) >= link.MaxBlocks {
			return raws, false, nil
		}
	}
}

// nextBlock takes the next block in canonical order, nil at the end. Genesis has a message of its own.
func (r *round) nextBlock(s *serving) ([]byte, error) {
	for len(s.fetch) > 0 {
		id := s.fetch[0]
		s.fetch = s.fetch[1:]
		if b, ok, err := r.c.store.Block(r.tag, id); err != nil || ok {
			return b.Raw, err
		}
	}
	var first *cursor
	for i := 0; i < len(s.lines); i++ {
		c := s.lines[i]
		if err := r.fill(c); err != nil {
			return nil, err
		}
		if len(c.ahead) == 0 {
			s.lines = append(s.lines[:i], s.lines[i+1:]...)
			i--
			continue
		}
		if first == nil || c.before(first) {
			first = c
		}
	}
	if first == nil {
		return nil, nil
	}
	b := first.ahead[0]
	first.ahead = first.ahead[1:]
	return b.Raw, nil
}

func (c *cursor) before(o *cursor) bool {
	a, b := c.ahead[0], o.ahead[0]
	return a.T < b.T || a.T == b.T && bytes.Compare(a.ID[:], b.ID[:]) < 0
}

func (r *round) fill(c *cursor) error {
	if len(c.ahead) > 0 || c.next > c.to {
		return nil
	}
	blocks, err := r.c.store.Line(r.tag, c.device, c.next, c.to, store.Limit{Blocks: c.page, Bytes: 1 << 20})
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		c.next = c.to + 1
		return nil
	}
	c.ahead, c.next = blocks, blocks[len(blocks)-1].Seq+1
	return nil
}
