package chain

// reader reads the one encoding of a header or of messages, and nothing else: what it cannot read, the decoder looks at, to
// say what is wrong. These are read whenever a block is, so that this decides how fast a history is searched; the decoder, and
// encoding again to compare, take twenty times as long.
type reader struct {
	rest []byte
	bad  bool
}

// canonicalHeader returns the header that raw begins with and its length; ok is false if it is not in its one encoding, or if
// it may not be so for another reason.
func canonicalHeader(raw []byte) (w wireHeader, size int, ok bool) {
	c := reader{rest: raw}
	c.head(4, 12)
	w.Version = c.head(0, Version)
	w.Tag = c.optional(len(Header{}.Tag))
	w.Kind = c.number(0)
	c.exactly(w.Epoch[:])
	c.exactly(w.Author[:])
	w.Seq = c.number(0)
	w.Prev = c.optional(len(ID{}))
	if n := c.number(4); n <= MaxParents {
		w.Parents = make([]ID, n)
		for i := range w.Parents {
			c.exactly(w.Parents[i][:])
		}
	} else {
		c.bad = true
	}
	w.T, w.Wall, w.Body = c.number(0), c.number(0), c.number(0)
	c.exactly(w.Hash[:])
	return w, len(raw) - len(c.rest), !c.bad
}

// canonicalMessages returns the messages that plain is; ok is false as for canonicalHeader. What they say is not checked.
func canonicalMessages(plain []byte) (ms []Message, ok bool) {
	c := reader{rest: plain}
	n := c.number(4)
	if n > uint64(len(plain)/messageLeast) {
		return nil, false
	}
	ms = make([]Message, n)
	for i := range ms {
		m := &ms[i]
		c.head(4, 5)
		c.exactly(m.ID[:])
		m.Written, m.Form = c.number(0), Form(c.number(0))
		m.Auto = c.boolean()
		m.Text = string(c.bytes(c.number(3)))
	}
	return ms, !c.bad && len(c.rest) == 0
}

// messageLeast is what a message takes at the least: 1 for the array, 17 for the id, 1 each for the time, the form, auto and
// the length of the text.
const messageLeast = 22

// number reads the head of an item of a major type, in its shortest form, and returns the number in it.
func (c *reader) number(major byte) (n uint64) {
	if c.bad || len(c.rest) == 0 || c.rest[0]>>5 != major {
		c.bad = true
		return 0
	}
	short := c.rest[0] & 0x1f
	c.rest = c.rest[1:]
	if short < 24 {
		return uint64(short)
	}
	size := 1 << (short - 24)
	if short > 27 || len(c.rest) < size {
		c.bad = true
		return 0
	}
	for _, b := range c.rest[:size] {
		n = n<<8 | uint64(b)
	}
	c.rest = c.rest[size:]
	least := uint64(24) // what needs so many bytes
	if size > 1 {
		least = 1 << (4 * size)
	}
	c.bad = c.bad || n < least
	return n
}

// head is number where only one is right.
func (c *reader) head(major byte, want uint64) uint64 {
	n := c.number(major)
	c.bad = c.bad || n != want
	return n
}

// bytes takes the next n bytes, nil if there are no more so many.
func (c *reader) bytes(n uint64) (b []byte) {
	if c.bad || n > uint64(len(c.rest)) {
		c.bad = true
		return nil
	}
	b, c.rest = c.rest[:n], c.rest[n:]
	return b
}

// exactly reads a byte string as long as to.
func (c *reader) exactly(to []byte) { copy(to, c.bytes(c.head(2, uint64(len(to))))) }

// boolean reads false or true.
func (c *reader) boolean() bool {
	b := c.bytes(1)
	c.bad = c.bad || b[0]|1 != 0xf5
	return !c.bad && b[0] == 0xf5
}

// optional reads a byte string of n bytes that are not all zero, or an empty one, which stands for them. It is not copied.
func (c *reader) optional(n int) []byte {
	if len(c.rest) > 0 && c.rest[0] == 0x40 {
		c.rest = c.rest[1:]
		return nil
	}
	b := c.bytes(c.head(2, uint64(n)))
	for _, one := range b {
		if one != 0 {
			return b
		}
	}
	c.bad = true
	return nil
}
