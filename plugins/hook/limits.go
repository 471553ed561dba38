package hook

import "time"

// Limits on what crosses. What exceeds one is refused with [CodeTooBig], or is a fault of the extension.
const (
	// MaxText is the longest message, in bytes: that of the chain.
	MaxText = 8 << 10
	// MaxLine bounds a line of input, of an answer, of a log.
	MaxLine = 16 << 10
	// MaxLines bounds what a command answers, MaxAnswer all of its lines together, in bytes.
	MaxLines  = 1000
	MaxAnswer = 512 << 10
	// MaxNote bounds what describes something: a version, a description, a usage, an example, a source, a reason, a hint. Bytes.
	MaxNote = 1 << 10
	// MaxError bounds the text of an error, in bytes; what is longer is cut.
	MaxError = 4 << 10
	// MaxArgs bounds the words of a line that a command is called with; the rest of the line is in [Call.Line].
	MaxArgs = 1000
	// MaxCandidates bounds what a completion answers.
	MaxCandidates = 200
	// MaxHistory is what one query returns.
	MaxHistory = 500
	// MaxStorage bounds the keys and values of an extension together, MaxKey one key, MaxValue one value: bytes.
	MaxStorage = 1 << 20
	MaxKey     = 256
	MaxValue   = 256 << 10
	// MaxName bounds the name of an extension, a command, a timer; MaxHandlers the handlers of an extension, MaxExtensions the
	// extensions of a plugin, MaxTimers the timers of an extension. MaxRegistration bounds all texts of a registration, in
	// bytes: it is sent again whenever a script is loaded.
	MaxName       = 32
	MaxHandlers   = 128
	MaxExtensions = 128
	MaxTimers     = 64

	MaxRegistration = 512 << 10
	// MinTimer is how often a timer may fire: a program that looks around more often than ten times a second is no chat. MaxTimer
	// is how far ahead one may be set.
	MinTimer = 100 * time.Millisecond
	MaxTimer = 366 * 24 * time.Hour
	// MaxDepth: a message that was set off by a message of an extension, that was set off …, so far and no further.
	MaxDepth = 3
)

// Budgets: how long an answer is waited for. Something waits behind a filter and a completion: a message, or a person. Nothing
// waits behind an observer or a command but the extension itself and whoever gave the command.
const (
	FilterBudget  = 250 * time.Millisecond // a completion's, too
	RowBudget     = 500 * time.Millisecond // all filters of a stage together
	CommandBudget = 10 * time.Second
	ObserveBudget = 10 * time.Second
	StartBudget   = 5 * time.Second
	StopBudget    = time.Second
	// ScriptBudget stands in for that of a filter and a completion in scripts, which compute and do not wait. What runs scripts
	// also ends by itself whatever computes for longer, in any handler.
	ScriptBudget = 50 * time.Millisecond
)

// Strikes within StrikeWindow turn an extension off.
const (
	Strikes      = 3
	StrikeWindow = time.Minute
)
