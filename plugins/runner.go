package plugins

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// child is a process that go-plugin talks to. It is started and ended here rather than by go-plugin, which would hand it the
// terminal's input, could be kept waiting by whoever has inherited its output, and stops reading at a long line.
//
// It gets an input that never says anything and ends with this program, a session of its own, and outputs that go to a log
// but for the first line, which is go-plugin's. What it has started is ended with it, unless that has made itself a session.
type child struct {
	cmd   *exec.Cmd
	dir   string // where sockets may be
	log   *logFile
	left  *leftovers
	spawn func(func() error) error // runs something on the thread whose end the system tells the child of

	onPanic func()

	stdin  *os.File  // our end
	hello  io.Reader // the first line of its output, then nothing until it has ended
	errors io.Reader // nothing, until it has ended
	exited chan struct{}
	err    error     // how it ended, once exited is closed
	closed sync.Once // stdin

	mu      sync.Mutex
	process *os.Process // nil until it has started
	killed  bool        // it was to be ended, started or not
}

var _ runner.Runner = (*child)(nil)

// Start implements runner.Runner.
func (c *child) Start(context.Context) error {
	in, out, errs, err := c.pipes()
	if err != nil {
		return err
	}
	first, firstEnd := io.Pipe()
	quiet, quietEnd := io.Pipe()
	c.hello, c.errors = first, quiet
	setSession(c.cmd)
	err = c.spawn(c.cmd.Start)
	in.Close()
	out.child.Close()
	errs.child.Close()
	if err != nil {
		c.stdin.Close()
		out.own.Close()
		errs.own.Close()
		return fmt.Errorf("starting %s: %w", c.cmd.Path, err)
	}
	attach(c.cmd.Process)
	c.left.add(c.cmd.Process.Pid)
	c.mu.Lock()
	c.process = c.cmd.Process
	killed := c.killed
	c.mu.Unlock()
	var reading sync.WaitGroup
	reading.Go(func() {
		defer c.onPanic()
		readOutput(out.own, firstEnd, &lines{log: c.log, what: "stdout"})
	})
	reading.Go(func() {
		defer c.onPanic()
		readOutput(errs.own, nil, &lines{log: c.log, what: "stderr"})
	})
	go c.reap(&reading, out.own, errs.own, firstEnd, quietEnd)
	if killed {
		c.Kill(context.Background())
	}
	return nil
}

type pipe struct{ own, child *os.File }

// pipes makes the three of the child.
func (c *child) pipes() (in *os.File, out, errs pipe, err error) {
	if in, c.stdin, err = os.Pipe(); err != nil {
		return
	}
	if out.own, out.child, err = os.Pipe(); err != nil {
		in.Close()
		c.stdin.Close()
		return
	}
	if errs.own, errs.child, err = os.Pipe(); err != nil {
		for _, f := range []*os.File{in, c.stdin, out.own, out.child} {
			f.Close()
		}
		return
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = in, out.child, errs.child
	return
}

// reap waits for the end of the process, ends what it left behind, and reads its outputs for a little while longer.
func (c *child) reap(reading *sync.WaitGroup, out, errs *os.File, ends ...io.Closer) {
	defer c.onPanic()
	c.err = c.cmd.Wait()
	killGroup(c.cmd.Process)
	c.left.remove(c.cmd.Process.Pid)
	soon := time.Now().Add(drainTime)
	out.SetReadDeadline(soon)
	errs.SetReadDeadline(soon)
	reading.Wait()
	out.Close()
	errs.Close()
	c.closeInput()
	for _, e := range ends {
		e.Close()
	}
	close(c.exited)
}

// readOutput logs what is written to r, but gives the first line to hello if that is not nil.
func readOutput(r io.Reader, hello io.Writer, log *lines) {
	if hello != nil {
		buffered := bufio.NewReaderSize(r, maxHandshake)
		line, err := buffered.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(line) == 0 {
			line = []byte("\n") // no handshake
		}
		hello.Write(line)
		r = buffered
	}
	io.Copy(log, r)
	log.Write([]byte("\n"))
}

func (c *child) closeInput() { c.closed.Do(func() { c.stdin.Close() }) }

// Wait implements runner.Runner.
func (c *child) Wait(context.Context) error {
	<-c.exited
	return c.err
}

// Kill implements runner.Runner. It ends the process and what it has started at once, also if it has yet to start.
func (c *child) Kill(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasExited() {
		return nil // the number may be somebody else's by now
	}
	if c.killed = true; c.process != nil {
		killGroup(c.process)
		c.process.Kill()
	}
	return nil
}

// Stdout implements runner.Runner.
func (c *child) Stdout() io.ReadCloser { return io.NopCloser(c.hello) }

// Stderr implements runner.Runner.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(c.errors) }

// Name implements runner.Runner.
func (c *child) Name() string { return c.cmd.Path }

// ID implements runner.Runner.
func (c *child) ID() string {
	if pid := c.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// pid returns 0 if it never started.
func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.Pid
}

// Diagnose implements runner.Runner.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner. A plugin serves on a Unix socket in the folder that it was given, which nobody
// else can enter, and where there are none on the loopback.
func (c *child) PluginToHost(network, addr string) (string, string, error) {
	if runtime.GOOS == "windows" && network == "tcp" && strings.HasPrefix(addr, "127.0.0.1:") {
		return network, addr, nil
	}
	if network != "unix" || filepath.Dir(filepath.Clean(addr)) != filepath.Clean(c.dir) {
		return "", "", fmt.Errorf("it listens at %s %q rather than on a socket in PLUGIN_UNIX_SOCKET_DIR", network, addr)
	}
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (c *child) HostToPlugin(network, addr string) (string, string, error) { return network, addr, nil }

// keptEnv are the variables that a plugin gets of this program's: what programs need to find each other, to speak the person's
// language and to reach their desktop. Tokens, agents and everything else stay here.
var keptEnv = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
	"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
	"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME",
	"SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
}

// environment returns what a plugin gets of the variables in all.
func environment(all []string) []string {
	var env []string
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "LC_") {
			env = append(env, v)
			continue
		}
		for _, kept := range keptEnv {
			if name == kept || runtime.GOOS == "windows" && strings.EqualFold(name, kept) {
				env = append(env, v)
			}
		}
	}
	return env
}

func (c *child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// endedItself reports whether a process that has ended was not killed here.
func (c *child) endedItself() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.killed || c.cmd.ProcessState.Exited()
}

// ending says how the process ended.
func (c *child) ending() string {
	if c.err == nil {
		return "exit status 0"
	}
	return c.err.Error()
}
