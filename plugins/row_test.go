package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"opentalk/plugins/hook"
)

// plan is what a filter of the row test does. Its latency is never just what it may take.
type plan struct {
	ext      string
	priority int
	handler  hook.HandlerID
	required bool
	script   bool
	history  bool
	takes    int // ms, odd
	does     string
}

func (p plan) budget() int {
	if p.script {
		return 50
	}
	return 250
}

func plans() *rapid.Generator[[]plan] {
	one := rapid.Custom(func(t *rapid.T) plan {
		return plan{
			ext: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "ext"), priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
			required: rapid.IntRange(0, 5).Draw(t, "required") == 0, script: rapid.Bool().Draw(t, "script"),
			history: rapid.Bool().Draw(t, "history"), takes: 2*rapid.SampledFrom([]int{0, 0, 0, 5, 20, 40, 100, 200}).Draw(t, "takes") + 1,
			does: rapid.SampledFrom([]string{"pass", "pass", "rewrite", "rewrite", "fail", "drop"}).Draw(t, "does"),
		}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 8), func(all []plan) []plan {
		for i := range all {
			all[i].handler = hook.HandlerID(i + 1)
		}
		return all
	})
}

// expected is what comes of a row: what it says, in ms how long it takes, and whose faults there are.
type expected struct {
	out    Outcome
	took   int
	faults string
}

// model works out by hand what run is to do.
func model(all []plan, live bool, from string) expected {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b plan) int {
		return cmp.Or(-cmp.Compare(a.priority, b.priority), cmp.Compare(a.ext, b.ext), cmp.Compare(a.handler, b.handler))
	})
	e := expected{out: Outcome{Text: "text"}}
	for _, p := range all {
		if p.ext == from || !live && !p.history {
			continue
		}
		may := min(p.budget(), 500-e.took)
		late := p.takes > may
		e.took += min(p.takes, may)
		switch {
		case late || p.does == "fail":
			e.out.Failed = append(e.out.Failed, p.ext)
			if !late || may == p.budget() {
				e.faults += fmt.Sprint(p.handler, " ")
			}
			if p.required {
				e.out.Dropped, e.out.Closed, e.out.By = true, true, p.ext
				return e
			}
		case p.does == "rewrite":
			e.out.Text += fmt.Sprint("+", p.handler)
		case p.does == "drop":
			e.out.Dropped, e.out.By, e.out.Reason = true, p.ext, "no"
			return e
		}
	}
	return e
}

func (p plan) step() step {
	return step{
		ext: p.ext, filter: hook.Filter{Handler: p.handler, Priority: p.priority, Required: p.required},
		budget: time.Duration(p.budget()) * time.Millisecond, old: p.history,
		call: func(ctx context.Context, item hook.Item) (hook.Verdict, error) {
			select {
			case <-ctx.Done():
				return hook.Verdict{}, ctx.Err()
			case <-time.After(time.Duration(p.takes) * time.Millisecond):
			}
			switch p.does {
			case "rewrite":
				return hook.Verdict{Action: hook.Rewrite, Text: textOf(item) + fmt.Sprint("+", p.handler)}, nil
			case "drop":
				return hook.Verdict{Action: hook.Drop, Reason: "no"}, nil
			case "fail":
				return hook.Verdict{}, errors.New("broken")
			}
			return hook.Verdict{}, nil
		},
	}
}

// TestRow compares rows with a model: order, budgets, what fails closed and what open, who is not asked, whose fault it is.
func TestRow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all, live := plans().Draw(r, "plans"), rapid.Bool().Draw(r, "live")
		from := rapid.SampledFrom([]string{"", "a"}).Draw(r, "from")
		stage := rapid.SampledFrom(hook.Stages()).Draw(r, "stage")
		item := withText(hook.Item{Stage: stage, Message: hook.Message{Live: live}}, "text")
		var row []step
		for _, p := range all {
			row = append(row, p.step())
		}
		slices.SortFunc(row, order)
		want := model(all, live || stage == hook.StageInput || stage == hook.StageOutgoing, from)
		var got expected
		synctest.Test(t, func(*testing.T) {
			began := time.Now()
			got.out = run(context.Background(), row, hook.RowBudget, item, from, func(s step, _ error) { got.faults += fmt.Sprint(s.filter.Handler, " ") })
			got.took = int(time.Since(began).Milliseconds())
		})
		if got.out.Closed {
			got.out.Reason = "" // says how it failed
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || got.took > 500 {
			r.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// TestQueue: events come in order and one at a time, whoever puts them never waits, and what is lost is counted where it was.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		bursts := rapid.SliceOfN(rapid.IntRange(1, 2*maxQueue), 1, 5).Draw(r, "bursts")
		var problem string
		synctest.Test(t, func(*testing.T) {
			var got, lost, next int
			q := newQueue(func(x told) (taken bool) {
				time.Sleep(time.Millisecond)
				lost += x.missed
				if n := x.event.(hook.Missed).Count; n != got+lost {
					problem = fmt.Sprintf("event %d after %d and %d lost", n, got, lost)
				}
				got++
				return true
			}, func() {})
			for _, n := range bursts {
				began := time.Now()
				for range n {
					q.put(hook.Missed{Count: next}, cause{})
					next++
				}
				if time.Since(began) != 0 {
					problem = "putting took time"
				}
				time.Sleep(time.Duration(n/2) * time.Millisecond)
			}
			q.wait()
			if q.missed+lost+got != next {
				problem = fmt.Sprintf("%d events: %d seen, %d and %d lost", next, got, lost, q.missed)
			}
		})
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

// TestStrikes: three within a minute, and no fewer.
func TestStrikes(t *testing.T) {
	var s strikes
	at := time.Now()
	for i, step := range []struct {
		after time.Duration
		off   bool
	}{{0, false}, {30 * time.Second, false}, {31 * time.Second, false}, {28 * time.Second, true}, {2 * time.Minute, false}} {
		at = at.Add(step.after)
		if s.add(at) != step.off {
			t.Errorf("strike %d: %v", i, !step.off)
		}
	}
}

func TestUnusedStage(t *testing.T) {
	h := New(Config{Dir: t.TempDir()})
	item := hook.Item{Stage: hook.StageIncoming, Message: hook.Message{Text: "hi"}}
	if n := testing.AllocsPerRun(100, func() {
		h.Filter(t.Context(), item)
		h.Observe(hook.Shutdown{})
	}); n != 0 {
		t.Errorf("%v allocations for a message that nobody looks at", n)
	}
}

// TestLog: a log is bounded, however much is written to it, and says what is missing.
func TestLog(t *testing.T) {
	l := newLog(t.TempDir(), "x")
	w := &lines{log: l, what: "stdout"}
	synctest.Test(t, func(t *testing.T) {
		for range 400 {
			for range 3 {
				w.Write([]byte(strings.Repeat("spam", 5000) + "\nend"))
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	l.close()
	all, err := l.tail(10000)
	if err != nil || !strings.Contains(strings.Join(all, "\n"), "came too fast and are lost") {
		t.Errorf("%v: nothing is said of what was lost", err)
	}
	for _, line := range all {
		if len(line) > maxLogLine+100 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	for _, name := range []string{l.path, l.path + ".old"} {
		if size := sizeOf(t, name); size == 0 || size > maxLog {
			t.Errorf("%s: %d bytes", name, size)
		}
	}
}
