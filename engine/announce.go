package engine

import "context"

// Rename gives this person another name in a round; that of rounds to come stays what it is. It returns when that is
// durable, like Send: State tells whether it is signed, or waits in the outbox for somebody to come online.
func (e *Engine) Rename(tag Tag, name string) (State, error) {
	return e.announce(tag, func(r *round, done func(State, error)) { r.rename(name, done) })
}

// SetTopic gives a round another topic, none if it is empty. It returns like Rename.
func (e *Engine) SetTopic(tag Tag, topic string) (State, error) {
	return e.announce(tag, func(r *round, done func(State, error)) { r.retitle(topic, done) })
}

func (e *Engine) announce(tag Tag, f func(*round, func(State, error))) (State, error) {
	ch := make(chan answer[State], 1)
	err := e.in(tag, func(r *round) { f(r, func(s State, err error) { ch <- answer[State]{s, err} }) })
	if err != nil {
		return "", err
	}
	return wait(context.Background(), e, ch)
}
