//go:build !unix

package scripts

import (
	"runtime/metrics"
	"time"
)

// computed stands in for how long this process has computed: the time that has passed.
func computed() time.Duration { return time.Since(started) }

// taken stands in for the most memory that this process has had at once, in bytes: what it has now.
func taken() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}

var started = time.Now()
