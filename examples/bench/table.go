package main

import (
	"fmt"
	"io"
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
	met    func(ours, ratio float64) bool
}

// head begins the table.
func head(w io.Writer) {
	fmt.Fprintln(w, "| what | opentalk | beside it | ratio (from – to) | goal | |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
}

// print writes a row with the medians.
func (r row) print(w io.Writer) {
	ours, beside, ratio, spread := median(r.ours), "", 0.0, ""
	if len(r.theirs) > 0 {
		var ratios []float64
		for i := range r.theirs {
			ratios = append(ratios, r.ours[i]/r.theirs[i])
		}
		ratio = median(ratios)
		beside = fmt.Sprintf("%s: %s", r.beside, r.show(median(r.theirs)))
		spread = fmt.Sprintf("%.2f (%.2f – %.2f)", ratio, slices.Min(ratios), slices.Max(ratios))
	} else if len(r.ours) > 1 {
		spread = fmt.Sprintf("(%s – %s)", r.show(slices.Min(r.ours)), r.show(slices.Max(r.ours)))
	}
	verdict := ""
	switch {
	case r.met == nil:
	case r.met(ours, ratio):
		verdict = "met"
	default:
		verdict = "not met"
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.show(ours), beside, spread, r.goal, verdict)
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

// Goals of the ratio or of the figure itself.
func ratioAtMost(most float64) (string, func(ours, ratio float64) bool) {
	return fmt.Sprintf("≤ %g ×", most), func(_, ratio float64) bool { return ratio <= most }
}

func atLeast(least float64, show func(float64) string) (string, func(ours, ratio float64) bool) {
	return "≥ " + show(least), func(ours, _ float64) bool { return ours >= least }
}
