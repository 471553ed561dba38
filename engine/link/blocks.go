package link

import "bytes"

// Blocks are nearly all that goes over a busy link, so their one encoding is read here by hand. What is not in it the decoder
// looks at, to say what is wrong: that, and encoding again to compare, would take more time than everything else of a link.

// pieceSize is how much memory the blocks of a message share: who keeps one of them keeps no more than this of the others.
const pieceSize = 16 << 10

// canonicalBlocks returns the message whose CBOR b is; ok is false if that is not its one encoding. It keeps nothing of b.
func canonicalBlocks(b []byte) (m Blocks, ok bool) {
	r := itemReader{rest: b}
	r.bad = r.number(4) != 3
	m.Request = r.number(0)
	n := r.number(4)
	if r.bad || n > MaxBlocks {
		return m, false
	}
	m.Blocks = make([][]byte, n)
	for i := range m.Blocks {
		m.Blocks[i] = r.bytes(r.number(2))
	}
	if r.bad || len(r.rest) != 1 || r.rest[0]|1 != cborTrue {
		return m, false
	}
	m.Last = r.rest[0] == cborTrue
	cloneAll(m.Blocks)
	return m, true
}

const cborTrue = 0xf5 // false is one less

// cloneAll puts copies in the place of all that is in list, as many together as fit a piece.
func cloneAll(list [][]byte) {
	for len(list) > 0 {
		n, size := 1, len(list[0])
		for n < len(list) && size+len(list[n]) <= pieceSize {
			size += len(list[n])
			n++
		}
		piece := bytes.Join(list[:n], nil)
		for i, b := range list[:n] {
			list[i], piece = piece[:len(b):len(b)], piece[len(b):]
		}
		list = list[n:]
	}
}

// itemReader takes CBOR items from the front of rest, in their shortest form. Once something is bad, all that it returns is zero.
type itemReader struct {
	rest []byte
	bad  bool
}

// number reads the head of an item of a major type, and returns the number in it.
func (r *itemReader) number(major byte) (n uint64) {
	if r.bad || len(r.rest) == 0 || r.rest[0]>>5 != major {
		r.bad = true
		return 0
	}
	short := r.rest[0] & 0x1f
	r.rest = r.rest[1:]
	if short < 24 {
		return uint64(short)
	}
	size := 1 << (short - 24)
	if short > 27 || len(r.rest) < size {
		r.bad = true
		return 0
	}
	for _, b := range r.rest[:size] {
		n = n<<8 | uint64(b)
	}
	r.rest = r.rest[size:]
	least := uint64(24) // what needs so many bytes
	if size > 1 {
		least = 1 << (4 * size)
	}
	if n < least {
		r.bad = true
		return 0
	}
	return n
}

// bytes takes the next n bytes.
func (r *itemReader) bytes(n uint64) (b []byte) {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b, r.rest = r.rest[:n], r.rest[n:]
	return b
}
