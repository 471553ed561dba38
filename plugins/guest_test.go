package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"

	"opentalk/engine/leaktest"
	"opentalk/plugins/hook"
	"opentalk/plugins/wire"
)

// The test binary is also the plugin: what it does is its first argument.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	if os.Getenv(otherEnv) != "" {
		other(os.Args[1], os.Args[2])
		return
	}
	if os.Getenv(wire.Handshake.MagicCookieKey) == "" {
		leaktest.Main(m)
	}
	kind, ok := kinds[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "no such plugin: %q\n", os.Args)
		os.Exit(2)
	}
	if kind.first != nil {
		kind.first()
	}
	if !kind.deaf {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	if kind.extender != nil {
		plugin.Serve(wire.ServeConfig(kind.extender))
		return
	}
	plugin.Serve(wire.ServeConfig(&subject{kind: kind}))
}

const victimEnv = "OPENTALK_TEST_VICTIM"

// kind is a plugin of the tests. It has one extension of its name, with what it has functions for; each handler gets a number.
type kind struct {
	first    func() // before it serves
	deaf     bool   // it does not listen to its input
	needs    []hook.Capability
	register func(*hook.Extension) // last touches
	filters  map[hook.Stage]func(context.Context, *subject, hook.Item) (hook.Verdict, error)
	required bool
	run      func(context.Context, *subject, hook.Call) ([]string, error) // the command "test"
	observe  func(context.Context, *subject, hook.Event) error
	kinds    []hook.Kind
	after    func(context.Context, *subject) // once it has started
	extender hook.Extender                   // instead of all that
}

// subject is such a plugin at work.
type subject struct {
	kind  kind
	name  string
	hello hook.Hello
	host  hook.Host
}

func (s *subject) Start(_ context.Context, hello hook.Hello, host hook.Host) (hook.Registration, error) {
	s.name, s.hello, s.host = hello.Name, hello, host
	e := hook.Extension{Name: s.name, Version: "1", Needs: s.kind.needs}
	for i, stage := range hook.Stages() {
		if s.kind.filters[stage] != nil {
			e.Filters = append(e.Filters, hook.Filter{
				Handler: hook.HandlerID(i + 1), Stage: stage, Source: "kinds.go:1", Required: s.kind.required && stage == hook.StageOutgoing,
			})
		}
	}
	if s.kind.run != nil {
		e.Commands = []hook.Command{{Handler: 10, Name: "test", Help: "tests"}}
	}
	for i, k := range s.kind.kinds {
		e.Observes = append(e.Observes, hook.Observer{Handler: hook.HandlerID(20 + i), Kind: k})
	}
	if s.kind.register != nil {
		s.kind.register(&e)
	}
	if s.kind.after != nil {
		go s.kind.after(context.Background(), s)
	}
	return hook.Registration{Extensions: []hook.Extension{e}}, nil
}

func (s *subject) Run(ctx context.Context, c hook.Call) ([]string, error) {
	return s.kind.run(ctx, s, c)
}
func (s *subject) Complete(_ context.Context, c hook.Completion) ([]string, error) {
	return c.Args, nil
}
func (s *subject) Filter(ctx context.Context, _ hook.Target, i hook.Item) (hook.Verdict, error) {
	return s.kind.filters[i.Stage](ctx, s, i)
}
func (s *subject) Observe(ctx context.Context, _ hook.Target, e hook.Event) error {
	return s.kind.observe(ctx, s, e)
}
func (s *subject) Stop(context.Context) error { return nil }

type filters = map[hook.Stage]func(context.Context, *subject, hook.Item) (hook.Verdict, error)

func shout(_ context.Context, _ *subject, i hook.Item) (hook.Verdict, error) {
	return hook.Verdict{Action: hook.Rewrite, Text: textOf(i) + "!"}, nil
}

func pass(context.Context, *subject, hook.Item) (hook.Verdict, error) { return hook.Verdict{}, nil }

// on does something when a message says so, and shouts otherwise.
func on(word string, f func(context.Context, *subject)) filters {
	filter := func(ctx context.Context, s *subject, i hook.Item) (hook.Verdict, error) {
		if strings.Contains(textOf(i), word) {
			f(ctx, s)
		}
		return shout(ctx, s, i)
	}
	return filters{hook.StageOutgoing: filter, hook.StageIncoming: filter}
}

var kinds = map[string]kind{
	"good": {
		filters: filters{hook.StageOutgoing: shout, hook.StageIncoming: shout},
		run: func(ctx context.Context, s *subject, c hook.Call) ([]string, error) {
			if c.Line == "fail" {
				return nil, hook.Errorf(hook.CodeNotFound, "no such thing")
			}
			config, err := s.host.Config(ctx, s.hello.Name)
			return []string{"you said " + c.Line, string(s.hello.Config), string(config)}, err
		},
	},
	"guard": {
		required: true,
		filters: filters{hook.StageOutgoing: func(_ context.Context, _ *subject, i hook.Item) (hook.Verdict, error) {
			switch {
			case strings.Contains(i.Out.Text, "die"):
				os.Exit(3)
			case strings.Contains(i.Out.Text, "secret"):
				return hook.Verdict{Action: hook.Drop, Reason: "it holds a secret"}, nil
			}
			return hook.Verdict{}, nil
		}},
	},
	"crash": {filters: on("now", func(context.Context, *subject) { os.Exit(3) })},
	"hang":  {filters: on("now", func(context.Context, *subject) { select {} })},
	"fails": {filters: filters{hook.StageIncoming: func(context.Context, *subject, hook.Item) (hook.Verdict, error) {
		return hook.Verdict{}, errors.New("this is \x1b[31mwrong\nin two lines")
	}}},
	"garbage":   {first: func() { fmt.Println("hello, I am no plugin"); time.Sleep(time.Hour) }},
	"gibberish": {first: func() { fmt.Printf("1|1|unix|%s|grpc|\n", gibberish()); time.Sleep(time.Hour) }},
	"exits":     {first: func() { fmt.Fprintln(os.Stderr, "I cannot start"); os.Exit(7) }},
	"silent":    {first: func() { select {} }},
	"tcp":       {first: func() { fmt.Println("1|1|tcp|127.0.0.1:1|grpc|"); time.Sleep(time.Hour) }},
	"denied":    {register: func(e *hook.Extension) { e.Needs = []hook.Capability{hook.CanSend} }},
	"flood": {
		needs:   []hook.Capability{hook.CanSend, hook.CanNotify},
		filters: filters{hook.StageOutgoing: pass, hook.StageIncoming: pass},
		observe: func(ctx context.Context, s *subject, _ hook.Event) error {
			ctx = context.WithoutCancel(ctx)
			for range 16 {
				go func() {
					for {
						s.host.Send(ctx, s.name, hook.Outgoing{Text: "spam"})
						s.host.Print(ctx, s.name, "", "spam")
						s.host.Notify(ctx, s.name, "spam")
						s.host.Log(ctx, s.name, hook.LevelInfo, strings.Repeat("spam", 1000))
					}
				}()
			}
			go func() {
				for {
					fmt.Fprintln(os.NewFile(2, ""), strings.Repeat("spam", 1000))
				}
			}()
			return nil
		},
		kinds: []hook.Kind{hook.KindTimer},
		after: func(ctx context.Context, s *subject) {
			for s.host.SetTimer(ctx, s.name, hook.TimerSetting{Name: "go", After: 10 * time.Millisecond}) != nil {
				time.Sleep(time.Millisecond) // it is not registered yet
			}
		},
	},
	"stdout": {filters: on("now", func(context.Context, *subject) {
		line := strings.Repeat("x", 1<<20) + "\x1b[2J"
		fmt.Print(line)
		fmt.Fprint(os.Stderr, line)
		raw := os.NewFile(1, "") // past what go-plugin has put in place of it
		for range 4 {
			fmt.Fprint(raw, line)
		}
	})},
	"stdin": {deaf: true, run: func(context.Context, *subject, hook.Call) ([]string, error) {
		if tty, err := os.Open("/dev/tty"); err == nil {
			tty.Close()
			return []string{"a terminal"}, nil
		}
		read := make(chan string, 1)
		go func() {
			n, err := os.Stdin.Read(make([]byte, 1))
			fmt.Fprintln(os.Stderr, "read", n, err)
			read <- fmt.Sprint(n, err)
		}()
		select {
		case got := <-read:
			return []string{"read " + got}, nil
		case <-time.After(50 * time.Millisecond):
		}
		return []string{"no terminal, " + session() + ", nothing to read"}, nil
	}},
	"scripts": {extender: &scripts{}},
	"env":     {run: func(context.Context, *subject, hook.Call) ([]string, error) { return os.Environ(), nil }},
	"fork": {filters: on("now", func(context.Context, *subject) {
		var pids []int
		for i := range 2 {
			cmd := exec.Command("sleep", "600")
			cmd.Stdout, cmd.Stderr = os.NewFile(1, ""), os.NewFile(2, "") // and so holds what the host reads
			if i == 1 {
				ownSession(cmd)
			}
			if err := cmd.Start(); err != nil {
				panic(err)
			}
			pids = append(pids, cmd.Process.Pid)
		}
		fmt.Fprintln(os.Stderr, "forked", pids[0], pids[1])
	})},
	"stubborn": {deaf: true},
	"deaf":     {deaf: true, first: ignoreEverything, filters: filters{hook.StageIncoming: shout}},
}

// ignoreEverything is all that a process can do to outlive the chat: signals, the end of its input, the death of its parent.
func ignoreEverything() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	surviveParent()
}

// gibberish serves something that is not gRPC, and returns where.
func gibberish() string {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 418 I'm a teapot\r\n\r\n"))
		}
	}()
	return path
}

const otherEnv = "OPENTALK_TEST_OTHER"

// other is another user: it tells how reaching the socket at reach ends, and serves at its own for as long as it is asked to.
func other(reach, serve string) {
	_, err := net.Dial("unix", reach)
	l, lerr := net.Listen("unix", serve)
	if lerr != nil {
		panic(lerr)
	}
	fmt.Println(err)
	l.Accept()
	io.Copy(io.Discard, os.Stdin)
}

// left is what a victim tells of itself.
type left struct {
	Good, Deaf int
	Stubborn   int // listens to nothing, but has not told the system to spare it
	DeafStart  string
	Sockets    string
}

// victim is a chat that has only a host, and waits to be killed.
func victim(dir string) {
	h := New(Config{Dir: dir})
	if err := h.Start(&fake{host: h, faults: make(chan Fault, 100)}); err != nil {
		panic(err)
	}
	h.Settled(context.Background())
	var l left
	l.Sockets = h.left.Sockets
	for _, i := range h.List() {
		switch i.Name {
		case "good":
			l.Good = i.PID
		case "stubborn":
			l.Stubborn = i.PID
		case "deaf":
			l.Deaf, l.DeafStart = i.PID, startOf(i.PID)
		}
	}
	json.NewEncoder(os.Stdout).Encode(l)
	select {}
}
