package chain

// Limits of the format. CHAIN 7. A block beyond them is refused and its sender provably wrong; the other bounds of the
// protocol are quotas of a device and live with what they protect.
const (
	// MaxBlock is the encoded size of a block: with its framing it must fit one message of a link.
	MaxBlock = 64 << 10
	// MaxHeader is above the largest header there can be (16 parents, every number at its longest: 739 bytes).
	MaxHeader = 1 << 10
	// MaxBody leaves room for the longest header and the signature.
	MaxBody = MaxBlock - MaxHeader - SignatureSize
	// MaxParents bounds what one block makes others look up.
	MaxParents = 16
	// MaxTime keeps every t exact in a 64-bit float, for readers in other languages: the year 287396.
	MaxTime = 1<<53 - 1
	// MaxText is the UTF-8 length of one message: a long page. Longer things are files.
	MaxText = 8 << 10
	// MaxName and MaxNameBytes bound handles and names of rounds: what fits beside a line.
	MaxName      = 32
	MaxNameBytes = 128
	// MaxTopic is in code points.
	MaxTopic = 512
	// MaxLeave is how many lines a leave speaks for: what a body holds, and more than anybody ever retires.
	MaxLeave = 1024
	// MaxAhead is how far after one's own clock a block may be, in milliseconds, before it is held: above what a clock is
	// wrong by that nobody notices. CHAIN 6.3.
	MaxAhead = 10 * 60 * 1000
)
