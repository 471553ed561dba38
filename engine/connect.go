package engine

import (
	"context"
	"fmt"

	"opentalk/engine/socket"
)

// connecting are those who wait for an address to be reached.
type connecting map[string][]func(Person, error)

// Connect dials an address for a round at once, whatever was tried before, and returns who answered once both sides know
// each other. An address that leads to somebody is kept and dialled again when the link ends. The errors are those of Join.
func (e *Engine) Connect(ctx context.Context, tag Tag, address string) (Person, error) {
	if err := socket.Check(address); err != nil {
		return Person{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	ch := make(chan answer[Person], 1)
	err := e.in(tag, func(r *round) {
		r.connect(address, func(p Person, err error) { ch <- answer[Person]{p, err} })
	})
	if err != nil {
		return Person{}, err
	}
	p, err := wait(ctx, e, ch)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("connecting to %s: %w", address, ErrTimeout)
	}
	return p, err
}

func (r *round) connect(address string, done func(Person, error)) {
	t := r.targets[address]
	if t == nil {
		t = r.target(address, Fingerprint{})
	}
	if p := r.c.peers[t.link]; p != nil && p.online() {
		done(p.person(), nil)
		return
	}
	if p := r.peerOf(t.device); p != nil && p.online() { // by another way
		done(p.person(), nil)
		return
	}
	r.connecting[address] = append(r.connecting[address], done)
	if !t.dialing && t.link == 0 {
		t.next, t.delay, t.problem, t.hearsay, t.dialing = r.c.now, 0, nil, false, true
		r.c.do(dial{round: r.link, address: address, want: t.want})
	}
}

// connected tells whoever waits for an address what became of it. An address that nobody ever answered at is forgotten.
func (r *round) connected(address string, who Person, err error) {
	waiting := r.connecting[address]
	if len(waiting) == 0 {
		return
	}
	delete(r.connecting, address)
	if t := r.targets[address]; err != nil && t != nil && t.device == (Device{}) {
		delete(r.targets, address)
	}
	for _, done := range waiting {
		done(who, err)
	}
}

// hasAlready lets go of a link to a device that there is a better one to.
func (r *round) hasAlready(p *peer) {
	if t := r.targets[p.address]; t != nil && t.link == p.id {
		t.link = 0
	}
	if other := r.peerOf(p.device()); other != nil && other.online() && p.dialled {
		r.connected(p.address, other.person(), nil)
	}
}
