package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkSendToShown: how long a message takes from one process to the screen of another with a filter of a script or of a
// plugin where it goes out or comes in, in turns with two processes that have none. The promise is that a script adds under
// 0.5 ms at the median and a plugin under 1 ms. The memory is that of the process that runs ten scripts.
func BenchmarkSendToShown(b *testing.B) {
	for _, with := range []struct{ name, who, filter string }{
		{"script-outgoing", "alice", "outgoing"},
		{"script-incoming", "bob", "incoming"},
		{"plugin-outgoing", "alice", "guard"},
		{"plugin-incoming", "bob", "shorten"},
	} {
		b.Run(with.name, func(b *testing.B) {
			dir := b.TempDir()
			isPlugin := strings.HasPrefix(with.name, "plugin")
			if isPlugin {
				addPlugin(b, filepath.Join(dir, with.who), with.filter)
			} else {
				tenScripts(b, filepath.Join(dir, with.who), with.filter)
			}
			alice, bob := pair(b, dir)
			filtering := map[string]*process{"alice": alice, "bob": bob}[with.who]
			if isPlugin {
				filtering.say("/plugin enable " + with.filter)
				first(b, filtering, `"event":"reply".*(`+with.filter+` runs)`)
			}
			carol, dave := pair(b, b.TempDir())
			var took, none []time.Duration
			for b.Loop() {
				took = append(took, shownAfter(b, alice, bob))
				none = append(none, shownAfter(b, carol, dave))
			}
			slices.Sort(took)
			slices.Sort(none)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(none[len(none)/2].Microseconds()), "p50-none-µs")
			for _, pid := range children(filtering.cmd.Process.Pid) {
				b.ReportMetric(float64(rssOf(pid)>>20), "child-MB")
			}
		})
	}
}

// tenScripts puts ten scripts into a home, one of which filters.
func tenScripts(tb testing.TB, home, stage string) {
	const filter = "ot.register {}\not.filter(\"%s\", function(m) if m.text:find(\"secret\") then return false, \"no\" end end)\n"
	auto := filepath.Join(home, "scripts", "autoload")
	os.MkdirAll(auto, 0o700)
	for i := range 10 {
		text := "ot.register {}\not.command { name = \"c\", run = function() end }\n"
		if i == 0 {
			text = fmt.Sprintf(filter, stage)
		}
		if err := os.WriteFile(filepath.Join(auto, fmt.Sprintf("s%d.lua", i)), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// shownAfter is how long it takes until one is shown what the other says.
func shownAfter(tb testing.TB, from, to *process) time.Duration {
	began := time.Now()
	from.say("good morning")
	if err := to.until("it", func(line string) bool { return strings.Contains(line, `"text":"good morning"`) }); err != nil {
		tb.Fatal(err)
	}
	return time.Since(began)
}

// pair starts two who share a round.
func pair(tb testing.TB, dir string) (alice, bob *process) {
	alice = spawn(tb, dir, "alice", 0)
	alice.say("/new friends")
	alice.say("/invite")
	token := first(tb, alice, `"event":"invite".*"invite":"(opentalk:[a-z2-7]+)"`)
	bob = spawn(tb, dir, "bob", 1)
	bob.say("/join " + token)
	first(tb, bob, `"event":"round".*"(friends)"`)
	return alice, bob
}
