//go:build unix

package scripts

import (
	"syscall"
	"time"
)

// computed is how long this process has computed, on all processors together.
func computed() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return time.Since(started)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var started = time.Now()
