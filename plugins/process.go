package plugins

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire"
)

// process is one run of a plugin.
type process struct {
	guest    *guest
	child    *child
	client   *plugin.Client
	extender hook.Extender
	started  chan struct{} // closed when what it registers at its start is registered
	rate     *rate.Limiter // of the calls of the host
	serving  chan struct{} // holds one for each call of the host that is under way

	blamed bool // it was ended for what one extension did; guarded by Host.mu

	mu    sync.Mutex
	calls map[*call]struct{} // under way, or cut off by the end of the process
	// broken is set when one was cut off, until the process has ended or shows that it has not, when it is closed: meanwhile no
	// other is begun, for it would look like one that did it.
	broken chan struct{}
}

// program is how a process is started.
type program struct {
	path string
	args []string
	dir  string // it starts there
	mtls bool
}

// launch starts a process and connects to it. ctx ends the process if it has not done so by then.
func (g *guest) launch(ctx context.Context, what program) (*process, error) {
	h := g.host
	cmd := exec.Command(what.path, what.args...)
	cmd.Dir = what.dir
	p := &process{
		guest: g, rate: rate.NewLimiter(callRate, callBurst), started: make(chan struct{}),
		serving: make(chan struct{}, maxCalls), calls: map[*call]struct{}{},
		child: &child{cmd: cmd, log: g.log, spawn: h.spawn, onPanic: h.cfg.OnPanic, left: h.left, exited: make(chan struct{})},
	}
	var addr net.Addr
	cfg := wire.ClientConfig(h.cfg.OnPanic)
	cfg.RunnerFunc = func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
		cmd.Env = append(environment(os.Environ()), spec.Env...)
		p.child.dir = dir
		return p.child, nil
	}
	cfg.SkipHostEnv, cfg.AutoMTLS, cfg.StartTimeout = true, what.mtls, hook.StartBudget
	cfg.UnixSocketConfig = &plugin.UnixSocketConfig{TempDir: h.left.Sockets}
	cfg.SyncStdout, cfg.SyncStderr = &lines{log: g.log, what: "stdout"}, &lines{log: g.log, what: "stderr"}
	cfg.Logger = hclog.New(&hclog.LoggerOptions{
		Output: &lines{log: g.log, what: "plugin"}, Level: hclog.Warn, DisableTime: true,
	})
	cfg.GRPCDialOptions = append(cfg.GRPCDialOptions, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return dial(ctx, addr)
	}))
	p.client = plugin.NewClient(cfg)
	stop := context.AfterFunc(ctx, func() {
		defer h.cfg.OnPanic()
		p.child.Kill(ctx)
	})
	defer stop()
	var err error
	if addr, err = p.client.Start(); err == nil {
		err = p.connect()
	}
	if err != nil {
		return nil, p.abandon(ctx, err)
	}
	return p, nil
}

func (p *process) connect() error {
	proto, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := proto.Dispense(wire.Name)
	if err != nil {
		return err
	}
	p.extender = raw.(hook.Extender)
	return nil
}

// abandon ends a process that did not come up, and says why it did not.
func (p *process) abandon(ctx context.Context, err error) error {
	ended := false
	if p.child.pid() != 0 {
		select {
		case <-p.child.exited:
			ended = p.child.endedItself()
		case <-time.After(drainTime): // its outputs end before it does
		}
		p.end()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it was not ready within %v", hook.StartBudget)
	case ended:
		return fmt.Errorf("it ended at its start: %s", p.child.ending())
	}
	if said, ok := strings.CutPrefix(first, "Unrecognized remote plugin message:"); ok {
		return fmt.Errorf("its output begins with %q rather than the line of a plugin", strings.TrimSpace(said))
	}
	return errors.New(first)
}

// dial connects to a plugin, and to nobody else.
func dial(ctx context.Context, addr net.Addr) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	if unix, ok := conn.(*net.UnixConn); ok {
		uid, err := peerUID(unix)
		if err == nil && uid != os.Getuid() {
			err = fmt.Errorf("the socket is served by user %d", uid)
		}
		if err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// stop asks the plugin to end, waits for [hook.StopBudget] and ends it.
func (p *process) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), hook.StopBudget)
	defer cancel()
	asked := make(chan struct{})
	go func() {
		defer p.guest.host.cfg.OnPanic()
		p.extender.Stop(ctx)
		close(asked)
	}()
	select {
	case <-asked:
		p.child.closeInput()
		select {
		case <-p.child.exited:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	p.end()
}

// end ends the process and what go-plugin keeps of it, and returns when it is gone.
func (p *process) end() {
	p.child.Kill(context.Background())
	<-p.child.exited
	p.client.Kill()
}

// call is a call of a handler that is under way.
type call struct {
	proc    *process
	ext     string
	handler hook.HandlerID

	mu      sync.Mutex
	began   time.Time
	asking  int           // calls of the host that it waits for
	since   time.Time     // when the first of them began
	waited  time.Duration // for those before
	watcher *time.Timer   // of a builtin's
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// errAway is why a call was not made: the process has ended.
var errAway = hook.Errorf(hook.CodeClosed, "the plugin has ended, and was not asked")

// beginCall waits, until ctx ends, while it is not known whether the process has ended. Then the error is errAway.
func (p *process) beginCall(ctx context.Context, ext string, id hook.HandlerID) (*call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.broken != nil {
		broken := p.broken
		p.mu.Unlock()
		var err error
		select {
		case <-broken:
		case <-p.child.exited:
			err = errAway
		case <-ctx.Done():
			err = ctx.Err()
		}
		if p.mu.Lock(); err != nil {
			return nil, err
		}
	}
	if p.child.hasExited() {
		return nil, errAway
	}
	c := &call{proc: p, ext: ext, handler: id, began: time.Now()}
	p.calls[c] = struct{}{}
	if p.guest.builtin != nil && !p.guest.manages(ext) {
		c.watcher = time.AfterFunc(scriptOverrun, c.watch)
	}
	return c, nil
}

// endCall returns err, or that the process has ended if that is why. Such a call may have ended it, and is kept for blame.
func (p *process) endCall(c *call, err error) error {
	if c.watcher != nil {
		c.watcher.Stop()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && p.child.hasExited():
		return errEnded
	case has(err, hook.CodeClosed):
		if p.broken == nil {
			p.broken = make(chan struct{})
		}
		go p.mend(c, p.broken)
	default:
		delete(p.calls, c)
	}
	return err
}

// mend forgives a process that goes on although a call of it was answered as if it had ended.
func (p *process) mend(c *call, broken chan struct{}) {
	defer p.guest.host.cfg.OnPanic()
	select {
	case <-p.child.exited:
	case <-time.After(hook.StopBudget):
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.broken == broken {
			p.broken = nil
			close(broken)
		}
		delete(p.calls, c)
	}
}

var errEnded = hook.Errorf(hook.CodeClosed, "the plugin has ended")

// cutOff returns the extensions with calls that the end of the process has cut off, and of each a handler that was called.
func (p *process) cutOff() map[string]hook.HandlerID {
	p.mu.Lock()
	defer p.mu.Unlock()
	called := map[string]hook.HandlerID{}
	for c := range p.calls {
		if !p.guest.manages(c.ext) {
			called[c.ext] = c.handler
		}
	}
	return called
}

// ask and asked frame what a handler asks of the host: the time of that is not its own.
func (c *call) ask() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking++; c.asking == 1 {
		c.since = time.Now()
	}
}

func (c *call) asked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking--; c.asking == 0 {
		c.waited += time.Since(c.since)
	}
}

// watch looks whether the call has computed for scriptOverrun.
func (c *call) watch() {
	defer c.proc.guest.host.cfg.OnPanic()
	c.mu.Lock()
	own := time.Since(c.began) - c.waited
	if c.asking > 0 {
		own -= time.Since(c.since)
	}
	if own < scriptOverrun {
		c.watcher.Reset(scriptOverrun - own)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.proc.guest.overran(c)
}
