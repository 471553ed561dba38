package scripts

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
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

// limitMemory has the process end, one way or the other, when scripts take more than memoryRoom.
func limitMemory() {
	debug.SetMemoryLimit(memorySoft)
	if limitAddressSpace() != nil {
		memoryMost.Store(taken() + memoryRoom)
		go watchMemory()
	}
}

// memoryMost is what may be [taken] where the system has no limit, 0 where it has one.
var memoryMost atomic.Uint64

// watchMemory looks at the memory while Lua code runs.
func watchMemory() {
	for range time.Tick(memoryLook) {
		lookAtMemory()
	}
}

// lookAtMemory ends the process if it is over the limit. It is called at the end of every call of Lua code, too, before there is
// an answer: so that the chat knows whose call it was that took what is freed again by now.
func lookAtMemory() {
	most := memoryMost.Load()
	if most == 0 {
		return
	}
	if now := taken(); now > most {
		fmt.Fprintf(os.Stderr, "scripts have taken %d MB of memory, over the limit of %d\n", now>>20, most>>20)
		os.Exit(statusMemory)
	}
}
