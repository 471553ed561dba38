package link

import "time"

// Limits, each with its reason. LINK 8.
const (
	// HandshakeTimeout is for a whole handshake: five messages over Tor from a small computer, and no more.
	HandshakeTimeout = 10 * time.Second
	// CloseTimeout is how long Close may take to be heard: the owner of a link waits for it.
	CloseTimeout = time.Second
	// MaxRounds is how many rounds a responder tries one caller on: each costs one HMAC, all of them under 0.1 ms.
	MaxRounds = 64
	// MaxReplay is how many first messages are remembered: at the rate of handshakes that Guard admits, the last 54
	// minutes at the least, in about 4 MiB.
	MaxReplay = 65536

	// MaxUnproven connections may be in a handshake: at under 16 KiB each, 8 MiB. Whoever opens ten thousand a second leaves an
	// honest caller 50 ms to say its first message, which it says at once; and with its peers a device stays below 1024
	// descriptors.
	MaxUnproven = 512
	// MaxUnprovenSource of them from one IPv4 address or IPv6 /64: a household behind one address, not a flood.
	MaxUnprovenSource = 8
	// SourceRate and SourceBurst bound the handshakes a second of one source: members that restart, not a loop.
	SourceRate  = 5
	SourceBurst = 20
	// TotalRate and TotalBurst bound those of all sources: under 2 % of one core. The burst is two sources' bursts, so
	// that one source cannot use it up.
	TotalRate  = 20
	TotalBurst = 40

	// MaxRecord is the plaintext of a record: small enough to hold for every peer, large enough that its 18 bytes around
	// it do not matter.
	MaxRecord = 16 << 10
	// RecordUnit is what a record is padded to: a watcher cannot tell short messages apart.
	RecordUnit = 256
	// RekeyInterval is the records under one key, far below what AES-GCM bears; a stolen key opens at most 1 GiB back.
	RekeyInterval = 1 << 16
	// MaxMessage holds the largest block, or the longest list, with its framing.
	MaxMessage = 72 << 10

	// MaxBlock is the encoded size of a block.
	MaxBlock = 64 << 10
	// MaxProofPart is above the largest header with its signature, which is what a fork is proved with: two whole blocks
	// would not fit a message.
	MaxProofPart = 2 << 10
	// MaxEntries of a frontier or of an acknowledgement in one message, and MaxRanges of a request: about 40 KiB.
	MaxEntries = 512
	MaxRanges  = 512
	// MaxIDs in one request or announcement: 34 KiB.
	MaxIDs = 1024
	// MaxBlocks in one message: more than fit, as a block has at least 200 bytes.
	MaxBlocks = 1024
	// MaxNewest lines of a newcomer's preview: more than a screen and its scrollback.
	MaxNewest = 1000
	// MaxAddresses records of at most MaxAddress bytes in one message: 64 KiB.
	MaxAddresses = 64
	MaxAddress   = 1 << 10
	// MaxPruned devices in one PRUNE.
	MaxPruned = 512
	// MaxReached addresses, of at most MaxReachedAddress bytes, in one answer: what a record may hold.
	MaxReached        = 8
	MaxReachedAddress = 255
	// MaxNumber bounds clocks, sequence numbers and request numbers: exact in a 64-bit float, and no sum overflows.
	MaxNumber = 1<<53 - 1
)
