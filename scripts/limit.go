package scripts

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryRoom is what scripts may take beside what the program itself does: a hundred scripts need a tenth of it. Past
	// memorySoft the collector works harder.
	memoryRoom = 192 << 20
	memorySoft = 96 << 20
	// memoryLook is how often the memory is looked at where the system has no limit for it.
	memoryLook = 100 * time.Millisecond
	// statusMemory is what the process exits with then.
	statusMemory = 3
)

// limitMemory ends the process, one way or the other, before scripts take more than memoryRoom.
func limitMemory() {
	debug.SetMemoryLimit(memorySoft)
	if limitAddressSpace() != nil {
		go watchMemory(os.Stderr) // as it is now: go-plugin puts another in its place
	}
}

// watchMemory looks at what is in use. What is allocated at once may be over the limit for as long as it does not look.
func watchMemory(log io.Writer) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(memoryLook) {
		metrics.Read(sample)
		if used := sample[0].Value.Uint64() - sample[1].Value.Uint64(); used > memoryRoom {
			fmt.Fprintf(log, "scripts take %d MB of memory, over the limit of %d\n", used>>20, memoryRoom>>20)
			os.Exit(statusMemory)
		}
	}
}
