//go:build !unix

package scripts

import "time"

// computed stands in for how long this process has computed: the time that has passed.
func computed() time.Duration { return time.Since(started) }

var started = time.Now()
