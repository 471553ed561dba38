// Bench measures opentalk as people and programs use it, and prints a table: every figure beside the limit of this machine,
// measured in turns with it in the same run, and their ratio. See BENCHMARKS.md.
//
// What is measured are real processes, one to a member, that read lines and write events. Beside them runs the floor (floor.go),
// a program that does only what no chat of this kind can leave out.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// bench is one part of the table.
type bench struct {
	name string
	run  func(*runner) error
}

var benches = []bench{
	{"send-2", func(r *runner) error { return r.send(2) }},
	{"send-10", func(r *runner) error { return r.send(10) }},
	{"burst-2", func(r *runner) error { return r.burst(2, 1, 20000) }},
	{"burst-10", func(r *runner) error { return r.burst(10, 1, 3000) }},
	{"all-10", func(r *runner) error { return r.burst(10, 10, 3000) }},
}

// runner is what all parts share.
type runner struct {
	program string // the opentalk to measure
	self    string // this program
	pairs   int
	paced   int // messages of a turn
	bursts  int // the same of a burst, of all senders together
	dir     string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "floor" {
		exit(serveFloor(os.Args[2], os.Stdin, os.Stdout))
	}
	r := &runner{}
	flag.StringVar(&r.program, "program", "./opentalk", "the opentalk to measure")
	flag.IntVar(&r.pairs, "pairs", 7, "how often each figure is taken, in turns with its limit")
	flag.IntVar(&r.paced, "paced", 100, "paced messages of each of these turns")
	flag.IntVar(&r.bursts, "burst", 20000, "messages of each burst, of all senders together")
	rows := flag.String("rows", "", "measure only the parts whose name matches")
	flag.Parse()
	exit(r.all(*rows))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// all runs what matches.
func (r *runner) all(rows string) error {
	wanted, err := regexp.Compile(rows)
	if err != nil {
		return err
	}
	if r.self, err = os.Executable(); err != nil {
		return err
	}
	if r.program, err = filepath.Abs(r.program); err != nil {
		return err
	}
	if r.dir, err = os.MkdirTemp("", "opentalk-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	head(os.Stdout)
	for _, b := range benches {
		if !wanted.MatchString(b.name) {
			continue
		}
		if err := b.run(r); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

// opentalk is the program as a system.
func (r *runner) opentalk() system {
	return system{name: "opentalk", acks: true, command: func(home string) *exec.Cmd {
		cmd := exec.Command(r.program, "--home", home, "--listen", "127.0.0.1:0", "--json", "--wait", "0", "--no-extensions")
		cmd.Dir = home
		return cmd
	}}
}

// floor is this program as one.
func (r *runner) floor() system {
	return system{name: "floor", wholly: true, command: func(home string) *exec.Cmd {
		return exec.Command(r.self, "floor", home)
	}}
}

// gather starts n members of each system, side by side.
func (r *runner) gather(n int, systems ...system) (crowds []*crowd, end func(), err error) {
	end = func() {
		for _, c := range crowds {
			leave(c.members)
		}
	}
	dir, err := os.MkdirTemp(r.dir, "")
	for _, s := range systems {
		if err != nil {
			break
		}
		c := &crowd{system: s}
		if c.members, err = s.gather(dir, n); err == nil {
			crowds = append(crowds, c)
			_, _, err = c.paced(20) // what happens once is no part of what is measured
		}
	}
	if err != nil {
		end()
	}
	return crowds, end, err
}

// send measures from a line that is given to one member until the others show it.
func (r *runner) send(n int) error {
	crowds, end, err := r.gather(n, r.opentalk(), r.floor())
	if err != nil {
		return err
	}
	defer end()
	var first, last, tail [2][]float64
	for range r.pairs {
		for i, c := range crowds {
			soonest, latest, err := c.paced(r.paced)
			if err != nil {
				return err
			}
			first[i] = append(first[i], median(millis(soonest)))
			last[i] = append(last[i], median(millis(latest)))
			tail[i] = append(tail[i], quantile(millis(latest), 0.99))
		}
	}
	what := fmt.Sprintf("send → shown, N = %d", n)
	goal, met := ratioAtMost(1.15)
	if n > 2 {
		row{what: what + ", first of the others, p50", ours: first[0], beside: "floor", theirs: first[1], show: inMillis}.print(os.Stdout)
		what += ", last of the others"
	}
	row{what: what + ", p50", ours: last[0], beside: "floor", theirs: last[1], show: inMillis, goal: goal, met: met}.print(os.Stdout)
	row{what: what + ", p99", ours: tail[0], beside: "floor", theirs: tail[1], show: inMillis}.print(os.Stdout)
	return nil
}

// burst measures how many messages a second come through when members say as many as they can.
func (r *runner) burst(n, senders int, least float64) error {
	crowds, end, err := r.gather(n, r.opentalk(), r.floor())
	if err != nil {
		return err
	}
	defer end()
	var rates [2][]float64
	for range r.pairs {
		for i, c := range crowds {
			took, err := c.burst(c.members[:senders], r.bursts/senders)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], float64(r.bursts)/took.Seconds())
		}
	}
	if err := crowds[0].equal(r.pairs * r.bursts); err != nil {
		return err
	}
	what := fmt.Sprintf("burst of %d, N = %d, durable everywhere", r.bursts, n)
	if senders > 1 {
		what = fmt.Sprintf("%d at once, N = %d, equal and durable everywhere", senders, n)
	}
	goal, met := atLeast(least, perSecond)
	row{what: what, ours: rates[0], beside: "floor", theirs: rates[1], show: perSecond, goal: goal, met: met}.print(os.Stdout)
	return nil
}
