package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startUp measures a process that has a long round, from its start until it has answered a line, and what memory it takes then.
func (r *runner) startUp() error {
	m, err := r.withHistory(r.longest, "long")
	if err != nil {
		return err
	}
	home := m.cmd.Dir
	var took, rss []float64
	for range r.pairs {
		leave([]*member{m})
		began := time.Now()
		if m, err = r.opentalk().launch("long", home); err != nil {
			return err
		}
		if _, err := m.ask("/rounds", event("reply")); err != nil {
			return err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
		time.Sleep(r.calm)
		rss = append(rss, float64(memory(m, "VmRSS")>>20))
	}
	leave([]*member{m})
	r.row(row{what: fmt.Sprintf("start to prompt with %d blocks", r.longest), ours: took, show: inMillis}.under(150))
	r.onLinux(row{what: "memory then, idle", ours: rss, show: inMiB}.under(60))
	return nil
}

// firstHit measures how soon a search in a long round shows something.
func (r *runner) firstHit() error {
	m, err := r.withHistory(r.blocks, "searched")
	if err != nil {
		return err
	}
	defer leave([]*member{m})
	var first []float64
	for range r.pairs {
		hit, done := m.expect(event("history")), m.expect(event("reply"))
		began := time.Now()
		if err := m.say("/search MESSAGE"); err != nil {
			return err
		}
		at, err := m.until(hit)
		if err == nil {
			_, err = m.until(done)
		}
		if err != nil {
			return err
		}
		first = append(first, float64(at.Sub(began).Microseconds())/1000)
	}
	r.row(row{what: fmt.Sprintf("/search over %d, first hit", r.blocks), ours: first, show: inMillis}.under(50))
	return nil
}

// idle measures what members take of a core who have nothing to say to each other.
func (r *runner) idle() error {
	members, err := r.opentalk().gather(filepath.Join(r.dir, "idle"), r.idlers)
	if err != nil {
		return err
	}
	defer leave(members)
	time.Sleep(r.calm)
	var before, shares []float64
	for _, m := range members {
		before = append(before, spent(m))
	}
	began := time.Now()
	time.Sleep(r.watch)
	for i, m := range members {
		shares = append(shares, 100*(spent(m)-before[i])/time.Since(began).Seconds())
	}
	r.onLinux(row{what: fmt.Sprintf("idle with %d peers, of a core", r.idlers-1), ours: shares, show: percent}.under(0.1))
	return nil
}

// spent is how many seconds the threads of a process have run. Linux tells it in nanoseconds.
func spent(m *member) (seconds float64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", m.cmd.Process.Pid))
	for _, name := range threads {
		raw, _ := os.ReadFile(name)
		ns, _ := strconv.ParseFloat(strings.Fields(string(raw) + " 0")[0], 64)
		seconds += ns / 1e9
	}
	return seconds
}

// binary measures the program's file, and how long it takes to say its version.
func (r *runner) binary() error {
	info, err := os.Stat(r.program)
	if err != nil {
		return err
	}
	r.row(row{what: "binary", ours: []float64{float64(info.Size()) / 1e6}, show: inMB}.under(35))
	var took []float64
	for range r.pairs {
		began := time.Now()
		if err := exec.Command(r.program, "--version").Run(); err != nil {
			return err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	r.row(row{what: "`--version`", ours: took, show: inMillis}.under(20))
	return nil
}
