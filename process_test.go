package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// patience bounds every wait for a process.
const patience = 20 * time.Second

// untold is why a test ends before it has looked at what a process holds: that is read from /proc.
const untold = "this system does not tell what processes hold"

// process is a running opentalk, with its events as lines.
type process struct {
	name   string
	listen string // its first address
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string // of stdout; closed at its end
	seen   []string    // lines that have been taken
	stderr locked
}

// locked is a buffer that is written while it is read.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// launch starts the test binary as opentalk --json, in dir.
func launch(name, dir string, flags ...string) (*process, error) {
	return launchAs([]string{"opentalk"}, name, dir, flags...)
}

// launchAs is launch with another command, which becomes opentalk in the end. Testscript has put both into the path.
func launchAs(command []string, name, dir string, flags ...string) (*process, error) {
	p := &process{name: name, lines: make(chan string, 4096)}
	p.cmd = exec.Command(command[0], slices.Concat(command[1:], []string{"--json", "--wait", "0"}, flags)...)
	p.cmd.Dir, p.cmd.Stderr = dir, &p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lines)
		scan := bufio.NewScanner(stdout)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			p.lines <- scan.Text()
		}
	}()
	return p, nil
}

func (p *process) say(line string) error {
	_, err := fmt.Fprintln(p.stdin, line)
	return err
}

// until takes lines until one is what is waited for.
func (p *process) until(what string, is func(line string) bool) error {
	for late := time.After(patience); ; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return fmt.Errorf("%s ended before %s\n%s", p.name, what, p.story())
			}
			p.seen = append(p.seen, line)
			if is(line) {
				return nil
			}
		case <-late:
			return fmt.Errorf("%s: no %s\n%s", p.name, what, p.story())
		}
	}
}

// story is all that the process has told.
func (p *process) story() string {
	return strings.Join(p.seen, "\n") + "\n" + p.stderr.String()
}

// wait takes what is left of its output and returns its exit status. A process that does not end is killed.
func (p *process) wait() (status int, err error) {
	late := time.AfterFunc(patience, func() {
		err = fmt.Errorf("%s does not end", p.name)
		p.cmd.Process.Kill()
	})
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	p.cmd.Wait()
	late.Stop()
	return p.cmd.ProcessState.ExitCode(), err
}

// kill ends it as a crash would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.wait()
}
