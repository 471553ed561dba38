package engine

import (
	"time"

	"opentalk/engine/link"
)

// Quotas and times of this device. Exceeding one is never a fault of the other side: it changes what this device does.
const (
	// MaxRounds is what a listener tries a first message against.
	MaxRounds = 64
	// MaxPeers bounds the links of this device.
	MaxPeers = 128
	// maxCallers of them have dialled this device: the other places are for whom it dials, or strangers could take all. When
	// these are taken, a device has one of them, a round no more than another that needs them, and who has been in the round
	// for longer goes before who came later.
	maxCallers = 96

	// joinTime bounds Join where the caller does not.
	joinTime = 30 * time.Second
	// dialTime bounds opening a socket; the handshake has its own limit.
	dialTime = 10 * time.Second
	// crossTime is within what of each other two dials are made that cross.
	crossTime = 3 * time.Second
	// pingEvery is how often an idle link is asked whether it lives, deadAfter when it is given up.
	pingEvery = 30 * time.Second
	deadAfter = 90 * time.Second
	// redialFirst doubles up to redialMost, ±20 %, so that peers that come back together do not dial together.
	redialFirst = time.Second
	redialMost  = 5 * time.Minute
	// catchUpWait is how long a peer that has not finished catching us up delays signing.
	catchUpWait = 2 * time.Second
	// patienceMost is how long all of them together may delay it, and whoever says without showing it that they have more of this
	// device's own line; of what has been used up a part in patienceBack comes back over time. Liars can so keep a device from
	// writing for a sixtieth of the time.
	patienceMost = 10 * time.Second
	patienceBack = 60
	// ackTime is how long a peer may hold what was sent to it without acknowledging anything. Who is asked for history and in so
	// long gives fewer than slowSource blocks that are new gives way to another who has some.
	ackTime    = 30 * time.Second
	slowSource = 1024

	// sendQueue is what may wait for one peer; past it the peer is left to catch up. serveBelow is when more of what it
	// asked for is read from the store, serveChunk how much at a time. Past queueMost the link is ended: it is more than these
	// and the frontier of a large round, so whoever asks for so many answers reads none.
	sendQueue  = 1 << 20
	queueMost  = 8 << 20
	serveBelow = 256 << 10
	serveChunk = 48 << 10
	// writtenStep is how much leaves before the core is told that it has: nobody has to wake up for each line.
	writtenStep = 64 << 10
	// Of what is served, serveAhead bytes and serveAheadBlocks blocks are read ahead, over all lines together; a line has at
	// least one in memory. maxLines bounds the lines of one answer: more are asked for in another.
	serveAhead       = 1 << 20
	serveAheadBlocks = 512
	maxLines         = 8 * link.MaxRanges
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

	// Past largeRound members a device keeps largeLinks dialled links and exchanges one every rotateEvery.
	largeRound  = 30
	largeLinks  = 8
	rotateEvery = 10 * time.Minute
	// maxFetching bounds the blocks that are asked for by id. Who was asked and has not answered for fetchTime is not the only
	// one asked.
	maxFetching = 4096
	fetchTime   = 10 * time.Second
	// Who gets an author's blocks from others is told of them pruneWait after they came here, or up to twice that: long enough
	// to share a message, short enough that a line of a talk is not missed. pruneAgain is how often it is said again.
	pruneWait  = 250 * time.Millisecond
	pruneAgain = time.Second

	// An address that nobody has answered at, but that somebody's record names, is tried hearsayTries times in hearsayDay,
	// and all such addresses together no faster than once in hearsayEvery.
	hearsayTries = 3
	hearsayDay   = 24 * time.Hour
	hearsayEvery = time.Second

	// probeEvery is how long what a probe found holds: a person mends something and asks again. At the host that asks,
	// probesDay probes of an address a day may be in vain.
	probeEvery = 10 * time.Second
	probesDay  = 24
	// maxTried bounds the addresses that Diagnose tries, maxAsked the peers that it asks.
	maxTried = 32
	maxAsked = 3

	// maxUnheard bounds the devices that a peer says it has blocks of, and that are not known here: 3 MiB.
	maxUnheard = 1 << 15

	// maxDoubtful bounds the address records that do not hold and may yet.
	maxDoubtful = 1024

	// maxProofs bounds the proofs about devices that have not been heard of.
	maxProofs = 1024

	// Of those who are turned away, who may be thousands a second, the first logFirst have a line each in the log, then one every
	// logEvery; and at most every tellEvery a line says how many there were.
	logFirst  = 100
	logEvery  = time.Minute
	tellEvery = 10 * time.Minute

	// closeTime bounds saying goodbye.
	closeTime = 3 * time.Second

	// A clock that is more than clockOff from the others' goes by theirs, when two of them are within clockAgree. farthest is
	// as wrong as a clock is believed to be.
	clockOff   = 2 * time.Minute
	clockAgree = 10 * time.Minute
	farthest   = 100 * 365 * 24 * time.Hour
	// retireAgain is how long a device that could not retire, for want of a disk, waits before it tries again. One that has
	// retired waits as long before the next time, and twice as long after each, up to retireMost: where members' clocks are
	// years apart, every other word of theirs is a reason to.
	retireAgain = time.Minute
	retireMost  = 24 * time.Hour
	// maxHeld is how many of the blocks that are held are in memory, or twice as many: those whose time comes first.
	maxHeld = 1024
	// maxUncovered bounds the blocks that are read to find out what is a head again when others are held: their authors may date
	// them as they like, and cite what is as old as the round.
	maxUncovered = 1024
	// heldWait bounds how long nothing looks whether the time of a held block has come.
	heldWait = time.Hour

	// salvageBatch blocks of a damaged store are in memory at once, and written together.
	salvageBatch = 512

	// recentPlaces are kept in memory of the newest blocks: edges nearly always lead to these.
	recentPlaces = 4096
	// unheldKept bounds the own blocks whose delivery is followed.
	unheldKept = 4096
	// backlog is how many events the front may be behind before links are read no further; backlogWrites how many writes the
	// disk may be behind, and backlogBytes what those may weigh. As much again may be on its way to the disk. Each block of a
	// long round is written at a random place of the store's index, so that the more are written at once, the fewer pages
	// are: of 100,000 blocks 4,096 at once take 90 MiB of memory and no less time than 1,024 in 76 MiB, 256 an eighth more.
	// eventsAhead events get to the front without help of another goroutine.
	backlog       = 1024
	eventsAhead   = 64
	backlogWrites = 1024
	backlogBytes  = 4 << 20
	// Of what comes over links inboxSize messages wait for the core, and of each link readAhead more are verified meanwhile.
	inboxSize = 32
	readAhead = 4

	// Who lacks more than previewOver blocks of a peer asks for the newest previewBlocks first, to show them before the
	// rest has come: a hundred lines, and a few blocks that say nothing. maxProvisional bounds the ids that are remembered until their blocks come.
	previewOver    = 200
	previewBlocks  = 128
	maxProvisional = 4 * previewBlocks
	// progressEvery is how often catching up tells how far it is.
	progressEvery = 250 * time.Millisecond
)

// hearsayWaits is how long after the first try and the second the next one is made, unless the device says anew where it is: a
// lost packet is over after the one, a machine has woken and a network is back after the other.
var hearsayWaits = [...]time.Duration{15 * time.Second, 20 * time.Minute}
