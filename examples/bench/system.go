package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// patience bounds every wait for a process.
const patience = 3 * time.Minute

// system is a chat whose members are processes that read lines and write events, one JSON object a line: opentalk --json, and
// the programs here that do the same of it as is measured.
type system struct {
	name    string
	command func(home string) *exec.Cmd
	wholly  bool // whoever joins is told of all members, not of one
	acks    bool // it tells what is on the disks of others
}

// member is a process of a system.
type member struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	fault bytes.Buffer     // what it wrote to stderr; read when it has ended
	ready <-chan time.Time // its first event of each kind
	round <-chan time.Time
	ended chan struct{}

	mu     sync.Mutex
	waits  []wait
	linked map[string]bool // devices that it says it has a link to
	blocks int             // of the round that it told of last
	err    error           // what it said went wrong
}

// wait is for an event.
type wait struct {
	is   func(line []byte) bool
	done chan<- time.Time
}

// gather starts n members who are all linked to each other.
func (s system) gather(dir string, n int) (members []*member, err error) {
	defer func() {
		if err != nil {
			leave(members)
			err = fmt.Errorf("%s: %w", s.name, err)
		}
	}()
	var invites []string
	for i := range n {
		m, err := s.start(fmt.Sprintf("p%d", i), filepath.Join(dir, s.name, fmt.Sprintf("p%d", i)))
		if err != nil {
			return members, err
		}
		members = append(members, m)
		line := "/new bench"
		if i > 0 {
			line = "/join " + strings.Join(invites, " ")
		}
		if _, err := m.ask(line, event("round")); err != nil {
			return members, err
		}
		if i > 0 && !s.wholly {
			continue
		}
		invite, err := m.invite()
		if err != nil {
			return members, err
		}
		invites = append(invites, invite)
	}
	return members, linked(members)
}

// invite asks for what lets others in.
func (m *member) invite() (string, error) {
	line, err := m.ask("/invite", event("invite"))
	if err != nil {
		return "", err
	}
	var ev struct{ Invite string }
	err = json.Unmarshal(line, &ev)
	return ev.Invite, err
}

// linked waits until every member has a link to every other.
func linked(members []*member) error {
	for _, m := range members {
		all := m.expect(func([]byte) bool { return len(m.linked) >= len(members)-1 })
		if m.links() >= len(members)-1 {
			continue // there may be nothing more to tell
		}
		if _, err := m.until(all); err != nil {
			return fmt.Errorf("%d links of %d: %w", m.links(), len(members)-1, err)
		}
	}
	return nil
}

func (m *member) links() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.linked)
}

// start starts a process and waits until it is ready.
func (s system) start(name, home string) (*member, error) {
	m, err := s.launch(name, home)
	if err == nil {
		_, err = m.until(m.ready)
	}
	if err != nil && m != nil {
		leave([]*member{m})
	}
	return m, err
}

// launch starts a process. Its home is made if there is none.
func (s system) launch(name, home string) (*member, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	m := &member{name: name, cmd: s.command(home), ended: make(chan struct{}), linked: map[string]bool{}}
	m.cmd.Stderr = &m.fault
	var err error
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.ready, m.round = m.expect(event("ready")), m.expect(event("round"))
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go m.hear(stdout)
	return m, nil
}

// leave ends processes and waits until they have ended.
func leave(members []*member) {
	for _, m := range members {
		m.stdin.Close()
	}
	for _, m := range members {
		late := time.AfterFunc(10*time.Second, func() { m.cmd.Process.Kill() })
		<-m.ended
		late.Stop()
	}
}

// event gives a function that knows an event by its name.
func event(name string) func([]byte) bool {
	mark := []byte(`"event":"` + name + `"`)
	return func(line []byte) bool { return bytes.Contains(line, mark) }
}

// hear takes the events of a process until its end.
func (m *member) hear(stdout io.Reader) {
	defer close(m.ended)
	peer, round, failed := event("peer"), event("round"), event("error")
	lines := bufio.NewScanner(stdout)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	for lines.Scan() {
		now, line := time.Now(), lines.Bytes()
		m.mu.Lock()
		switch {
		case peer(line), round(line):
			m.note(line)
		case failed(line):
			m.err = errors.Join(m.err, fmt.Errorf("%s: %s", m.name, line))
		}
		kept := m.waits[:0]
		for _, w := range m.waits {
			if w.is(line) {
				w.done <- now
			} else {
				kept = append(kept, w)
			}
		}
		m.waits = kept
		m.mu.Unlock()
	}
	m.cmd.Wait()
}

// note takes down who is there or no more, and how long a round is.
func (m *member) note(line []byte) {
	var ev struct {
		Event, Device, State string
		Blocks               int
	}
	err := json.Unmarshal(line, &ev)
	switch {
	case err != nil:
		m.err = errors.Join(m.err, err)
	case ev.Event == "round":
		m.blocks = ev.Blocks
	case ev.State == "online":
		m.linked[ev.Device] = true
	default:
		delete(m.linked, ev.Device)
	}
}

// expect gives a channel that gets the time at which an event comes that is the one. The function is called with every event
// from now on until it says so.
func (m *member) expect(is func([]byte) bool) <-chan time.Time {
	done := make(chan time.Time, 1)
	m.mu.Lock()
	m.waits = append(m.waits, wait{is, done})
	m.mu.Unlock()
	return done
}

// until waits for what is expected.
func (m *member) until(done <-chan time.Time) (time.Time, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case at := <-done:
		return at, nil
	case <-m.ended:
		select {
		case at := <-done:
			return at, nil
		default:
			return time.Time{}, errors.Join(fmt.Errorf("%s has ended: %s", m.name, m.fault.String()), m.err)
		}
	case <-late.C:
		m.mu.Lock()
		defer m.mu.Unlock()
		return time.Time{}, errors.Join(fmt.Errorf("%s does not tell what is waited for", m.name), m.err)
	}
}

func (m *member) say(line string) error {
	_, err := io.WriteString(m.stdin, line+"\n")
	return err
}

// ask says a line and returns the event that answers it.
func (m *member) ask(line string, is func([]byte) bool) (answer []byte, err error) {
	done := m.expect(func(line []byte) bool {
		if !is(line) {
			return false
		}
		answer = bytes.Clone(line)
		return true
	})
	if err := m.say(line); err != nil {
		return nil, err
	}
	_, err = m.until(done)
	return answer, err
}
