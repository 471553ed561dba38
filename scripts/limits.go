package scripts

import "time"

// Bounds on scripts. What only keeps a mistake from growing is generous; the process as a whole has a limit on its memory.
const (
	// maxScripts are loaded at once, so that together with /script they fit into one registration.
	maxScripts = 100
	// maxSource bounds the text of a script in bytes.
	maxSource = 1 << 20
	// maxWaiting calls may wait for a script that is busy; more are refused.
	maxWaiting = 256
	// maxErrands may wait to be done for a script: a handler that says more at once is cut short with an error.
	maxErrands = 256
	// maxStack is how deep Lua functions call each other.
	maxStack = 1000
	// maxRegistry bounds the values on the stack of a Lua state.
	maxRegistry = 256 << 10
	// maxPatterns are kept compiled for a script; maxPattern bounds one, in bytes.
	maxPatterns = 64
	maxPattern  = 4 << 10
	// maxDepth is how deep tables may be nested in what becomes JSON.
	maxDepth = 64
	// maxFaults are remembered of a script, for /script errors.
	maxFaults = 20
	// maxTrace bounds the lines of a traceback that is kept.
	maxTrace = 20

	// askTime is how long a question to the chat may take, a script's clock standing meanwhile.
	askTime = 500 * time.Millisecond
	// maxTimer is the longest time that a timer may be set for.
	maxTimer = 366 * 24 * time.Hour
	// defaultHistory is how many messages ot.history gives if it is not told.
	defaultHistory = 50

	// loadBudget is how long the text of a script may compute when it is loaded, handlers hook.ScriptBudget.
	loadBudget = 500 * time.Millisecond
	// patience is how long /script waits for a script to load: longer than the chat lets it run.
	patience = 3 * time.Second
)
