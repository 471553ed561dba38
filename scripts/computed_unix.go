//go:build unix

package scripts

import (
	"runtime"
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

// taken is the most memory that this process has had at once, in bytes, or on Linux the program that has started it had by then.
func taken() uint64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return uint64(used.Maxrss)
	}
	return uint64(used.Maxrss) << 10
}

var started = time.Now()
