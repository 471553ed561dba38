package store

import "time"

// Limits of one call. The engine's own limits are lower; these keep a mistake from filling memory or disk.
const (
	MaxValue = 1 << 20 // bytes of a block or a value
	MaxName  = 255     // bytes of a setting's name

	MaxBlocks = 4096    // blocks that one read returns
	MaxBytes  = 8 << 20 // bytes of raw blocks after which one read stops
)

const (
	lockPatience = 250 * time.Millisecond // how long Open waits for another process to let go
	// Writes of at most maxRecord go to the journal: a full block and a little more. journalSize is when bbolt takes one
	// instead, and commitAfter how long it waits for more: as much is held in memory, and done again after a crash.
	maxRecord   = 96 << 10
	journalSize = 512 << 10
	commitAfter = time.Second

	maxDepth = 32 // levels of one tree; a full tree of a billion blocks has 8

	maxWrecks      = 8    // damaged files that are kept: a disk that needs more should be replaced first
	maxWreckRounds = 1024 // tags that a search believes: the engine has 64 rounds, and marks of those that were left
)
