package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Spread is how one message came to all members of a round.
type Spread struct {
	Members  int
	Line     string          // which of a round's lines it is
	Took     []time.Duration // until the first had it, the second, and so on, without who said it
	Hops     map[int]int     // to each node that has it
	Links    []int           // of each node
	Messages int             // on all links, of any kind, until all was acknowledged
	Bytes    int             // of these
}

// Reached returns how many members have the message, and its author.
func (s Spread) Reached() int { return len(s.Took) + 1 }

// hops returns the mean and the most.
func (s Spread) hops() (mean float64, most int) {
	for _, h := range s.Hops {
		mean += float64(h)
		most = max(most, h)
	}
	return mean / float64(max(len(s.Hops)-1, 1)), most
}

// last is when the last had it.
func (s Spread) last() time.Duration {
	if len(s.Took) == 0 {
		return 0
	}
	return slices.Max(s.Took)
}

// Table prints spreads, one to a line.
func Table(spreads []Spread) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "members\tline\treached\tlinks, mean\tmost\thops, mean\tmost\thalf after\tlast after\tframes a member\tbytes a member\t")
	for _, s := range spreads {
		links, most := 0, 0
		for _, n := range s.Links {
			links, most = links+n, max(most, n)
		}
		mean, far := s.hops()
		fmt.Fprintf(w, "%d\t%s\t%d\t%.1f\t%d\t%.1f\t%d\t%v\t%v\t%.1f\t%d\t\n", s.Members, s.Line, s.Reached(), float64(links)/float64(s.Members), most,
			mean, far, s.half().Round(time.Millisecond), s.last().Round(time.Millisecond),
			float64(s.Messages)/float64(s.Members), s.Bytes/s.Members)
	}
	w.Flush()
	return b.String()
}

// half is when half of those who have it had it.
func (s Spread) half() time.Duration {
	if len(s.Took) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(s.Took))[len(s.Took)/2]
}

// The picture: how many of the members have a message after how long, a line for each round.
const (
	pictureWidth  = 640
	pictureHeight = 360
	pictureEdge   = 48
)

// Picture draws spreads as an SVG: the share of the members that have the message, over time.
func Picture(spreads []Spread) string {
	var b strings.Builder
	longest := time.Millisecond
	for _, s := range spreads {
		longest = max(longest, s.last())
	}
	x := func(d time.Duration) float64 {
		return pictureEdge + float64(d)/float64(longest)*(pictureWidth-2*pictureEdge)
	}
	y := func(share float64) float64 { return pictureHeight - pictureEdge - share*(pictureHeight-2*pictureEdge) }
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", pictureWidth, pictureHeight)
	fmt.Fprintf(&b, `<path d="M%d %.0fV%.0fH%d" fill="none" stroke="black"/>`+"\n", pictureEdge, y(1), y(0), pictureWidth-pictureEdge)
	fmt.Fprintf(&b, `<text x="%d" y="%.0f">members that have it</text><text x="4" y="%.0f">100 %%</text>`+"\n", pictureEdge, y(1)-8, y(1)+4)
	fmt.Fprintf(&b, `<text x="%d" y="%.0f" text-anchor="end">%v after it was said</text>`+"\n", pictureWidth-pictureEdge, y(0)+20, longest.Round(time.Millisecond))
	colours := []string{"#1b6ca8", "#c0392b", "#27864a", "#8e5aa8", "#b8860b", "#555555"}
	for i, s := range spreads {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" d="M%.1f %.1f`, colour, x(0), y(1/float64(s.Members)))
		for at, d := range slices.Sorted(slices.Values(s.Took)) {
			fmt.Fprintf(&b, "H%.1fV%.1f", x(d), y(float64(at+2)/float64(s.Members)))
		}
		fmt.Fprintf(&b, `"/>`+"\n"+`<text x="%d" y="%d" fill="%s">%d members, %s line</text>`+"\n", pictureWidth-180, pictureHeight/2+16*i, colour, s.Members, s.Line)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
