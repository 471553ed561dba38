package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	soakTime = flag.Duration("soak", 5*time.Second, "how long TestSoak goes on")
	soakSeed = flag.Uint64("soak.seed", 0, "what TestSoak draws from; 0 is another seed each time")
)

const (
	soakMembers = 8
	soakFar     = 2                // of them, who hear of everything later
	soakTrouble = 20 * time.Second // the most that one trouble lasts
	equalWithin = 30 * time.Second // of the end of a trouble all have the same
	driftOver   = 10 * time.Minute // a soak that is shorter says nothing of how memory grows
)

// countVariable names the file that holds how many goroutines there are.
const countVariable = "OPENTALK_COUNT"

func init() { commands["opentalk-counted"] = counted }

// counted is opentalk that keeps a count of its goroutines.
func counted() {
	go func() {
		for range time.Tick(time.Second) {
			os.WriteFile(os.Getenv(countVariable), []byte(strconv.Itoa(runtime.NumGoroutine())), 0o600)
		}
	}()
	main()
}

// soak is a round on a real network, and the table of what became of it.
type soak struct {
	t       *testing.T
	rnd     *rand.Rand
	land    *landscape
	members []*member
	begin   time.Time
	samples []sample
}

// sample is the most of what any member takes.
type sample struct{ rss, goroutines, descriptors int }

// TestSoak: eight members on a network that loses packets, two of them far away, while all talk and one trouble comes after
// another: a partition, one that only one side suffers from, connections reset, processes paused, a storm. Within half a minute
// of its end all have the same again; and at the end each has every message that was acknowledged, once, in one order. What a
// member takes does not grow. It prints how that went. See `make soak`.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-soak %v -soak.seed %d", *soakTime, seed)
	s := &soak{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), land: newLandscape(t, soakMembers, soakFar), members: people(t, seed, soakMembers)}
	for i, m := range s.members {
		m.as = append(s.land.on(i), "env", countVariable+"="+filepath.Join(m.home, "goroutines"), "opentalk-counted")
		m.listen = net.JoinHostPort(s.land.ip(i), landPort)
		m.pace = 2 * time.Second
	}
	gather(t, s.members)

	s.begin = time.Now()
	fmt.Fprintf(t.Output(), "%6s  %-9s %6s  %11s  %9s  %10s  %11s\n", "at", "trouble", "lasted", "equal after", "RSS", "goroutines", "descriptors")
	s.weather()
	var all sync.WaitGroup
	for _, m := range s.members {
		all.Go(m.finish)
	}
	all.Wait()
	s.judge()
	if !t.Failed() {
		compare(t, s.members)
	}
}

// weather lets one trouble come after another while all talk.
func (s *soak) weather() {
	calm := make(chan struct{})
	var talking sync.WaitGroup
	for _, m := range s.members {
		talking.Go(func() { m.talk(calm) })
	}
	s.row("none", 0, s.equal(0))
	troubles := []string{"split", "one-way", "resets", "paused", "storm"}
	for n := 0; !s.t.Failed() && time.Since(s.begin) < *soakTime; n++ {
		if n%len(troubles) == 0 {
			s.rnd.Shuffle(len(troubles), func(i, j int) { troubles[i], troubles[j] = troubles[j], troubles[i] })
		}
		most := min(soakTrouble, *soakTime/8)
		lasts := most/4 + time.Duration(s.rnd.Int64N(int64(most)*3/4))
		what := troubles[n%len(troubles)]
		end := s.cause(what)
		select {
		case <-time.After(lasts):
		case <-s.t.Context().Done():
		}
		end()
		s.row(what, lasts, s.equal(n+1))
	}
	close(calm)
	talking.Wait()
	s.equal(-1)
}

// cause causes a trouble, which lasts until end.
func (s *soak) cause(what string) (end func()) {
	order := s.rnd.Perm(soakMembers)
	some := 1 + s.rnd.IntN(soakMembers/2)
	few, others := order[:some], order[some:]
	switch what {
	case "split":
		s.land.between("severed", few, others)
		s.land.between("severed", others, few)
	case "one-way":
		s.land.between("severed", few, others)
	case "resets":
		s.land.between("broken", few, others)
	case "storm":
		s.land.storm(30)
	case "paused":
		for _, i := range few {
			s.members[i].process.cmd.Process.Signal(syscall.SIGSTOP)
		}
		return func() {
			for _, i := range few {
				s.members[i].process.cmd.Process.Signal(syscall.SIGCONT)
			}
		}
	}
	return s.land.heal
}

// equal has all say a last word on the nth trouble, and returns how long it took until all held all of them.
func (s *soak) equal(n int) time.Duration {
	begin := time.Now()
	var all sync.WaitGroup
	for _, m := range s.members {
		all.Go(func() {
			id := m.acknowledged(fmt.Sprintf("%s is there after %d", m.name, n))
			m.await("all to hold that it is there", func() bool { return m.held[id] == soakMembers-1 })
		})
	}
	all.Wait()
	took := time.Since(begin)
	if took > equalWithin {
		s.t.Errorf("equal after %v, not within %v", took, equalWithin)
	}
	return took
}

// row prints a line of the table.
func (s *soak) row(what string, lasted, took time.Duration) {
	var most sample
	for _, m := range s.members {
		most.rss = max(most.rss, rss(m.process))
		fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.process.cmd.Process.Pid))
		most.descriptors = max(most.descriptors, len(fds))
		text, _ := os.ReadFile(filepath.Join(m.home, "goroutines"))
		n, _ := strconv.Atoi(string(text))
		most.goroutines = max(most.goroutines, n)
	}
	s.samples = append(s.samples, most)
	line(s.t.Output(), time.Since(s.begin), what, lasted, took, most)
}

func line(w io.Writer, at time.Duration, what string, lasted, took time.Duration, most sample) {
	fmt.Fprintf(w, "%6s  %-9s %6s  %11s  %5d MiB  %10d  %11d\n", at.Round(time.Second), what, lasted.Round(100*time.Millisecond),
		took.Round(10*time.Millisecond), most.rss>>20, most.goroutines, most.descriptors)
}

// judge compares what members took in the second quarter of a long soak with the last.
func (s *soak) judge() {
	if *soakTime < driftOver {
		return
	}
	n := len(s.samples)
	for what, of := range map[string]func(sample) int{
		"RSS":         func(x sample) int { return x.rss },
		"goroutines":  func(x sample) int { return x.goroutines },
		"descriptors": func(x sample) int { return x.descriptors },
	} {
		early, late := median(s.samples[n/4:n/2], of), median(s.samples[3*n/4:], of)
		if late > early+early/10 {
			s.t.Errorf("%s grows from %d to %d", what, early, late)
		}
	}
}

func median(samples []sample, of func(sample) int) int {
	var values []int
	for _, x := range samples {
		values = append(values, of(x))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
