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
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// bench is one part of the table.
type bench struct {
	name     string
	run      func(*runner) error
	compared bool // others do it, too
}

var benches = []bench{
	{"send-2", func(r *runner) error { return r.send(2) }, true},
	{"send-10", func(r *runner) error { return r.send(r.many) }, true},
	{"burst-2", func(r *runner) error { return r.burst(2, 1, 20000) }, true},
	{"burst-10", func(r *runner) error { return r.burst(r.many, 1, 3000) }, true},
	{"all-10", func(r *runner) error { return r.burst(r.many, r.many, 3000) }, true},
	{"catch-up", (*runner).catchUp, true},
	{"reconnect", (*runner).reconnect, false},
	{"start", (*runner).startUp, false},
	{"search", (*runner).search, false},
	{"first-hit", (*runner).firstHit, false},
	{"idle", (*runner).idle, false},
	{"handshake", (*runner).handshake, false},
	{"bulk", (*runner).bulk, false},
	{"filters", (*runner).filters, false},
	{"binary", (*runner).binary, false},
}

// runner is what all parts share.
type runner struct {
	program string // the opentalk to measure
	self    string // this program
	cache   string // long rounds, from run to run
	dir     string // everything else, for this run

	compare bool     // beside other systems, not beside the limits of this machine
	beside  []system // what talk is measured beside

	pairs     int
	paced     int           // messages of a turn
	bursts    int           // the same of a burst, of all senders together
	blocks    int           // of a long round
	longest   int           // of the round that a start is measured with
	many      int           // members, where two are not enough
	idlers    int           // of those who have nothing to say
	calm      time.Duration // until a process has nothing left to do
	watch     time.Duration // how long it is watched then
	benchtime string        // of what Go benchmarks measure
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "floor" {
		exit(serveFloor(os.Args[2], os.Stdin, os.Stdout))
	}
	r := &runner{many: 10, idlers: 30, calm: 10 * time.Second, watch: time.Minute, benchtime: "1s"}
	flag.StringVar(&r.program, "program", "./opentalk", "the opentalk to measure")
	flag.IntVar(&r.pairs, "pairs", 7, "how often each figure is taken, in turns with its limit")
	flag.IntVar(&r.paced, "paced", 100, "paced messages of each of these turns")
	flag.IntVar(&r.bursts, "burst", 20000, "messages of each burst, of all senders together")
	flag.IntVar(&r.blocks, "blocks", 100_000, "blocks of a long round")
	flag.IntVar(&r.longest, "longest", 100_000, "blocks of the round that a start is measured with")
	flag.StringVar(&r.cache, "cache", "examples/bench/cache", "where long rounds are kept")
	flag.BoolVar(&r.compare, "compare", false, "measure beside other systems at the same work, what of it they do")
	once := flag.Bool("once", false, "do everything once and little of it: this measures nothing, and shows that it could")
	rows := flag.String("rows", "", "measure only the parts whose name matches")
	flag.Parse()
	if *once {
		r.pairs, r.paced, r.bursts, r.blocks, r.longest, r.many, r.idlers = 1, 5, 60, 2000, 2000, 3, 3
		r.calm, r.watch, r.benchtime = time.Second, time.Second, "1x"
	}
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
	r.beside = r.besides()
	if r.dir, err = os.MkdirTemp("", "opentalk-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, os.Interrupt, syscall.SIGTERM)
	go func() { // the members end with their input
		<-ending
		os.RemoveAll(r.dir)
		os.Exit(130)
	}()
	head(os.Stdout)
	for _, b := range benches {
		if !wanted.MatchString(b.name) || r.compare && !b.compared {
			continue
		}
		if err := b.run(r); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

// row prints one.
func (r *runner) row(w row) { w.print(os.Stdout) }

// onLinux prints a row of what only Linux tells.
func (r *runner) onLinux(w row) {
	if runtime.GOOS == "linux" {
		r.row(w)
		return
	}
	fmt.Fprintf(os.Stderr, "%s: measured on Linux alone\n", w.what)
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
