package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// row is a figure of opentalk beside one of something else that was measured in turns with it. Ratios are taken pair by
// pair: what disturbs the machine for longer than a pair disturbs both.
type row struct {
	what   string
	ours   []float64
	beside string // what the other is
	theirs []float64
	show   func(float64) string
	goal   string // as text
	met    func(ours, theirs, ratio float64) bool
}

// head begins the table.
func head(w io.Writer) {
	fmt.Fprintf(w, "%d cores, %s. Nothing limits an author's rate: that is the screen's, and --json has no screen.\n\n", runtime.NumCPU(), runtime.GOOS)
	fmt.Fprintln(w, "| what | opentalk | beside it | ratio (from – to) | goal | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
}

// print writes a row with the medians.
func (r row) print(w io.Writer) {
	ours, theirs, beside, ratio, spread := median(r.ours), 0.0, r.beside, 0.0, ""
	if len(r.theirs) > 0 {
		var ratios []float64
		for i := range r.theirs {
			ratios = append(ratios, r.ours[i]/r.theirs[i])
		}
		ratio, theirs = median(ratios), median(r.theirs)
		beside = fmt.Sprintf("%s: %s", r.beside, r.show(theirs))
		spread = fmt.Sprintf("%.2f (%.2f – %.2f)", ratio, slices.Min(ratios), slices.Max(ratios))
	} else if len(r.ours) > 1 {
		spread = fmt.Sprintf("(%s – %s)", r.show(slices.Min(r.ours)), r.show(slices.Max(r.ours)))
	}
	verdict := ""
	switch {
	case r.met == nil:
	case r.met(ours, theirs, ratio):
		verdict = "met"
	default:
		verdict = "not met"
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.show(ours), beside, spread, r.goal, verdict)
}

// of is the same row about something else.
func (r row) of(what string, ours, theirs []float64) row {
	r.what, r.ours, r.theirs = what, ours, theirs
	return r
}

// median is the middle one, or the lower of the two.
func median(all []float64) float64 { return quantile(all, 0.5) }

// quantile is the value below which a part of all lies. all is not changed.
func quantile(all []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(part*float64(len(sorted)-1))]
}

func millis(all []time.Duration) []float64 {
	out := make([]float64, len(all))
	for i, d := range all {
		out[i] = d.Seconds() * 1000
	}
	return out
}

// How figures are shown.
func inMillis(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 1000:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.1f s", v/1000)
}
func perSecond(v float64) string { return fmt.Sprintf("%.0f/s", v) }
func inMiB(v float64) string     { return fmt.Sprintf("%.0f MiB", v) }
func inMB(v float64) string      { return fmt.Sprintf("%.1f MB", v) }
func megabytes(v float64) string { return fmt.Sprintf("%.0f MB/s", v) }
func plain(v float64) string     { return fmt.Sprintf("%.4g", v) }
func percent(v float64) string   { return fmt.Sprintf("%.3f %%", v) }

// The goals: of the ratio, or of the figure itself.

func (r row) ratioAtMost(most float64) row {
	r.goal, r.met = fmt.Sprintf("≤ %.3g ×", most), func(_, _, ratio float64) bool { return ratio <= most }
	return r
}

func (r row) ratioAtLeast(least float64) row {
	r.goal, r.met = fmt.Sprintf("≥ %g ×", least), func(_, _, ratio float64) bool { return ratio >= least }
	return r
}

func (r row) atLeast(least float64) row {
	r.goal, r.met = "≥ "+r.show(least), func(ours, _, _ float64) bool { return ours >= least }
	return r
}

func (r row) under(most float64) row {
	r.goal, r.met = "< "+r.show(most), func(ours, _, _ float64) bool { return ours < most }
	return r
}

func (r row) atMost(most float64) row {
	r.goal, r.met = "≤ "+r.show(most), func(ours, _, _ float64) bool { return ours <= most }
	return r
}

// addsAtMost is a goal of the difference.
func (r row) addsAtMost(most float64) row {
	r.goal, r.met = "adds < "+r.show(most), func(ours, theirs, _ float64) bool { return ours-theirs < most }
	return r
}
