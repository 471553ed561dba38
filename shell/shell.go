// Package shell is the front of opentalk: it takes lines, runs them on an engine, and tells what happens.
//
// It has one loop (loop.go), and only the loop touches the shell, the screen and what it knows of the rounds ([book]). To it
// come, by channels, the engine's events, lines (input.go) from a pipe or a line editor, and functions that others want
// run: the end of a command, a timer. A command (command.go, cmd_*.go) runs on a goroutine of its own, on a copy of what it
// needs, so that nothing it waits for stops the screen.
//
//	stdin or editor → lines ─┐
//	engine → events ─────────┼→ loop → view: screen (people) or stream (programs)
//	commands, timers → posts ┘
//
// Plugins and scripts stand beside it (extensions.go, translate.go). What some of their filters want to see goes through the
// sieve (sieve.go), off the loop and in order; without any, nothing does. What they ask of the chat reaches the loop past the
// sieve, for their answer may be what it waits for.
//
// What people see is made in screen.go and look.go, from text that package term has made safe; what programs read in
// json.go. errors.go has the one table of errors with their codes and hints, flags.go that of flags, command.go that of
// commands; the README is tested against all three.
package shell

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"opentalk/engine"
	"opentalk/shell/line"
	"opentalk/shell/term"
)

// Engine is what the shell needs of an [engine.Engine].
type Engine interface {
	Self() engine.Self
	Events() <-chan engine.Event
	New(name string) (engine.Round, error)
	Join(ctx context.Context, inv engine.Invite) (engine.Round, error)
	Invite(tag engine.Tag) (engine.Invite, error)
	Send(tag engine.Tag, text string, form engine.Form, auto bool) (engine.MessageID, error)
	Say(tag engine.Tag, text string, form engine.Form, auto bool, number uint64)
	Rounds() ([]engine.Round, error)
	Peers(tag engine.Tag) ([]engine.Peer, error)
	Members(tag engine.Tag) ([]engine.Member, error)
	History(tag engine.Tag, before engine.Position, n int) ([]engine.Message, error)
	After(ctx context.Context, tag engine.Tag, after engine.Position, among uint64) iter.Seq2[engine.Message, error]
	Arrived(ctx context.Context, tag engine.Tag) (uint64, error)
	Search(ctx context.Context, tag engine.Tag, before engine.Position, text string) iter.Seq2[engine.Message, error]
	Pending(tag engine.Tag) ([]engine.Pending, error)
	Status() (engine.Status, error)
	Rename(tag engine.Tag, name string) (engine.State, error)
	SetTopic(tag engine.Tag, topic string) (engine.State, error)
	Leave(ctx context.Context, tag engine.Tag) (told bool, err error)
	Connect(ctx context.Context, tag engine.Tag, address string) (engine.Person, error)
	Diagnose(ctx context.Context, tag engine.Tag) (engine.Checkup, error)
	Probe(ctx context.Context, tag engine.Tag, address string) error
	SetPassphrase(passphrase []byte) error
	Verify(tag engine.Tag, who engine.Fingerprint, yes bool) error
	Ignore(tag engine.Tag, who engine.Fingerprint, yes bool) error
}

// Exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1 // a line failed, or there was no start
	statusUsage       = 2
	statusWaiting     = 3 // own messages still wait for somebody
	statusInterrupted = 130
)

// Shell is one run of opentalk. Use [New], then [Shell.Run].
type Shell struct {
	opts    Options
	flags   Options // as opts, without config.toml
	paths   paths
	streams Streams
	person  bool // somebody types at a line editor
	log     *slog.Logger
	level   slog.LevelVar // of log
	logFile io.Closer
	out     *output
	look    look
	book    *book
	view    view

	editor line.Editor // nil without person
	engine Engine
	posts  chan func()
	done   chan struct{} // closed when the loop has ended
	ctx    context.Context
	cancel context.CancelFunc

	ext   *extensions // nil if there are none
	sieve *sieve
	asks  chan func() // as posts, for what does not wait for its turn behind what is shown

	held     bool     // events are kept until the start, or the round that is entered, is on the screen
	kept     []func() // what is to be done with them then
	queue    []input  // lines that are to be run
	busy     bool     // with a line that others wait for
	talk     talk
	joins    joins
	page     page      // where reading the past was left
	lines    int       // that were run
	failed   bool      // one of them did
	lastStop time.Time // when Ctrl-C was pressed last
	saving   bool      // soon: how far a person has read
	leaving  *leaving
	warned   bool // that messages wait: the next Ctrl-D leaves
	ended    bool
	status   int
	doomed   atomic.Bool // something panics, which is about to end the program
}

// New reads config.toml and prepares a shell; nothing is made but the log. An error is for [Streams.Fail].
func New(opts Options, streams Streams) (*Shell, error) {
	where, err := opts.paths()
	if err != nil {
		return nil, err
	}
	flags := opts
	if err := opts.readConfig(where.configFile()); err != nil {
		return nil, err
	}
	s := &Shell{
		opts: opts, flags: flags, paths: where, streams: streams, book: newBook(),
		person: streams.Person && !opts.JSON && !opts.Headless,
		out:    &output{to: streams.Out},
		posts:  make(chan func()), done: make(chan struct{}), asks: make(chan func()), sieve: newSieve(),
		talk: talk{calls: make(chan *call, maxUnder)},
	}
	s.look = look{zone: time.Local, log: opts.logName(where, s.person)}
	s.level.Set(opts.level(s.person))
	if s.log, s.logFile, err = openLog(opts, where, s.person, streams.Err, &s.level); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.view = s.newView()
	return s, nil
}

func (s *Shell) newView() view {
	if s.opts.JSON {
		return &stream{out: s.out, book: s.book}
	}
	v := newScreen(s.look, s.book, roll{
		out: s.out, outLook: s.opts.profile(s.streams.OutTerm),
		err: &output{to: s.streams.Err}, errLook: s.opts.profile(s.streams.ErrTerm),
		columns: s.streams.Columns,
	}, s.later)
	v.prompt, v.lines, v.marks = s.person, !s.person, s.person || s.streams.OutTerm
	v.inline, v.notify = s.opts.Others == othersInline, s.opts.Notify
	return v
}

// EngineConfig returns what the engine is to be opened with.
func (s *Shell) EngineConfig() engine.Config {
	return engine.Config{
		Dir: s.paths.data, Handle: s.opts.handle(s.paths), Listen: s.opts.Listen, Proxy: s.opts.Proxy,
		Passphrase: s.passphrase, Tries: s.tries(),
		Progress: func(what string) { s.view.progress(what) }, Log: s.log, OnPanic: s.giveBack,
	}
}

// tries is how often a passphrase may be wrong.
func (s *Shell) tries() int {
	if s.person && s.opts.PassphraseFD == 0 {
		return passphraseTries
	}
	return 1
}

// Fail tells why there was no engine, and returns the exit status.
func (s *Shell) Fail(err error) int {
	s.view.fail(newReport(err, 0))
	s.Close()
	return statusFailed
}

// Fail tells why there was no shell, and returns the exit status.
func (s Streams) Fail(opts Options, err error) int {
	r := newReport(err, 0)
	var v view = &stream{out: &output{to: s.Out}, book: newBook()}
	if !opts.JSON {
		v = newScreen(look{zone: time.Local}, newBook(), roll{err: &output{to: s.Err}, errLook: opts.profile(s.ErrTerm)}, nil)
	}
	v.fail(r)
	if r.usage {
		return statusUsage
	}
	return statusFailed
}

// Close gives the terminal and the log back. Calling it again does nothing.
func (s *Shell) Close() {
	s.cancel()
	if s.editor != nil {
		s.editor.Close()
	}
	s.logFile.Close()
}

// spawn runs f on a goroutine of its own, which gives the terminal back if it panics.
func (s *Shell) spawn(f func()) {
	go func() {
		defer s.giveBack()
		f()
	}()
}

// giveBack is to be deferred on every goroutine. A panic is a bug and ends the program, but not before the terminal is given back
// and the person told. On main's own goroutine its call of Close sees to that.
func (s *Shell) giveBack() {
	if p := recover(); p != nil {
		s.doomed.Store(true)
		s.Close()
		fmt.Fprintln(s.streams.Err, "opentalk has a bug and ends here; what follows tells the developers where:")
		panic(p)
	}
}

// Run runs the shell until the input ends, /quit, or a signal, and returns the exit status. Afterwards the engine's events are
// thrown away, so that it can be closed.
func (s *Shell) Run(eng Engine, signals <-chan os.Signal) int {
	s.engine = eng
	defer func() {
		close(s.done)
		s.cancel()
		s.ext.close()
		s.spawn(func() {
			for range eng.Events() {
			}
		})
	}()
	if s.person && s.editor == nil {
		if err := s.openEditor(); err != nil {
			return s.Fail(err)
		}
	}
	for _, text := range s.opts.Lines {
		s.queue = append(s.queue, input{text: text})
	}
	s.loop(signals)
	if s.doomed.Load() {
		select {} // or the program would end as if nothing had happened
	}
	s.view.close()
	s.remember()
	if s.out.err != nil {
		r := newReport(faultf(errOutput, "writing output: %v", s.out.err), 0)
		(&output{to: s.streams.Err}).write("error: " + term.CleanLine(r.text).String() + "\n")
		return max(s.status, statusFailed)
	}
	return s.status
}

func (s *Shell) openEditor() error {
	cfg := line.Config{
		Prompt: s.book.prompt(), Profile: s.opts.profile(true), History: s.paths.history(), Keep: keep, Complete: s.complete,
		OnPanic: s.giveBack,
	}
	if !s.opts.Recall {
		cfg.History = ""
	}
	editor, err := s.streams.Edit(cfg)
	if err != nil {
		s.log.Warn("opening the line history", "err", err)
		cfg.History = ""
		editor, err = s.streams.Edit(cfg)
	}
	if err != nil {
		return err
	}
	s.editor = editor
	v := s.view.(*screen)
	v.typed, v.paper = editor.Stays(), &sheet{editor: editor, later: s.later, shown: s.book.prompt().String()}
	return nil
}
