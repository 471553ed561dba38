//go:build !linux

package plugins

import (
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// startOf returns something that is the same for a process as long as it lives, and for no other with its number; "" if
// there is no such process. On Windows it is always "": there the system ends what is left.
func startOf(pid int) string {
	if runtime.GOOS == "windows" {
		return ""
	}
	out, err := exec.Command("/bin/ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
