package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// hub owns a server: all that happens in it happens on one goroutine, one thing after the other.
type hub struct {
	server *server
	chat   *sdk.Host
	log    *slog.Logger
	steps  chan func()
	ctx    context.Context // of all questions to the chat
	end    context.CancelFunc
	asking sync.WaitGroup
	done   chan struct{}
}

func newHub(chat *sdk.Host, s settings, password string) *hub {
	h := &hub{chat: chat, log: chat.Logger(), steps: make(chan func()), done: make(chan struct{})}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.server = newServer(s, password, h.log, time.Now, h.ask)
	go h.run()
	return h
}

func (h *hub) run() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	defer close(h.done)
	for {
		select {
		case f := <-h.steps:
			f()
		case <-ticker.C:
			h.server.tick()
		case <-h.ctx.Done():
			return
		}
	}
}

// do has something done in the server and waits for it. It reports whether it was: after the end nothing is.
func (h *hub) do(f func()) bool {
	done := make(chan struct{})
	select {
	case h.steps <- func() { f(); close(done) }:
		<-done
		return true
	case <-h.done:
		return false
	}
}

// ask does work beside the server.
func (h *hub) ask(w work) {
	h.asking.Go(func() {
		ctx, cancel := context.WithTimeout(h.ctx, patience)
		defer cancel()
		h.do(w(ctx, h.chat))
	})
}

// load asks the chat for everything, and returns when it is here.
func (h *hub) load(ctx context.Context) error {
	loaded := make(chan struct{})
	h.do(func() { h.server.load(func() { close(loaded) }) })
	select {
	case <-loaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// event hands an event to the server.
func (h *hub) event(e hook.Event) { h.do(func() { h.server.event(e) }) }

// stop tells the clients that the chat ends, keeps what must be kept, and ends, with ctx at the latest.
func (h *hub) stop(ctx context.Context) {
	h.do(func() {
		h.server.save()
		for _, c := range append([]*session(nil), h.server.sessions...) {
			c.end("Closing link: the chat, or its plugin, ends or is started anew")
		}
	})
	answered := make(chan struct{})
	go func() {
		h.asking.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
	}
	h.end()
	<-h.done
}
