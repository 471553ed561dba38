package engine

import "time"

// Quotas and times of this device. Exceeding one is never a fault of the other side: it changes what this device does.
const (
	// MaxRounds is what a listener tries a first message against.
	MaxRounds = 64
	// MaxPeers bounds the links of this device.
	MaxPeers = 128

	// joinTime bounds Join where the caller does not.
	joinTime = 30 * time.Second
	// dialTime bounds opening a socket; the handshake has its own limit.
	dialTime = 10 * time.Second
	// pingEvery is how often an idle link is asked whether it lives, deadAfter when it is given up.
	pingEvery = 30 * time.Second
	deadAfter = 90 * time.Second
	// redialFirst doubles up to redialMost, ±20 %, so that peers that come back together do not dial together.
	redialFirst = time.Second
	redialMost  = 5 * time.Minute
	// catchUpWait is how long a peer that has not finished catching us up delays signing.
	catchUpWait = 2 * time.Second
	// ackTime is how long a peer may hold what was sent to it without acknowledging anything.
	ackTime = 30 * time.Second

	// sendQueue is what may wait for one peer; past it the peer is left to catch up. serveBelow is when more of what it
	// asked for is read from the store, serveChunk how much at a time.
	sendQueue  = 1 << 20
	serveBelow = 256 << 10
	serveChunk = 48 << 10
	// maxServing is how many answers a peer may wait for at once: it needs one for catching up and one for an orphan.
	maxServing = 16

	// Orphans are blocks whose edges have not come yet. They never leave this device.
	maxOrphans     = 256
	maxOrphanBytes = 4 << 20
	orphanTime     = 20 * time.Minute

	// liveAge: a message pushed later than this after it was written is not said just now.
	liveAge = 5 * time.Minute
	// lateBy is how far in the past of what was shown a line must land to be called late. Below it people talk at once.
	lateBy = 10 * time.Second

	// An address that nobody has answered at, but that somebody's record names, is tried hearsayTries times in hearsayDay,
	// and all such addresses together no faster than once in hearsayEvery.
	hearsayTries = 3
	hearsayDay   = 24 * time.Hour
	hearsayEvery = time.Second
	// maxEarly bounds the records kept of devices whose first block has not come yet.
	maxEarly = 64

	// closeTime bounds saying goodbye.
	closeTime = 3 * time.Second

	// recentPlaces are kept in memory of the newest blocks: edges nearly always lead to these.
	recentPlaces = 4096
	// unheldKept bounds the own blocks whose delivery is followed.
	unheldKept = 4096
	// backlog is how many events the front may be behind before links are read no further.
	backlog = 1024
)
