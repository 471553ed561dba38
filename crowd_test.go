package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/socket"
)

var (
	crowdFlag = flag.Int("crowd", 6, "how many members TestCrowd has; half of them restart all the time")
	livesFlag = flag.Int("crowd.lives", 2, "how often each of these is started")
	seedFlag  = flag.Uint64("crowd.seed", 0, "what TestCrowd draws from; 0 is another seed each time")
)

// crowdPatience bounds each wait of a crowd, whose processes share this machine with each other and with whatever else runs.
const crowdPatience = 2 * time.Minute

// member is one of a crowd: a home, the process that has it now, and a ledger of what that has told, kept outside.
type member struct {
	t      *testing.T
	name   string
	home   string
	listen string
	as     []string      // the command that is started
	pace   time.Duration // it pauses for less than this between two things that it says
	fault  string        // the code of an error that it may tell of
	rnd    *rand.Rand

	process *process
	ended   chan struct{} // the process is no more, and all it told has been read
	news    chan struct{} // a token after every event
	said    int
	killed  int

	mu    sync.Mutex
	acked map[string]string // texts of messages by id for which a `sent` event came: they must never be lost
	shown map[string]bool   // ids that this process has shown
	held  map[string]int    // by how many others a message is held
	told  map[string]string // the last event of a kind that carries something: an invite, a round, the addresses
}

// TestCrowd: twenty members on loopback, real processes, of which ten are killed or told to end at random instants and start
// anew, while all write as fast as their messages are acknowledged. At the end all have the same history in the same order,
// with each message that was ever acknowledged, and none twice.
func TestCrowd(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-crowd %d -crowd.lives %d -crowd.seed %d", *crowdFlag, *livesFlag, seed)
	members := people(t, seed, *crowdFlag)
	gather(t, members)

	var restless, all sync.WaitGroup
	calm := make(chan struct{})
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(members))
	for _, i := range order[:len(order)/2] {
		m := members[i]
		restless.Go(func() {
			for range *livesFlag - 1 {
				m.live()
				m.start()
			}
		})
		all.Go(func() { restless.Wait(); m.talk(calm) })
	}
	for _, i := range order[len(order)/2:] {
		all.Go(func() { members[i].talk(calm) })
	}
	restless.Wait()
	close(calm)
	all.Wait()

	for _, m := range members {
		all.Go(func() { m.lastWord(len(members) - 1) })
	}
	all.Wait()
	for _, m := range members {
		all.Go(m.finish)
	}
	all.Wait()
	if !t.Failed() {
		compare(t, members)
	}
}

// people gives n members, none of whom is up.
func people(t *testing.T, seed uint64, n int) []*member {
	dir := t.TempDir()
	members := make([]*member, n)
	for i := range members {
		m := &member{
			t: t, name: fmt.Sprintf("p%d", i), rnd: rand.New(rand.NewPCG(seed, uint64(i+1))), listen: "127.0.0.1:0",
			as: []string{"opentalk"}, pace: 300 * time.Millisecond,
			news: make(chan struct{}, 1), acked: map[string]string{}, held: map[string]int{}, told: map[string]string{},
		}
		if runtime.GOOS == "linux" {
			m.listen = "127.0.0.2:0" // while it restarts, no connection from 127.0.0.1 takes its port
		}
		m.home = filepath.Join(dir, m.name)
		if err := os.Mkdir(m.home, 0o700); err != nil {
			t.Fatal(err)
		}
		identitytest.Keyring(t, m.home, i)
		members[i] = m
		t.Cleanup(func() {
			if m.process != nil {
				m.process.cmd.Process.Kill()
				<-m.ended
			}
		})
	}
	return members
}

// gather starts all, and makes a round of them.
func gather(t *testing.T, members []*member) {
	first := members[0]
	first.start()
	first.say("/new crowd")
	first.say("/invite")
	first.await("an invite", func() bool { return first.told["invite"] != "" })
	var joining sync.WaitGroup
	for _, m := range members[1:] {
		joining.Go(func() {
			m.start()
			m.say("/join " + first.told["invite"])
			m.await("entering the round", func() bool { return m.told["round"] != "" })
		})
	}
	joining.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// start starts the process and waits until it listens.
func (m *member) start() {
	p, err := launchAs(m.as, m.name, m.home, "--home", m.home, "--handle", m.name, "--listen", m.listen)
	if err != nil {
		m.t.Error(err)
		return
	}
	m.mu.Lock()
	m.process, m.ended, m.shown = p, make(chan struct{}), map[string]bool{}
	delete(m.told, "listen")
	m.mu.Unlock()
	go func(ended chan struct{}) {
		defer close(ended)
		for line := range p.lines {
			m.hear(line)
			m.notify()
		}
		p.cmd.Wait()
	}(m.ended)
	m.await("listening", func() bool { return m.told["listen"] != "" })
	m.mu.Lock()
	m.listen = m.told["listen"] // it comes back where it was
	m.mu.Unlock()
}

// notify leaves a token for whoever awaits news.
func (m *member) notify() {
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// hear takes an event down.
func (m *member) hear(line string) {
	var ev struct {
		Event, Round, Invite, ID, Text, State, Code string
		Held                                        int
		Listen                                      []string
	}
	if err := json.Unmarshal([]byte(line), &ev); err != nil {
		m.t.Errorf("%s writes %q: %v", m.name, line, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch ev.Event {
	case "ready":
		m.told["listen"] = ev.Listen[0]
	case "invite":
		m.told["invite"] = ev.Invite
	case "round":
		m.told["round"] = ev.Round
	case "sent":
		if ev.State == "failed" {
			m.t.Errorf("%s: %s", m.name, line)
			return
		}
		m.acked[ev.ID] = ev.Text
	case "message":
		if m.shown[ev.ID] {
			m.t.Errorf("%s shows twice: %s", m.name, line)
		}
		m.shown[ev.ID] = true
	case "delivery":
		m.held[ev.ID] = ev.Held
	case "error":
		m.told["error"] = ev.Text
		if ev.Code != "closed" && ev.Code != "interrupted" && ev.Code != m.fault {
			m.t.Errorf("%s: %s", m.name, line)
		}
	}
}

func (m *member) say(line string) { m.process.say(line) } // an end of the process is seen where its events are awaited

// await waits until what has been heard is enough, and reports whether it ever was: the process may end instead.
func (m *member) await(what string, enough func() bool) bool {
	for late := time.After(crowdPatience); ; {
		m.mu.Lock()
		ok := enough()
		m.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-m.news:
		case <-m.ended:
			m.mu.Lock()
			defer m.mu.Unlock()
			return enough()
		case <-late:
			m.t.Errorf("%s waits in vain for %s\n%s", m.name, what, m.process.stderr.String())
			return false
		}
	}
}

// look has f look at what has been heard.
func (m *member) look(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// talk says one thing after another, each once the last is acknowledged, until calm or until the process ends.
func (m *member) talk(calm <-chan struct{}) {
	for {
		m.said++
		m.acknowledged(fmt.Sprintf("%s says %d", m.name, m.said))
		pause := time.NewTimer(time.Duration(m.rnd.Int64N(int64(m.pace))))
		select {
		case <-calm:
			return
		case <-m.ended:
			return
		case <-pause.C:
		}
	}
}

// acknowledged says something and returns its id, or nothing if the process has ended first.
func (m *member) acknowledged(text string) (id string) {
	m.say(text)
	m.await("a word that "+text, func() bool {
		for i, said := range m.acked {
			if said == text {
				id = i
			}
		}
		return id != ""
	})
	return id
}

// live talks until an instant that nobody expects, at which the process is killed, or told to end.
func (m *member) live() {
	most := 3000 // ms
	if m.rnd.IntN(2) == 0 {
		most = 60 // then what it says still waits for somebody to come
	}
	after, how := time.Duration(m.rnd.IntN(most))*time.Millisecond, syscall.SIGKILL
	if m.rnd.IntN(3) == 0 {
		how = syscall.SIGTERM
	} else {
		m.killed++
	}
	end := time.AfterFunc(after, func() { m.process.cmd.Process.Signal(how) })
	defer end.Stop()
	m.talk(nil)
}

// lastWord says the last that this member says, and waits until all others hold it, and so all before it.
func (m *member) lastWord(others int) {
	id := m.acknowledged("the last of " + m.name)
	m.await("all to hold its last word", func() bool { return m.held[id] == others })
}

// finish ends the process, which has nothing left to do.
func (m *member) finish() {
	m.process.stdin.Close()
	late := time.AfterFunc(crowdPatience, func() {
		m.t.Errorf("%s does not end", m.name)
		m.process.cmd.Process.Kill()
	})
	<-m.ended
	late.Stop()
	if code := m.process.cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("%s ends with status %d\n%s", m.name, code, m.process.stderr.String())
	}
}

// compare looks at what each has on its disk.
func compare(t *testing.T, members []*member) {
	acked, killed := map[string]string{}, 0
	for _, m := range members {
		killed += m.killed
		for id, text := range m.acked {
			acked[id] = text
		}
	}
	var first []string
	for i, m := range members {
		history, texts := onDisk(t, m.home), map[string]int{}
		for _, line := range history {
			texts[line]++
		}
		for line, n := range texts {
			if n > 1 {
				t.Errorf("%s has %d times %q", m.name, n, line)
			}
		}
		for id, text := range acked {
			if texts[id+" "+text] != 1 {
				t.Errorf("%s lacks %q, which was acknowledged", m.name, text)
			}
		}
		if i == 0 {
			first = history
		} else if !slices.Equal(first, history) {
			t.Errorf("%s has %d lines, %s %d, or in another order", m.name, len(history), members[0].name, len(first))
		}
	}
	t.Logf("%d lines, %d of them acknowledged; %d killed", len(first), len(acked), killed)
}

// onDisk is the history that a home keeps, newest first, each message with its id.
func onDisk(t *testing.T, home string) (lines []string) {
	e, err := engine.Open(engine.Config{Dir: home, Listen: []string{"none"}, Network: nowhere{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	go func() {
		for range e.Events() {
		}
	}()
	rounds, err := e.Rounds()
	if err != nil || len(rounds) != 1 {
		t.Fatalf("%v, %v", rounds, err)
	}
	people, err := e.Members(rounds[0].Tag)
	for _, p := range people {
		if p.Forked {
			t.Errorf("%s: %s has written two histories", home, p.Name)
		}
	}
	var before engine.Position
	for err == nil {
		var page []engine.Message
		page, err = e.History(rounds[0].Tag, before, engine.MaxHistory)
		if len(page) == 0 {
			break
		}
		for _, m := range slices.Backward(page) {
			lines = append(lines, fmt.Sprintf("%x %s", m.ID[:], m.Text))
		}
		before = page[0].At
	}
	if err != nil {
		t.Error(err)
	}
	return lines
}

// nowhere is a network that leads nowhere.
type nowhere struct{}

func (nowhere) Dial(context.Context, string) (net.Conn, error) { return nil, socket.ErrNoRoute }
func (nowhere) Listen(string) (net.Listener, error)            { return nil, socket.ErrNoRoute }
