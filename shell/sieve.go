package shell

import (
	"cmp"
	"context"
	"strings"

	"opentalk/engine"
	"opentalk/plugins/hook"
)

// sieve keeps the order in which things are shown while some of them pass filters, which takes time. The loop puts everything
// into it: events, and functions such as the end of a command. What no filter wants to see, while nothing is in front of it,
// is done at once; so without extensions there is no sieve.
//
// One goroutine works while there is something in it. It hands back to the loop, by sifted, what the loop is to do next.
type sieve struct {
	queue  []func() func() // to be done aside; what each returns is for the loop
	busy   bool            // the goroutine has one
	sifted chan func()
}

// sieveRoom is how much may wait before the engine's events are read no further.
const sieveRoom = 1024

func newSieve() *sieve { return &sieve{sifted: make(chan func())} }

func (v *sieve) empty() bool { return !v.busy && len(v.queue) == 0 }
func (v *sieve) full() bool  { return len(v.queue) >= sieveRoom }

// inOrder runs f on the loop, after everything that is in the sieve.
func (s *Shell) inOrder(f func()) {
	if s.sieve.empty() {
		f()
		return
	}
	s.sift(func() func() { return f })
}

// sift does something aside, after everything that is in the sieve, and what comes of it on the loop.
func (s *Shell) sift(aside func() func()) {
	s.sieve.queue = append(s.sieve.queue, aside)
	s.nextSifted()
}

// nextSifted has the goroutine go on with the next. It is called on the loop.
func (s *Shell) nextSifted() {
	if s.sieve.busy || len(s.sieve.queue) == 0 {
		return
	}
	next := s.sieve.queue[0]
	s.sieve.queue = s.sieve.queue[1:]
	s.sieve.busy = true
	s.spawn(func() {
		then := next()
		select {
		case s.sieve.sifted <- func() { s.sieve.busy = false; then(); s.nextSifted() }:
		case <-s.done:
		}
	})
}

// arrive takes an event of the engine. What somebody has said passes the filters first; what an extension has said waits until
// it is known which.
func (s *Shell) arrive(ev engine.Event) {
	if s.held {
		s.kept = append(s.kept, func() { s.arrive(ev) })
		return
	}
	switch ev := ev.(type) {
	case engine.MessageEvent:
		if s.ext != nil && ev.Message.Problem == "" && s.ext.host.Filters(hook.StageIncoming, hook.StageRender) {
			m := s.book.hookMessage(ev.Message)
			s.sift(func() func() {
				seen, ok := s.ext.incoming(s.ctx, ev, m, s.renders())
				if !ok {
					return func() {}
				}
				return func() { s.event(seen) }
			})
			return
		}
	case engine.SaidEvent:
		s.inOrder(func() { s.said(ev) })
		return
	case engine.SentEvent:
		if s.ext != nil && (ev.Message.Auto || s.renders() && s.ext.host.Filters(hook.StageRender)) {
			m := s.book.hookMessage(ev.Message)
			s.sift(func() func() {
				s.ext.senders()
				seen := happening{ev: ev}
				seen.render, seen.failed, _ = s.ext.render(s.ctx, m, s.renders())
				return func() { s.event(seen) }
			})
			return
		}
	}
	s.inOrder(func() { s.event(happening{ev: ev}) })
}

// renders reports whether what happens is shown to a person.
func (s *Shell) renders() bool { return !s.opts.JSON }

// happening is an event, and what filters have made of the message in it.
type happening struct {
	ev     engine.Event
	render string   // what a person is shown in place of the text, if it is not empty
	failed []string // extensions whose filters should have seen it
}

// shown is the event as a person is to see it.
func (h happening) shown() engine.Event {
	switch ev := h.ev.(type) {
	case engine.MessageEvent:
		ev.Message.Text = cmp.Or(h.render, ev.Message.Text)
		return ev
	case engine.SentEvent:
		ev.Message.Text = cmp.Or(h.render, ev.Message.Text)
		return ev
	}
	return h.ev
}

// incoming passes a message through its filters. It reports false if it is not to be shown.
func (x *extensions) incoming(ctx context.Context, ev engine.MessageEvent, m hook.Message, render bool) (happening, bool) {
	var seen happening
	if !m.From.Own {
		out := x.host.Filter(ctx, hook.Item{Stage: hook.StageIncoming, Message: m})
		if out.Dropped {
			return happening{}, false
		}
		seen.failed, m.Text, ev.Message.Text = out.Failed, out.Text, out.Text
	}
	text, failed, ok := x.render(ctx, m, render)
	seen.ev, seen.render, seen.failed = ev, text, append(seen.failed, failed...)
	return seen, ok
}

// render passes a message through the filters of what is shown, if it is to be. It reports false if it is not to be shown after
// all; what one has said oneself always is.
func (x *extensions) render(ctx context.Context, m hook.Message, render bool) (text string, failed []string, ok bool) {
	if !render {
		return "", nil, true
	}
	out := x.host.Filter(ctx, hook.Item{Stage: hook.StageRender, Message: m})
	if out.Dropped {
		return "", out.Failed, m.From.Own
	}
	return out.Text, out.Failed, true
}

// outgoing passes what somebody is about to say through its filters.
func (x *extensions) outgoing(ctx context.Context, r engine.Round, text string, form engine.Form) (string, error) {
	if x == nil {
		return text, nil
	}
	m := hook.Outgoing{Round: r.Name, Text: text, Form: formOf(form)}
	out := x.host.Filter(ctx, hook.Item{Stage: hook.StageOutgoing, Round: r.Name, Out: m})
	switch {
	case out.Closed:
		return "", faultf(errDropped, "not sent: %s has to see it first, and failed: %s", out.By, out.Reason).
			but("/plugin info %s tells more; /plugin disable %s sends without it", out.By, out.By)
	case out.Dropped:
		return "", faultf(errDropped, "not sent: %s (%s)", cmp.Or(out.Reason, "dropped"), out.By)
	}
	return out.Text, nil
}

// filtered passes a line that was entered through its filters, if there are any, and reports whether it does: then the line
// is run afterwards. No filter sees a secret. What was no command does not become one.
func (s *Shell) filtered(in input) bool {
	if s.ext == nil || in.asked || in.sifted || !s.ext.host.Filters(hook.StageInput) || carriesSecret(in.text) {
		return false
	}
	round, _ := s.book.round()
	s.busy = true
	s.spawn(func() {
		out := s.ext.host.Filter(s.ctx, hook.Item{Stage: hook.StageInput, Round: round.Name, Line: in.text})
		s.post(func() {
			s.busy = false
			if in.sifted = true; out.Dropped {
				err := faultf(errDropped, "not run: %s (%s)", cmp.Or(out.Reason, "dropped"), out.By)
				s.ran(&call{line: in.number, typed: in.text}, err)
				return
			}
			if _, _, was := splitCommand(in.text); !was && strings.HasPrefix(out.Text, "/") && !strings.HasPrefix(out.Text, "//") {
				out.Text = "/" + out.Text
			}
			in.text = out.Text
			s.queue = append([]input{in}, s.queue...)
		})
	})
	return true
}

// past passes messages of the history through their filters, as if they came now, and leaves out what is not to be shown. It
// blocks.
func (x *extensions) past(ctx context.Context, all ...engine.Message) []engine.Message {
	if x == nil || len(all) == 0 || !x.host.Filters(hook.StageIncoming, hook.StageRender) {
		return all
	}
	as, err := ask(ctx, x.shell, func() ([]hook.Message, error) {
		as := make([]hook.Message, len(all))
		for i, m := range all {
			as[i] = x.shell.book.hookMessage(m)
			as[i].Live = false
		}
		return as, nil
	})
	if err != nil {
		return nil // the chat ends
	}
	var seen []engine.Message
	for i, m := range all {
		if m.Problem == "" {
			now, ok := x.incoming(ctx, engine.MessageEvent{Message: m}, as[i], x.shell.renders())
			if !ok {
				continue
			}
			m = now.shown().(engine.MessageEvent).Message
		}
		seen = append(seen, m)
	}
	return seen
}
