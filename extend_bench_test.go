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

// BenchmarkSendToShown: how long a message takes from one process to the screen of another, with no filter, with that of a script
// where it goes out or comes in, and with a plugin's. The promise is that a script adds under 0.5 ms at the median and a plugin
// under 1 ms; compare with "none" of the same run. The memory is that of the process that runs ten scripts.
func BenchmarkSendToShown(b *testing.B) {
	const filter = "ot.register {}\not.filter(\"%s\", function(m) if m.text:find(\"secret\") then return false, \"no\" end end)\n"
	for name, home := range map[string]map[string]string{
		"none":            {},
		"script-outgoing": {"alice": "outgoing"},
		"script-incoming": {"bob": "incoming"},
		"plugin-outgoing": {"alice": "guard"},
		"plugin-incoming": {"bob": "shorten"},
	} {
		b.Run(name, func(b *testing.B) {
			isPlugin := strings.HasPrefix(name, "plugin")
			dir := b.TempDir()
			for who, stage := range home {
				if isPlugin {
					addPlugin(b, filepath.Join(dir, who), stage)
					continue
				}
				auto := filepath.Join(dir, who, "scripts", "autoload")
				os.MkdirAll(auto, 0o700)
				for i := range 10 {
					text := "ot.register {}\not.command { name = \"c\", run = function() end }\n"
					if i == 0 {
						text = fmt.Sprintf(filter, stage)
					}
					if err := os.WriteFile(filepath.Join(auto, fmt.Sprintf("s%d.lua", i)), []byte(text), 0o600); err != nil {
						b.Fatal(err)
					}
				}
			}
			alice, bob := pair(b, dir)
			all := map[string]*process{"alice": alice, "bob": bob}
			for who, plugin := range home {
				if isPlugin {
					all[who].say("/plugin enable " + plugin)
					first(b, all[who], `"event":"reply".*(`+plugin+` runs)`)
				}
			}
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				alice.say("good morning")
				if err := bob.until("it", func(line string) bool { return strings.Contains(line, `"text":"good morning"`) }); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			for who := range home {
				for _, pid := range children(all[who].cmd.Process.Pid) {
					b.ReportMetric(float64(rssOf(pid)>>20), "child-MB")
				}
			}
		})
	}
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
