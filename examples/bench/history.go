package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"opentalk/engine/enginetest"
)

// history is a home with a round of so many blocks, kept from run to run because it takes long to write. It is never used
// itself: copies are.
func (r *runner) history(blocks int) (string, error) {
	kept := filepath.Join(r.cache, fmt.Sprint(blocks))
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(r.cache, 0o700); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(r.cache, "part-") // one that is not whole is not taken for one that is
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(os.Stderr, "writing a history of %d blocks, to be kept in %s\n", blocks, kept)
	if _, err := enginetest.History(filepath.Join(dir, "home"), blocks-enginetest.Authors); err != nil {
		return "", err
	}
	return kept, os.Rename(filepath.Join(dir, "home"), kept)
}

// withHistory makes a home with that history, and starts it.
func (r *runner) withHistory(blocks int, name string) (*member, error) {
	from, err := r.history(blocks)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(r.dir, name)
	if err := copyHome(home, from); err != nil {
		return nil, err
	}
	m, err := r.opentalk().start(name, home) // what the first start does to a home is no part of what is measured
	if err == nil {
		_, err = m.ask("/rounds", event("reply"))
	}
	return m, err
}

// copyHome copies what a home needs, which only its owner may read.
func copyHome(to, from string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"secrets", "rounds.db"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), raw, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// arrival is what a newcomer was measured to take.
type arrival struct {
	first, all time.Duration // until a hundred messages are shown, until everything is verified and on the disk
	rss        int           // the most memory, in bytes
}

// arrive lets a newcomer into a round of so many blocks.
func (r *runner) arrive(name, invite string, blocks int) (a arrival, err error) {
	home := filepath.Join(r.dir, name)
	m, err := r.opentalk().start(name, home)
	if err != nil {
		return a, err
	}
	defer func() { leave([]*member{m}) }()
	isMessage, left := event("message"), min(100, blocks/2)
	screen := m.expect(func(line []byte) bool {
		if isMessage(line) {
			left--
		}
		return left == 0
	})
	caught, began := m.expect(caughtUp), time.Now()
	if err := m.say("/join " + invite); err != nil {
		return a, err
	}
	at, err := m.until(screen)
	if err != nil {
		return a, err
	}
	a.first = at.Sub(began)
	if _, err := m.until(caught); err != nil {
		return a, err
	}
	// A block of its own comes to the disk after all those before it.
	own := m.expect(func(line []byte) bool { return event("sent")(line) && bytes.Contains(line, []byte(`"state":"sent"`)) })
	if err := m.say("here I am"); err != nil {
		return a, err
	}
	if at, err = m.until(own); err != nil {
		return a, err
	}
	a.all, a.rss = at.Sub(began), memory(m, "VmHWM")
	m.cmd.Process.Kill()
	<-m.ended
	return a, r.holds(home, blocks)
}

// caughtUp knows the event of having taken in all that somebody had.
func caughtUp(line []byte) bool {
	var ev struct {
		Event, What string
		Done, Total int
	}
	return bytes.Contains(line, []byte(`"progress"`)) && json.Unmarshal(line, &ev) == nil &&
		ev.Event == "progress" && ev.What == "catching up" && ev.Done == ev.Total
}

// holds starts a home whose process was killed and looks whether all the blocks are there.
func (r *runner) holds(home string, blocks int) error {
	m, err := r.opentalk().start(filepath.Base(home), home)
	if err != nil {
		return err
	}
	defer leave([]*member{m})
	if _, err := m.until(m.round); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blocks < blocks {
		return fmt.Errorf("%s has %d blocks of %d after it was killed", m.name, m.blocks, blocks)
	}
	return nil
}

// memory is what Linux says a process takes, in bytes: VmRSS now, VmHWM at the most. Elsewhere it is 0.
func memory(m *member, what string) int {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	_, after, _ := strings.Cut(string(raw), what+":")
	kib, _ := strconv.Atoi(strings.Fields(after + " 0")[0])
	return kib << 10
}

// verify is how long all cores take to verify so many signatures over what blocks sign.
func verify(signatures int) time.Duration {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // there is no randomness
	}
	header := make([]byte, 300)
	sig := ed25519.Sign(key, header)
	began := time.Now()
	var all sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for i := range cores {
		all.Go(func() {
			for n := i; n < signatures; n += cores {
				ed25519.Verify(pub, header, sig)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// catchUp measures a newcomer to a long round.
func (r *runner) catchUp() error {
	beside := func(string) (time.Duration, error) { return verify(r.blocks), nil }
	of, goal := "bare verification on all cores", 1.3
	if r.compare {
		if !r.there(hypercoreModules, hypercores) {
			return nil
		}
		newcomer, end, err := r.hypercoreCatchUp()
		if err != nil {
			return err
		}
		defer end()
		beside, of, goal = newcomer, hypercores, 1.0/6
	}
	server, err := r.withHistory(r.blocks, "server")
	if err != nil {
		return err
	}
	defer leave([]*member{server})
	invite, err := server.invite()
	if err != nil {
		return err
	}
	var ours, theirs, first, rss []float64
	for i := range r.pairs {
		name := fmt.Sprintf("newcomer%d", i)
		a, err := r.arrive(name, invite, r.blocks)
		if err != nil {
			return err
		}
		took, err := beside(name)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a.all.Seconds()*1000), append(theirs, took.Seconds()*1000)
		first, rss = append(first, a.first.Seconds()*1000), append(rss, float64(a.rss>>20))
	}
	what := fmt.Sprintf("catch-up of %d blocks, verified and durable", r.blocks)
	r.row(row{what: what, ours: ours, beside: of, theirs: theirs, show: inMillis}.ratioAtMost(goal))
	if !r.compare {
		r.row(row{what: "first screen of 100 messages meanwhile", ours: first, show: inMillis}.under(500))
		r.onLinux(row{what: "most memory meanwhile", ours: rss, show: inMiB}.under(100))
	}
	return nil
}
