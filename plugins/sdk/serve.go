package sdk

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire"
)

// Serve runs the plugin until the chat ends it. It is the last thing that main does.
func Serve(p Plugin) { ServeExtender(p.Extender()) }

// ServeExtender is Serve for a plugin that answers the contract itself, as one does that is a host of others.
func ServeExtender(e hook.Extender) {
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		name := filepath.Base(os.Args[0])
		fmt.Fprintf(os.Stderr, "%s is a plugin of opentalk, which starts it: /plugin in the chat tells how\n", name)
		os.Exit(2)
	}
	g := &guard{extender: e, log: os.Stderr}
	endWithInput(g)
	config := wire.ServeConfig(g)
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	plugin.Serve(config)
}

// endWithInput ends the process when the chat is gone: it holds the other end of this pipe, says nothing on it, and does not let
// go of it in any other way. What the plugin itself reads from its input is the end of it.
func endWithInput(g *guard) {
	input := os.Stdin
	os.Stdin, _ = os.Open(os.DevNull)
	go func() {
		io.Copy(io.Discard, input)
		ctx, cancel := context.WithTimeout(context.Background(), hook.StopBudget/2)
		defer cancel()
		done := make(chan struct{})
		go func() {
			g.Stop(ctx)
			close(done)
		}()
		select {
		case <-done:
		case <-ctx.Done():
		}
		os.Exit(0)
	}()
}

// guard makes an error of a panic, and stops once.
type guard struct {
	extender hook.Extender
	log      io.Writer
	stop     sync.Once
	stopErr  error
}

// recovered is deferred around each call.
func (g *guard) recovered(err *error) {
	if r := recover(); r != nil {
		fmt.Fprintf(g.log, "panic: %v\n%s", r, debug.Stack())
		*err = hook.Errorf(hook.CodeFailed, "panic: %v", r)
	}
}

func (g *guard) Start(ctx context.Context, hello hook.Hello, host hook.Host) (all hook.Registration, err error) {
	defer g.recovered(&err)
	return g.extender.Start(ctx, hello, host)
}

func (g *guard) Run(ctx context.Context, call hook.Call) (lines []string, err error) {
	defer g.recovered(&err)
	return g.extender.Run(ctx, call)
}

func (g *guard) Complete(ctx context.Context, call hook.Completion) (words []string, err error) {
	defer g.recovered(&err)
	return g.extender.Complete(ctx, call)
}

func (g *guard) Filter(ctx context.Context, to hook.Target, item hook.Item) (v hook.Verdict, err error) {
	defer g.recovered(&err)
	return g.extender.Filter(ctx, to, item)
}

func (g *guard) Observe(ctx context.Context, to hook.Target, event hook.Event) (err error) {
	defer g.recovered(&err)
	return g.extender.Observe(ctx, to, event)
}

func (g *guard) Stop(ctx context.Context) error {
	g.stop.Do(func() {
		defer g.recovered(&g.stopErr)
		g.stopErr = g.extender.Stop(ctx)
	})
	return g.stopErr
}
