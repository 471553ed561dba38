package scripts

import (
	"context"
	"strconv"
	"sync"
	"time"

	"opentalk/plugins/hook"
)

// The handlers that every script has, whatever is in its file.
const (
	handlerStart hook.HandlerID = 1 + iota // is told to begin, and loads the file
	handlerTimer                           // is told of timers: those of the script, and the one that reloads it
	handlerFirst                           // of the file
)

// timerReload is the name of the timer that has a script loaded anew, in a call that the chat watches. No timer of a script
// can be called so.
const timerReload = "reload"

// script is one file. Its Lua code runs on one goroutine, from a queue.
type script struct {
	host *Host
	name string

	jobs    chan func()
	ended   chan struct{}
	endOnce sync.Once
	errands errands
	faults  faults
	store   store

	// Of the script's goroutine.
	prog   *program                  // nil until the file has been loaded
	ids    map[string]hook.HandlerID // by what they are of: see number
	timers int                       // set so far: each has a name of its own

	mu     sync.Mutex
	ext    hook.Extension // what the chat is told
	there  bool           // the text of the file has run
	loaded chan error
}

func newScript(h *Host, name string) *script {
	s := &script{
		host: h, name: name, jobs: make(chan func(), maxWaiting), ended: make(chan struct{}), ids: map[string]hook.HandlerID{},
		loaded: make(chan error, 1), errands: make(errands, maxErrands),
	}
	s.ext = s.stub()
	go s.work()
	go s.errands.work(s)
	return s
}

func (s *script) work() {
	for {
		select {
		case job := <-s.jobs:
			job()
		case <-s.ended:
			return
		}
	}
}

// end lets the goroutines go. Calling it again does nothing.
func (s *script) end() { s.endOnce.Do(func() { close(s.ended) }) }

// do runs f on the script's goroutine and waits for it, but not for longer than ctx: the chat goes on without an answer.
func (s *script) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case s.jobs <- func() { done <- f() }:
	default:
		return hook.Errorf(hook.CodeTooMuch, "%s is busy: %d calls wait for it", s.file(), maxWaiting)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return hook.Errorf(hook.CodeClosed, "%s was unloaded", s.file())
	}
}

// file is what the person knows the script by.
func (s *script) file() string { return s.name + ".lua" }

// stub is what the chat is told of a script that is not loaded: that it is there, and waits to be started.
func (s *script) stub() hook.Extension {
	return hook.Extension{Name: s.name, Source: s.file(), Observes: []hook.Observer{
		{Handler: handlerStart, Kind: hook.KindStart, Source: s.file()},
		{Handler: handlerTimer, Kind: hook.KindTimer, Source: s.file()},
	}}
}

// tell keeps what the chat is to be told of the script from now on.
func (s *script) tell(ext hook.Extension) (before hook.Extension) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.ext = s.ext, ext
	return before
}

func (s *script) extension() hook.Extension {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ext
}

// number gives a handler the number of the first one of its kind that is free, in this program or one before: a call that was
// made before a reload and comes after it finds the handler that has taken the place of the one it was for.
func (s *script) number(p *program, kind string) hook.HandlerID {
	for n := 0; ; n++ {
		key := kind + " " + strconv.Itoa(n)
		id, known := s.ids[key]
		if !known {
			id = handlerFirst + hook.HandlerID(len(s.ids))
			s.ids[key] = id
		}
		if !p.has(id) {
			return id
		}
	}
}

// handler finds a handler of the program that runs now.
func (s *script) handler(id hook.HandlerID) (*program, *handler, error) {
	p := s.prog
	if p == nil {
		return nil, nil, hook.Errorf(hook.CodeNotFound, "%s is not loaded", s.file())
	}
	if h := p.handlers[id]; h != nil {
		return p, h, nil
	}
	return nil, nil, hook.Errorf(hook.CodeNotFound, "%s has no handler %d any more", s.file(), id)
}

// answer has a handler answer a call on the script's goroutine.
func (s *script) answer(ctx context.Context, id hook.HandlerID, f func(*program, *handler) error) error {
	return s.do(ctx, func() error {
		if ctx.Err() != nil { // nobody waits any more
			return ctx.Err()
		}
		p, h, err := s.handler(id)
		if err != nil {
			return err
		}
		p.ctx = context.WithoutCancel(ctx)
		return f(p, h)
	})
}

func (s *script) run(ctx context.Context, call hook.Call) (lines []string, err error) {
	err = s.answer(ctx, call.Handler, func(p *program, h *handler) (err error) {
		lines, err = p.run(h, call)
		return err
	})
	return lines, err
}

func (s *script) complete(ctx context.Context, call hook.Completion) (words []string, err error) {
	err = s.answer(ctx, call.Handler, func(p *program, h *handler) (err error) {
		words, err = p.complete(h, call)
		return err
	})
	return words, err
}

func (s *script) filter(ctx context.Context, id hook.HandlerID, item hook.Item) (v hook.Verdict, err error) {
	err = s.answer(ctx, id, func(p *program, h *handler) (err error) {
		v, err = p.filter(h, item)
		return err
	})
	return v, err
}

func (s *script) observe(ctx context.Context, id hook.HandlerID, event hook.Event) error {
	timer, _ := event.(hook.Timer)
	switch {
	case id == handlerStart, id == handlerTimer && timer.Name == timerReload:
		return s.do(ctx, func() error {
			s.load(context.WithoutCancel(ctx))
			return nil // the person has been told
		})
	case id == handlerTimer:
		return s.do(ctx, func() error {
			if s.prog == nil {
				return nil
			}
			s.prog.ctx = context.WithoutCancel(ctx)
			return s.prog.fire(timer)
		})
	}
	return s.answer(ctx, id, func(p *program, h *handler) error { return p.observe(h, event) })
}

// load runs the text of the file, on the script's goroutine, and puts what came of it in the place of what was there. If
// nothing came of it, what was there stays.
func (s *script) load(ctx context.Context) {
	err := s.tryLoad(ctx)
	s.fault(err)
	select {
	case <-s.loaded: // nobody has asked for that of the time before
	default:
	}
	s.loaded <- err
}

func (s *script) tryLoad(ctx context.Context) error {
	text, err := s.host.shelf.read(s.name)
	if err != nil {
		return err
	}
	p := newProgram(s)
	p.ctx = ctx
	if err := p.load(text); err != nil {
		p.close()
		return err
	}
	if old := s.prog; old != nil {
		old.ctx = ctx
		old.leave()
	}
	before := s.tell(p.extension())
	if err := s.host.register(ctx); err != nil {
		s.tell(before)
		p.close()
		return err
	}
	s.retire()
	s.prog = p
	s.mu.Lock()
	s.there = true
	s.mu.Unlock()
	s.faults.clear()
	p.begin()
	return nil
}

// retire lets go of the program.
func (s *script) retire() {
	if s.prog != nil {
		s.prog.close()
		s.prog = nil
	}
}

// unload runs what the script has left for its end, and waits until its errands are done.
func (s *script) unload(ctx context.Context) {
	s.do(ctx, func() error {
		if s.prog != nil {
			s.prog.ctx = context.WithoutCancel(ctx)
			s.prog.leave()
			s.retire()
		}
		return nil
	})
	s.errands.wait(ctx)
}

// waitLoaded waits for the outcome of a load that was asked for.
func (s *script) waitLoaded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case err := <-s.loaded:
		return err
	case <-ctx.Done():
		return hook.Errorf(hook.CodeFailed, "%s has not answered within %v", s.file(), patience.Round(time.Second))
	}
}
