package plugins

import (
	"slices"
	"testing"
	"time"

	"opentalk/plugins/hook"
)

// BenchmarkFilter: what a message waits for the filter of a plugin, in either direction, and for no plugin. The promise is
// under 1 ms at the median, and nothing that can be measured without one.
func BenchmarkFilter(b *testing.B) {
	out := hook.Item{Stage: hook.StageOutgoing, Out: hook.Outgoing{Text: "how are you?"}}
	in := hook.Item{Stage: hook.StageIncoming, Message: hook.Message{Text: "fine", Live: true}}
	b.Run("none", func(b *testing.B) {
		h := New(Config{Dir: b.TempDir()})
		for b.Loop() {
			h.Filter(b.Context(), out)
			h.Filter(b.Context(), in)
		}
	})
	b.Run("plugin", func(b *testing.B) {
		w := newWorld(b)
		w.plugin("good", "good")
		w.start()
		w.enable("good")
		for name, item := range map[string]hook.Item{"outgoing": out, "incoming": in} {
			b.Run(name, func(b *testing.B) {
				var took []time.Duration
				for b.Loop() {
					began := time.Now()
					if o := w.host.Filter(b.Context(), item); len(o.Failed) > 0 {
						b.Fatalf("%+v", o)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			})
		}
	})
}
