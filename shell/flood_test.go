//go:build unix

package shell

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"opentalk/engine"
)

// TestTypingInAFlood types and edits while 500 messages a second arrive: the line stays exact, every key is answered, and
// /history shows every message.
func TestTypingInAFlood(t *testing.T) {
	d, times := typeInFlood(t, 100, 2*floodRate)
	if worst := percentile(times, 99); worst > time.Second { // the aim is 50 ms: see BenchmarkKeyInAFlood
		t.Errorf("a key was answered after %v", worst)
	}
	d.press("\r")
	d.until("the line to be sent", func() bool { return len(d.engine.sentTexts()) > 0 })
	if got, want := d.engine.sentTexts()[0], typedInFlood; got != want {
		t.Errorf("typed %q, and %q was sent", want, got)
	}
	n := d.engine.heard()
	d.press(fmt.Sprintf("/history %d\r/nix\r", n))
	d.until("the history", func() bool { return strings.Contains(d.screen.Screen(), `command "/nix"`) })
	rows := d.screen.Rows()
	at := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, "> /history") })
	if at < 0 {
		t.Fatal("the command is not on the screen")
	}
	rows = rows[at+1:]
	for i := range n {
		next := slices.IndexFunc(rows, func(row string) bool { return strings.HasSuffix(row, fmt.Sprint(": flood ", i)) })
		if next < 0 {
			t.Fatalf("message %d of %d is not in the history", i, n)
		}
		rows = rows[next+1:]
	}
}

// BenchmarkKeyInAFlood reports how long a key takes to be on the screen while 500 messages a second arrive.
func BenchmarkKeyInAFlood(b *testing.B) {
	_, times := typeInFlood(b, max(b.N, 100), 0)
	b.ReportMetric(float64(percentile(times, 50).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(percentile(times, 99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[(len(times)-1)*p/100]
}

const (
	floodRate    = 500 // messages a second
	typedInFlood = "a日👧 xyz"
)

// edits are keys, and the line after each, with the cursor. They come round again.
var edits = []struct{ key, line string }{
	{"a", "a▮"}, {"日", "a日▮"}, {"👧", "a日👧▮"}, {"z", "a日👧z▮"}, {"\x1b[D", "a日👧▮z"}, {" ", "a日👧 ▮z"}, {"x", "a日👧 x▮z"},
	{"y", "a日👧 xy▮z"}, {"\x01", "▮a日👧 xyz"}, {"\x05", "a日👧 xyz▮"}, {"!", "a日👧 xyz!▮"}, {"\x7f", "a日👧 xyz▮"}, {"\x15", "▮"},
}

// typeInFlood presses keys, each as soon as the one before is on the screen, until there were so many, so many messages have
// come, and the line is complete. It returns how long each key took.
func typeInFlood(t testing.TB, keys, messages int) (*desk, []time.Duration) {
	d := newDesk(t, 80, 24)
	round := d.engine.add("friends")
	d.start()
	d.until("a prompt", func() bool { return strings.HasSuffix(d.screen.Screen(), "friends> ▮") })
	stop := make(chan struct{})
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		d.engine.flood(round.Tag, stop)
	}()
	var times []time.Duration
	last := edits[len(edits)-1].line
	for i := 0; i < keys || d.engine.heard() < messages || last != typedInFlood+"▮"; i++ {
		e := edits[i%len(edits)]
		last = e.line
		want := strings.TrimRight("friends> "+e.line, " ")
		begun := time.Now()
		d.press(e.key)
		d.until(want, func() bool { return strings.HasSuffix(d.screen.Screen(), want) })
		times = append(times, time.Since(begun))
	}
	close(stop)
	<-flooded
	return d, times
}

// flood has somebody say something at a steady rate, however late it is.
func (f *fake) flood(tag engine.Tag, stop <-chan struct{}) {
	begun := time.Now()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	for n := 0; ; {
		select {
		case <-ticks.C:
		case <-stop:
			return
		}
		for ; float64(n) < time.Since(begun).Seconds()*floodRate; n++ {
			f.mu.Lock()
			m := f.message(tag, fmt.Sprint("crowd", n%50), fmt.Sprint("flood ", n))
			m.ID[0], m.ID[1] = byte(n), byte(n>>8)
			f.history = append(f.history, m)
			f.mu.Unlock()
			f.emit(engine.MessageEvent{Message: m})
		}
	}
}

// heard is how many messages there are.
func (f *fake) heard() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.history) }

// sentTexts are the texts of own messages.
func (f *fake) sentTexts() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pending {
		all = append(all, p.Message.Text)
	}
	return all
}
