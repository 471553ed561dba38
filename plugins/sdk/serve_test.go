package sdk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
	"opentalk/plugins/wire"
)

// TestMain: the test binary is also the plugin.
func TestMain(m *testing.M) {
	if os.Getenv("SDK_TEST") != "" {
		sdk.Serve(odd)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var running atomic.Int32

// odd does what plugins should not.
var odd = sdk.Plugin{
	Name: "odd", Version: "1",
	Commands: []sdk.Command{
		{Name: "panic", Run: func(context.Context, *sdk.Host, hook.Call) ([]string, error) { panic("oh no") }},
		{Name: "read", Run: func(context.Context, *sdk.Host, hook.Call) ([]string, error) {
			line, err := bufio.NewReader(os.Stdin).ReadString('\n')
			return []string{fmt.Sprintf("%q %v", line, err)}, nil
		}},
		{Name: "shout", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
			fmt.Println("on stdout")
			return c.Args, chat.Print(ctx, "", "printed "+c.Line)
		}},
		{Name: "slow", Run: func(ctx context.Context, chat *sdk.Host, c hook.Call) ([]string, error) {
			defer running.Add(-1)
			if running.Add(1) > 1 {
				return nil, errors.New("it runs twice at a time")
			}
			time.Sleep(20 * time.Millisecond) // a handler that looks at no context
			return nil, nil
		}},
	},
}

// chat is a host that keeps what is printed.
type chat struct {
	hook.Host
	mu      sync.Mutex
	printed []string
}

func (c *chat) Print(_ context.Context, from, _, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.printed = append(c.printed, from+": "+text)
	return nil
}

// process is the plugin, started as the chat does it: with a pipe for its input.
type process struct {
	hook.Extender
	client *plugin.Client
	all    hook.Registration
	input  *os.File
	stderr strings.Builder
}

func start(t *testing.T, host hook.Host, mtls bool) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{input: input}
	config := wire.ClientConfig(func() {})
	config.Cmd = exec.Command(exe)
	config.Cmd.Env = []string{"SDK_TEST=1", "GORACE=atexit_sleep_ms=0"} // the race detector ends a second late
	config.AutoMTLS = mtls
	config.Stderr = &p.stderr
	config.Logger = hclog.NewNullLogger()
	p.client = plugin.NewClient(config)
	own := os.Stdin
	os.Stdin = in // go-plugin hands its own input to the child
	t.Cleanup(func() {
		p.client.Kill()
		os.Stdin = own
		in.Close()
		input.Close()
	})
	protocol, err := p.client.Client()
	if err != nil {
		t.Fatalf("%v\n%s", err, p.stderr.String())
	}
	raw, err := protocol.Dispense(wire.Name)
	if err != nil {
		t.Fatal(err)
	}
	p.Extender = raw.(hook.Extender)
	hello := hook.Hello{Version: hook.Version, Name: "odd", Config: json.RawMessage("{}")}
	if p.all, err = p.Start(t.Context(), hello, host); err != nil {
		t.Fatal(err)
	}
	return p
}

// patience is how long a call may take on the slowest machine.
const patience = 20 * time.Second

func (p *process) run(ctx context.Context, name string, args ...string) ([]string, error) {
	for _, c := range p.all.Extensions[0].Commands {
		if c.Name == name {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			target := hook.Target{Extension: "odd", Handler: c.Handler}
			return p.Run(ctx, hook.Call{Target: target, Args: args, Line: strings.Join(args, " ")})
		}
	}
	return nil, errors.New("no such command")
}

// TestAPluginProcess: calls go both ways, a panic is an error of its handler alone, the input says nothing, and what is written
// to the output disturbs nothing.
func TestAPluginProcess(t *testing.T) {
	for _, mtls := range []bool{false, true} {
		c := &chat{}
		p := start(t, c, mtls)
		if _, err := p.run(t.Context(), "panic"); err == nil || err.Error() != "panic: oh no" {
			t.Errorf("a panic: %v", err)
		}
		if lines, err := p.run(t.Context(), "read"); err != nil || lines[0] != `"" EOF` {
			t.Errorf("reading the input: %q, %v", lines, err)
		}
		lines, err := p.run(t.Context(), "shout", "a", "b")
		if err != nil || len(lines) != 2 || len(c.printed) != 1 || c.printed[0] != "odd: printed a b" {
			t.Errorf("lines %q, %v, printed %q", lines, err, c.printed)
		}
		source := p.all.Extensions[0].Commands[0].Source
		if !strings.HasPrefix(source, "serve_test.go:") {
			t.Errorf("the first command is defined at %q", source)
		}
	}
}

// TestOneCallAtATime: the chat has given up on a call that still runs; the next one waits for it.
func TestOneCallAtATime(t *testing.T) {
	p := start(t, &chat{}, false)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := p.run(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that takes too long: %v", err)
	}
	if _, err := p.run(t.Context(), "slow"); err != nil {
		t.Error(err)
	}
}

// TestAPluginEndsWithTheChat, however that ends: nobody is left to hold the other end of its input.
func TestAPluginEndsWithTheChat(t *testing.T) {
	p := start(t, &chat{}, false)
	began := time.Now()
	p.input.Close()
	for !p.client.Exited() {
		if time.Since(began) > patience {
			t.Fatal("it lives on")
		}
		time.Sleep(time.Millisecond) // go-plugin tells of the end in no other way
	}
}

// TestAPluginStartedByHandSaysWhatItIs.
func TestAPluginStartedByHandSaysWhatItIs(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{"SDK_TEST=1", wire.Handshake.MagicCookieKey + "="}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "plugin of opentalk") {
		t.Errorf("%v, %q", err, out)
	}
}
