package scripts

import (
	"context"
	"errors"

	"opentalk/plugins/hook"
)

// errands are what a script wants done by the chat, in order, while its handlers go on.
type errands chan errand

type errand struct {
	ctx context.Context // of the call that wanted it
	do  func(context.Context) error
}

// work does errands until the script ends. What fails is told as a fault.
func (e errands) work(s *script) {
	for {
		select {
		case next := <-e:
			if err := next.do(next.ctx); err != nil {
				s.wrong(err)
			}
		case <-s.ended:
			return
		}
	}
}

// wrong tells of an errand that failed. Whatever the chat says of it, here nobody waits for an answer.
func (s *script) wrong(err error) { s.fault(errors.New(err.Error())) }

// wait returns when all that was wanted so far is done, or when ctx ends.
func (e errands) wait(ctx context.Context) {
	done := make(chan struct{})
	select {
	case e <- errand{ctx, func(context.Context) error { close(done); return nil }}:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// errand queues something to be done for a script, and reports whether there was room.
func (s *script) errand(ctx context.Context, do func(ctx context.Context, chat hook.Host, from string) error) bool {
	select {
	case s.errands <- errand{ctx, func(ctx context.Context) error { return do(ctx, s.host.chat, s.name) }}:
		return true
	default:
		return false
	}
}
