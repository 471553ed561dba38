package shell

import (
	"fmt"
	"strings"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

const (
	indent   = 6   // of what goes on from the line before: the width of "12:01 "
	maxLines = 100 // of one message that are shown
)

// look turns what the engine tells into text for a person. It holds nothing that changes.
type look struct {
	zone    *time.Location
	log     string // where the log is, for /status
	dated   bool   // messages have their date with them
	mention bool   // they are for this person in particular
}

func dim(t term.Text) term.Text { return term.Style{Dim: true}.Apply(t) }

// clock is the time of day.
func (l look) clock(t time.Time) term.Text { return term.CleanLine(t.In(l.zone).Format("15:04")) }

// when is the time with as much of the date as is needed to tell.
func (l look) when(t time.Time) term.Text {
	now, t := time.Now().In(l.zone), t.In(l.zone)
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return l.clock(t)
	case now.Sub(t) < 300*24*time.Hour:
		return term.CleanLine(t.Format("2 Jan 15:04"))
	}
	return term.CleanLine(t.Format("2 Jan 2006 15:04"))
}

// name shows a handle in the colour of its key. A handle of which nothing can be shown becomes the fingerprint.
func (l look) name(handle string, f engine.Fingerprint) term.Text {
	t := term.CleanHandle(handle)
	if t.Empty() && !f.IsZero() {
		t = term.CleanLine(f.Short())
	}
	if f.IsZero() {
		return t
	}
	return term.Palette(f[:]).Apply(t)
}

func (l look) person(p engine.Person) term.Text {
	if p.Fingerprint.IsZero() && p.Name == "" {
		return term.Literal("?")
	}
	return l.name(p.Name, p.Fingerprint)
}

// written is when a message was written, by its author's clock; but never later than now.
func (l look) written(m engine.Message) time.Time {
	if now := time.Now(); m.Written.After(now) {
		return now
	}
	return m.Written
}

// message is one message on a line, "12:01 bob: hello", with note behind it. Further lines of it are marked, so that they
// can't be taken for other messages.
func (l look) message(m engine.Message, note term.Text) term.Text { return l.messageIn("", m, note) }

// messageIn is message with the name of a round before the author, "" for none.
func (l look) messageIn(round string, m engine.Message, note term.Text) term.Text {
	stamp := l.clock(l.written(m))
	if l.dated {
		stamp = term.CleanLine(l.written(m).In(l.zone).Format("2006-01-02 15:04"))
	}
	if m.Late {
		stamp = l.when(l.written(m))
		note = term.Concat(note, dim(term.Literal("  (late)")))
	}
	if m.Held {
		note = term.Concat(note, dim(term.Literal("  (from a clock that is ahead)")))
	}
	if m.Provisional {
		note = term.Concat(note, dim(term.Literal("  (provisional)")))
	}
	who, gap, where := l.person(m.From), term.Literal(" "), term.Text{}
	if l.mention {
		who = term.Style{Bold: true, Reverse: true}.Apply(who)
		gap = term.Style{Bold: true}.Apply(term.Literal("!")) // for whoever sees no styles
	}
	if round != "" {
		where = dim(term.Sprintf("[%s] ", round))
	}
	head, text := term.Sprintf("%s: ", who), body(m.Text)
	switch {
	case m.Problem != "":
		text = dim(term.Sprintf("(%s)", m.Problem))
	case m.Form == engine.Action:
		head = term.Sprintf("* %s ", who)
	}
	return term.Concat(dim(stamp), gap, where, head, text, note)
}

// body shows the text of a message.
func body(text string) term.Text {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	more := 0
	if len(lines) > maxLines {
		more, lines = len(lines)-maxLines, lines[:maxLines]
	}
	clean := make([]term.Text, len(lines))
	for i, line := range lines {
		clean[i] = term.CleanLine(line)
	}
	if more > 0 {
		clean = append(clean, dim(term.Sprintf("… and %s", count(more, "more line"))))
	}
	return term.Join(clean, term.Literal("\n      │ "))
}

// days puts a line between messages of different days.
type days struct {
	zone *time.Location
	last string
}

const dayFormat = "Monday, 2 January 2006"

// days begins today.
func (l look) days() *days { return &days{l.zone, time.Now().In(l.zone).Format(dayFormat)} }

// before returns the line that goes before a message, none if the day is still the same. Late ones carry their date themselves.
func (d *days) before(m engine.Message) []term.Text {
	if m.Late {
		return nil
	}
	return d.turn(look{zone: d.zone}.written(m))
}

// turn is before for a moment.
func (d *days) turn(t time.Time) []term.Text {
	day := t.In(d.zone).Format(dayFormat)
	if day == d.last {
		return nil
	}
	d.last = day
	return []term.Text{dim(term.Sprintf("-- %s --", day))}
}

// count is a number of things.
func count(n int, thing string) term.Text { return term.CleanLine(counted(n, thing)) }

func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// table lines things up in columns.
type table struct{ rows [][]term.Text }

func (t *table) row(cells ...term.Text) { t.rows = append(t.rows, cells) }
func (t *table) empty() bool            { return len(t.rows) == 0 }

func (t *table) lines() []term.Text {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cell.Width())
		}
	}
	var out []term.Text
	for _, row := range t.rows {
		for len(row) > 1 && row[len(row)-1].Empty() {
			row = row[:len(row)-1]
		}
		cells := make([]term.Text, len(row))
		for i, cell := range row {
			if cells[i] = cell; i < len(row)-1 {
				cells[i] = cell.Pad(widths[i])
			}
		}
		out = append(out, term.Join(cells, term.Literal("  ")))
	}
	return out
}

func counters(st engine.Status) term.Text {
	all := []term.Text{term.Sprintf("%s, %s admitted", count(st.Links, "link"), count(st.Admitted, "block"))}
	for _, c := range []struct {
		n           int
		thing, what string
		why         engine.Reasons
	}{
		{st.Orphans, "block", "kept aside", nil}, {st.Held, "block", "held back", nil},
		{st.Dropped.Total(), "link", "cut off", st.Dropped}, {st.Refused.Total(), "caller", "turned away", st.Refused},
	} {
		switch {
		case c.n == 0:
		case c.why == nil:
			all = append(all, term.Sprintf("%s %s", count(c.n, c.thing), c.what))
		default:
			all = append(all, term.Sprintf("%s %s (%s)", count(c.n, c.thing), c.what, c.why.String()))
		}
	}
	return term.Join(all, term.Literal(", "))
}
