package link

import (
	"encoding/binary"
	"fmt"
	"slices"

	"opentalk/engine/identity"
)

// Session is a link whose handshake is done: it turns messages into records, and back. It is pure; [Conn] puts it on a
// socket. Sealing and opening are independent of each other: each belongs to one goroutine at a time.
type Session struct {
	opaque
	tag       identity.Tag
	peer      *identity.Credential
	initiated bool

	send direction

	recv   direction
	need   int
	sealed int    // length of the record whose head has been read, 0 before
	buf    []byte // room for the head of a record, then messages, the last perhaps not whole; or nothing
	read   int    // how much of buf has been given out
	closed bool
	reason Reason
	err    error
}

func newSession(tag identity.Tag, peer *identity.Credential, initiated bool, s *schedule, th3 [hashSize]byte) *Session {
	i := newDirection(s.traffic(labelInitiatorTraffic, th3))
	r := newDirection(s.traffic(labelResponderTraffic, th3))
	if !initiated {
		i, r = r, i
	}
	return &Session{tag: tag, peer: peer, initiated: initiated, send: i, recv: r, need: recordHead}
}

// Tag names the round.
func (s *Session) Tag() identity.Tag { return s.tag }

// Peer is who is at the far end, and its device.
func (s *Session) Peer() *identity.Credential { return s.peer }

// Initiated reports whether this side dialled.
func (s *Session) Initiated() bool { return s.initiated }

// Seal appends the records that carry msgs to dst. What cannot be encoded is reported before anything is sealed.
func (s *Session) Seal(dst []byte, msgs ...Message) ([]byte, error) {
	if len(msgs) == 0 {
		return dst, nil
	}
	stream := getBuffer()
	defer putBuffer(stream)
	stream.Write(padding[:recordInner])
	for _, m := range msgs {
		if err := appendFramed(stream, m); err != nil {
			return dst, err
		}
	}
	stream.Write(padding[:])
	return s.send.sealStream(dst, stream.Bytes()), nil
}

// SealClose appends the record that ends the link to dst. Nothing may be sealed after it.
func (s *Session) SealClose(dst []byte, reason Reason) []byte {
	return s.send.seal(dst, recordClose, []byte{byte(reason)})
}

// Need is how many bytes Open takes next: the head of a record, then the rest of it.
func (s *Session) Need() int { return s.need }

// Open takes the next bytes of the far side and changes them. Call [Session.Next] until it has nothing before the next
// Open. An error is final.
func (s *Session) Open(in []byte) error {
	switch {
	case s.err != nil:
		return s.err
	case s.closed:
		return s.fail(violation("record after the close"))
	case len(in) != s.need:
		return fmt.Errorf("opening %d bytes, want %d", len(in), s.need)
	case s.sealed == 0:
		n, err := sealedLength(in)
		if err != nil {
			return s.fail(err)
		}
		s.sealed, s.need = n, n
		return nil
	}
	s.sealed, s.need = 0, recordHead
	kind, body, err := s.take(in)
	if err != nil {
		return s.fail(err)
	}
	if kind == recordData {
		return nil
	}
	if s.read < len(s.buf) {
		return s.fail(violation("close within a message"))
	}
	s.closed, s.reason = true, Reason(body[0])
	return nil
}

// take opens a record where its body follows what is in buf. The head of the record lies over the bytes before meanwhile, of
// which buf always has as many.
func (s *Session) take(sealed []byte) (kind byte, body []byte, err error) {
	if len(s.buf) == 0 {
		s.buf, s.read = append(s.buf, padding[:recordInner]...), recordInner
	}
	s.buf = slices.Grow(s.buf, len(sealed))
	at := len(s.buf) - recordInner
	before := [recordInner]byte(s.buf[at:])
	plain, err := s.recv.open(s.buf[:at], sealed)
	if err != nil {
		return 0, nil, err
	}
	if kind, body, err = parseRecord(plain[at:]); err != nil {
		return 0, nil, err
	}
	copy(s.buf[at:], before[:])
	if kind == recordData {
		s.buf = s.buf[:len(s.buf)+len(body)]
	}
	return kind, body, nil
}

// Next returns the next message that has arrived whole, or nil.
func (s *Session) Next() (Message, error) {
	if s.err != nil {
		return nil, s.err
	}
	waiting := s.buf[s.read:]
	if len(waiting) < frameHead {
		s.compact()
		return nil, nil
	}
	n := binary.BigEndian.Uint32(waiting)
	if n > MaxMessage {
		return nil, s.fail(violation("message of %d bytes exceeds the limit of %d", n, MaxMessage))
	}
	if len(waiting)-frameHead < int(n) {
		s.compact()
		return nil, nil
	}
	m, err := Decode(waiting[frameHead:][:n])
	if err != nil {
		return nil, s.fail(fmt.Errorf("%w: %w", ErrViolation, err))
	}
	s.read += frameHead + int(n)
	return m, nil
}

// compact moves the beginning of a message to the front, and gives back what large ones needed once small ones come: there
// are many links, and most are idle.
func (s *Session) compact() {
	switch {
	case s.read <= recordInner: // nothing has been given out
	case s.read == len(s.buf) && s.read < MaxRecord && cap(s.buf) > 2*MaxRecord:
		s.buf, s.read = nil, 0
	default:
		s.buf = append(s.buf[:recordInner], s.buf[s.read:]...)
		s.read = recordInner
	}
}

// Closed reports whether the far side has closed the link, and why.
func (s *Session) Closed() (Reason, bool) { return s.reason, s.closed }

func (s *Session) fail(err error) error {
	s.err, s.buf, s.read = err, nil, 0
	return err
}
