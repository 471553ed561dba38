package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// textSize is the length of every message in bytes, pace how often one is said.
const (
	textSize = 200
	pace     = 20 * time.Millisecond
)

// text is the nth message of somebody. No text is the beginning of another.
func text(who string, n int) string {
	t := fmt.Sprintf("%s says %d ", who, n)
	return t + strings.Repeat("x", textSize-len(t))
}

// crowd is a system's members while they are measured.
type crowd struct {
	system
	members []*member
	said    int
}

// paced has one member say n messages, each when all have been shown the one before and its time has come, and returns how
// long each took to the first of the others and to the last.
func (c *crowd) paced(n int) (first, last []time.Duration, err error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range n {
		<-tick.C
		c.said++
		said := text("paced", c.said)
		mark := []byte(`"text":"` + said)
		var shown []<-chan time.Time
		for _, m := range c.members[1:] {
			shown = append(shown, m.expect(func(line []byte) bool { return bytes.Contains(line, mark) }))
		}
		began, soonest, latest := time.Now(), time.Duration(math.MaxInt64), time.Duration(0)
		if err := c.members[0].say(said); err != nil {
			return nil, nil, err
		}
		for i, m := range c.members[1:] {
			at, err := m.until(shown[i])
			if err != nil {
				return nil, nil, err
			}
			soonest, latest = min(soonest, at.Sub(began)), max(latest, at.Sub(began))
		}
		first, last = append(first, soonest), append(last, latest)
	}
	return first, last, nil
}

// burst has some members say n messages each as fast as they take them, and returns how long it took until all others have
// been shown them and, if the system tells, until all have them on their disks.
func (c *crowd) burst(senders []*member, n int) (time.Duration, error) {
	c.said++
	var waits []func() (time.Time, error)
	isMessage := event("message")
	for _, m := range c.members {
		left := n * len(senders)
		if slices.Contains(senders, m) {
			left -= n
		}
		if left == 0 {
			continue
		}
		done := m.expect(func(line []byte) bool {
			if isMessage(line) {
				left--
			}
			return left == 0
		})
		waits = append(waits, func() (time.Time, error) { return m.until(done) })
	}
	failed := make(chan error, len(senders))
	began := time.Now()
	for _, m := range senders {
		who := fmt.Sprintf("%s in burst %d", m.name, c.said)
		if c.acks {
			held := m.expect(heldByAll(text(who, n), len(c.members)-1))
			waits = append(waits, func() (time.Time, error) { return m.until(held) })
		}
		go func() {
			out := bufio.NewWriterSize(m.stdin, 1<<15)
			for i := range n {
				fmt.Fprintln(out, text(who, i+1))
			}
			failed <- out.Flush()
		}()
	}
	for range senders {
		if err := <-failed; err != nil {
			return 0, err
		}
	}
	latest := began
	for _, w := range waits {
		at, err := w()
		if err != nil {
			return 0, err
		}
		if at.After(latest) {
			latest = at
		}
	}
	return latest.Sub(began), nil
}

// heldByAll gives a function that knows the event of the last of the others having a message on its disk. With it they have
// all that its author wrote before.
func heldByAll(text string, others int) func([]byte) bool {
	mark, isSent, isDelivery := []byte(`"text":"`+text), event("sent"), event("delivery")
	all := fmt.Appendf(nil, `"held":%d,`, others)
	var id []byte
	return func(line []byte) bool {
		if id == nil && isSent(line) && bytes.Contains(line, mark) {
			var ev struct{ ID string }
			if json.Unmarshal(line, &ev) == nil {
				id = []byte(`"id":"` + ev.ID + `"`)
			}
		}
		return id != nil && isDelivery(line) && bytes.Contains(line, id) && bytes.Contains(line, all)
	}
}

// equal reports whether all members have the same messages in the same order, n at the least.
func (c *crowd) equal(n int) error {
	var first []string
	for i, m := range c.members {
		name := fmt.Sprintf("all-%d.jsonl", c.said)
		if _, err := m.ask("/export "+name, event("reply")); err != nil {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(m.cmd.Dir, name))
		if err != nil {
			return err
		}
		var ids []string
		for line := range bytes.Lines(raw) {
			var ev struct{ ID string }
			if err := json.Unmarshal(line, &ev); err != nil {
				return err
			}
			ids = append(ids, ev.ID)
		}
		if i == 0 {
			first = ids
		}
		if !slices.Equal(first, ids) || len(ids) < n {
			return fmt.Errorf("%s has %d messages, %s %d, or in another order", m.name, len(ids), c.members[0].name, len(first))
		}
	}
	return nil
}

// gather starts n members of each system, side by side, opentalk first.
func (r *runner) gather(n int) (crowds []*crowd, end func(), err error) {
	end = func() {
		for _, c := range crowds {
			leave(c.members)
		}
	}
	dir, err := os.MkdirTemp(r.dir, "")
	for _, s := range append([]system{r.opentalk()}, r.beside...) {
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

// goalOf is beside what, and in how large a round.
type goalOf struct {
	beside string
	n      int
}

// sendGoals are how many times as long a message may take.
var sendGoals = map[goalOf]float64{
	{"floor", 2}: 1.15, {"floor", 10}: 1.15, {gossipsubEd25519, 2}: 1, {gossipsubEd25519, 10}: 0.8,
}

// delays are how long messages took, in milliseconds, a figure for each turn: at the median to the first and to the last of the
// others, and the slowest of a hundred to the last.
type delays struct {
	first, last, slow []float64
}

// send measures from a line that is given to one member until the others show it.
func (r *runner) send(n int) error {
	crowds, end, err := r.gather(n)
	if err != nil {
		return err
	}
	defer end()
	took := make([]delays, len(crowds))
	for range r.pairs {
		for i, c := range crowds {
			first, last, err := c.paced(r.paced)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			d := &took[i]
			d.first = append(d.first, median(millis(first)))
			d.last = append(d.last, median(millis(last)))
			d.slow = append(d.slow, quantile(millis(last), 0.99))
		}
	}
	for i, c := range crowds[1:] {
		r.sendRows(n, c.name, took[0], took[i+1])
	}
	return nil
}

func (r *runner) sendRows(n int, name string, ours, theirs delays) {
	what, beside := fmt.Sprintf("send → shown, N = %d", n), row{beside: name, show: inMillis}
	if n > 2 {
		r.row(beside.of(what+", first of the others, p50", ours.first, theirs.first))
		what += ", last of the others"
	}
	middle := beside.of(what+", p50", ours.last, theirs.last)
	if most, ok := sendGoals[goalOf{name, n}]; ok {
		middle = middle.ratioAtMost(most)
	}
	r.row(middle)
	r.row(beside.of(what+", p99", ours.slow, theirs.slow))
}

// burst measures how many messages a second come through when members say as many as they can.
func (r *runner) burst(n, senders int, least float64) error {
	crowds, end, err := r.gather(n)
	if err != nil {
		return err
	}
	defer end()
	each := r.bursts / senders
	rates, lost := make([][]float64, len(crowds)), make([]bool, len(crowds)) // a system may lose messages that come too fast
	for range r.pairs {
		for i, c := range crowds {
			if lost[i] {
				continue
			}
			took, err := c.burst(c.members[:senders], each)
			switch {
			case err != nil && r.compare && i > 0:
				fmt.Fprintf(os.Stderr, "%s: %v\n", c.name, err)
				lost[i] = true
				continue
			case err != nil:
				return fmt.Errorf("%s: %w", c.name, err)
			}
			rates[i] = append(rates[i], float64(each*senders)/took.Seconds())
		}
	}
	if err := crowds[0].equal(r.pairs * each * senders); err != nil {
		return err
	}
	what := fmt.Sprintf("burst of %d, N = %d, durable everywhere", each, n)
	if senders > 1 {
		what = fmt.Sprintf("%d at once, %d each, N = %d, equal and durable everywhere", senders, each, n)
	}
	for i, c := range crowds[1:] {
		w := row{beside: c.name, show: perSecond}.of(what, rates[0], rates[i+1])
		if lost[i+1] {
			w.beside, w.theirs = c.name+": some are lost", nil
		}
		if !r.compare {
			w = w.atLeast(least)
		}
		r.row(w)
	}
	return nil
}
