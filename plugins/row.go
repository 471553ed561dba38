package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"opentalk/plugins/hook"
)

// Outcome is what a row of filters has made of an item.
type Outcome struct {
	Text string // what it says now
	// Dropped: it is not to be sent or shown, because By says so for Reason, which may be empty and is foreign text. With
	// Closed, By did not say so, but had to decide and failed.
	Dropped, Closed bool
	By, Reason      string
	// Failed are the extensions whose filters failed or did not answer in time. The item has passed them as it was.
	Failed []string
}

// step is a filter in its row.
type step struct {
	ext    string
	filter hook.Filter
	budget time.Duration
	old    bool // it may see what is not live
	// call returns when its context ends, at the latest.
	call func(context.Context, hook.Item) (hook.Verdict, error)
}

// order is that in which filters are asked.
func order(a, b step) int {
	return cmp.Or(
		cmp.Compare(b.filter.Priority, a.filter.Priority), cmp.Compare(a.ext, b.ext), cmp.Compare(a.filter.Handler, b.filter.Handler),
	)
}

// errRow is why filters were not asked: those before them have used up the time of all.
var errRow = errors.New("no time was left")

// run has each step decide on what the ones before have made of item, in order. It returns when one drops the item, and after the
// budget at the latest. A step of the extension that has sent the item is not asked. fault is told of each step
// that fails by itself, not of those for which the others left no time.
func run(ctx context.Context, row []step, budget time.Duration, item hook.Item, from string, fault func(step, error)) Outcome {
	out := Outcome{Text: textOf(item)}
	if len(row) == 0 {
		return out
	}
	old := (item.Stage == hook.StageIncoming || item.Stage == hook.StageRender) && !item.Message.Live
	end := time.Now().Add(budget)
	for _, s := range row {
		if s.ext == from && from != "" || old && !s.old {
			continue
		}
		verdict, err := ask(ctx, s, withText(item, out.Text), end, fault)
		switch {
		case err != nil:
			out.Failed = append(out.Failed, s.ext)
			if s.filter.Required {
				out.Dropped, out.Closed, out.By, out.Reason = true, true, s.ext, err.Error()
				return out
			}
		case verdict.Action == hook.Rewrite:
			out.Text = verdict.Text
		case verdict.Action == hook.Drop:
			out.Dropped, out.By, out.Reason = true, s.ext, verdict.Reason
			return out
		}
	}
	return out
}

// ask asks one step, for its budget or what is left of that of the row.
func ask(ctx context.Context, s step, item hook.Item, end time.Time, fault func(step, error)) (hook.Verdict, error) {
	left := time.Until(end)
	if left <= 0 {
		return hook.Verdict{}, errRow
	}
	asking, cancel := context.WithTimeout(ctx, min(left, s.budget))
	defer cancel()
	verdict, err := s.call(asking, item)
	switch {
	case err == nil || ctx.Err() != nil:
		return verdict, err
	case !errors.Is(err, context.DeadlineExceeded):
	case left < s.budget:
		return verdict, errRow
	default:
		err = overrun(s.budget)
	}
	fault(s, err)
	return verdict, err
}

// overrun is the error of a call that has taken longer than it may.
type overrun time.Duration

func (o overrun) Error() string { return fmt.Sprintf("no answer within %v", time.Duration(o)) }
func (o overrun) Unwrap() error { return hook.Errorf(hook.CodeFailed, "%v", o.Error()) }

func textOf(item hook.Item) string {
	switch item.Stage {
	case hook.StageInput:
		return item.Line
	case hook.StageOutgoing:
		return item.Out.Text
	}
	return item.Message.Text
}

func withText(item hook.Item, text string) hook.Item {
	switch item.Stage {
	case hook.StageInput:
		item.Line = text
	case hook.StageOutgoing:
		item.Out.Text = text
	default:
		item.Message.Text = text
	}
	return item
}
