//go:build !cgo

package scripts

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// limitAddressSpace allows memoryRoom beyond what the process has mapped now: the Go runtime maps more than it uses, and how
// much differs between systems, so the limit is measured from there. It is not for builds with cgo, where each thread maps
// much more than it uses, later on.
func limitAddressSpace() error {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(statm)[0]), 10, 64)
	if err != nil {
		return fmt.Errorf("reading the size of the process: %w", err)
	}
	most := pages*uint64(os.Getpagesize()) + memoryRoom
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: most, Max: most})
}
