package scripts

import (
	"fmt"
	"io"
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
		watched.Store(&watch{taken() + memoryRoom, os.Stderr}) // as it is now: go-plugin puts another in its place
		go watchMemory()
	}
}

// watched is what the memory is held to here where the system does not do it; nil where it does.
var watched atomic.Pointer[watch]

type watch struct {
	most uint64 // that may be [taken]
	log  io.Writer
}

// watchMemory looks at the memory while Lua code runs.
func watchMemory() {
	for range time.Tick(memoryLook) {
		lookAtMemory()
	}
}

// lookAtMemory ends the process if it is over the limit. It is called at the end of every call of Lua code, too, before there is
// an answer: so that the chat knows whose call it was that took what is freed again by now.
func lookAtMemory() {
	w := watched.Load()
	if w == nil {
		return
	}
	if now := taken(); now > w.most {
		fmt.Fprintf(w.log, "scripts have taken %d MB of memory, over the limit of %d\n", now>>20, w.most>>20)
		os.Exit(statusMemory)
	}
}
