package plugins

import "time"

// Bounds of this side of the contract; those that both sides know are in package hook.
const (
	// maxManifest and maxLock bound files that people or this program write: what is larger is some other file. maxExec is
	// the largest program that is read to be pinned, maxArgs its arguments.
	maxManifest = 64 << 10
	maxLock     = 1 << 20
	maxExec     = 512 << 20
	maxArgs     = 64
	// maxPlugins bounds the folders that are looked at.
	maxPlugins = 256

	// maxQueue is how many events wait for an extension that is slow. Past it they are thrown away and it is told so.
	maxQueue = 256
	// maxSenders is for how many of the last messages it is known which extension sent them and how deep.
	maxSenders = 4096
	// maxCalls is how many calls of the host may be under way for a plugin at once: it keeps a plugin that asks without
	// waiting for answers from holding memory.
	maxCalls = 64

	// What an extension may do in a time: bursts are for a script that answers ten lines at once, rates for one that has gone
	// wrong. Calls are all calls of the host together, by a plugin.
	sendRate, sendBurst     = 1, 20     // messages a second
	printRate, printBurst   = 20, 200   // texts a second
	notifyRate, notifyBurst = 0.2, 5    // a second
	manageRate, manageBurst = 0.2, 10   // names, topics, joining, leaving a second
	callRate, callBurst     = 500, 1000 // a second
	logRate, logBurst       = 64 << 10, 512 << 10

	// maxLog is the size from which on a log is begun anew, the old one kept beside it.
	maxLog = 1 << 20
	// maxLogLine bounds a line of it; maxHandshake is what the first line of a plugin's output may be.
	maxLogLine   = 4 << 10
	maxHandshake = 8 << 10

	// A plugin that ends is started again after backOffFirst, doubled up to backOffMost, and from the beginning once it has
	// run for steadyAfter.
	backOffFirst = 100 * time.Millisecond
	backOffMost  = 30 * time.Second
	steadyAfter  = time.Minute
	// scriptOverrun is how long a call of a builtin child may compute before the child is killed. Its answer was given up
	// long before; what runs on then is inside an instruction that looks at no clock.
	scriptOverrun = time.Second
	// drainTime is how long after the end of a process its output is read on: what it has started may hold it open for ever.
	drainTime = 200 * time.Millisecond
	// lockPatience is how long the storage file may be held by another process.
	lockPatience = time.Second
)
