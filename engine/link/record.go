package link

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
)

// A record. LINK 4.
//
//	u16  length of what follows; authenticated
//	     AES-128-GCM of:
//	       u8   type
//	       u16  length of the body
//	            body
//	            zeros up to a multiple of 256; a receiver takes more of them
const (
	recordHead  = 2
	recordInner = 3
	maxBody     = MaxRecord - recordInner
	maxSealed   = MaxRecord + tagSize
)

// Types of records. LINK 4.2.
const (
	recordData  = 1 // a piece of the stream of messages
	recordClose = 2 // the end; the body is one byte, the Reason
)

// direction is the keys of what travels one way. LINK 4.1.
type direction struct {
	opaque
	secret  trafficKey
	aead    cipher.AEAD
	iv      []byte
	counter uint64 // records so far; never starts anew
	nonce   [ivSize]byte
	length  [recordHead]byte
}

func newDirection(secret trafficKey) direction {
	d := direction{secret: secret}
	d.aead, d.iv = newAEAD(secret.key)
	return d
}

// advance sets the nonce for the next record and, when it is due, the key.
func (d *direction) advance() {
	if d.counter%RekeyInterval == 0 && d.counter > 0 {
		d.secret = trafficKey{expandKey(d.secret.key, labelRekey, nil)}
		d.aead, d.iv = newAEAD(d.secret.key)
	}
	binary.BigEndian.PutUint64(d.nonce[ivSize-8:], d.counter)
	for i, b := range d.iv {
		if i < ivSize-8 {
			d.nonce[i] = b
		} else {
			d.nonce[i] ^= b
		}
	}
	d.counter++
}

// seal appends a record to dst. The body is at most maxBody long.
func (d *direction) seal(dst []byte, kind byte, body []byte) []byte {
	plain := make([]byte, recordInner, paddedSize(len(body)))
	plain = append(plain, body...)
	return d.sealPlain(dst, kind, plain[:cap(plain)], len(body))
}

// sealStream appends the records of a stream of messages to dst. The stream is behind recordInner bytes of room, and has as
// many zeros behind it as a record may need. All of it is changed: each record is sealed where it lies, and its head put in
// front of it, over what has been sealed already.
func (d *direction) sealStream(dst, stream []byte) []byte {
	left := len(stream) - recordInner - len(padding)
	dst = slices.Grow(dst, left+(left/maxBody+1)*(recordHead+recordInner+tagSize+RecordUnit))
	for left > 0 {
		n := min(left, maxBody)
		dst = d.sealPlain(dst, recordData, stream[:paddedSize(n)], n)
		stream, left = stream[n:], left-n
	}
	return dst
}

// paddedSize is the length of the plaintext of a record with so large a body.
func paddedSize(body int) int { return (recordInner + body + RecordUnit - 1) / RecordUnit * RecordUnit }

// sealPlain appends a record to dst whose plaintext is plain once it has its head.
func (d *direction) sealPlain(dst []byte, kind byte, plain []byte, body int) []byte {
	d.advance()
	plain[0] = kind
	binary.BigEndian.PutUint16(plain[1:], uint16(body))
	binary.BigEndian.PutUint16(d.length[:], uint16(len(plain)+tagSize))
	return d.aead.Seal(append(dst, d.length[:]...), d.nonce[:], plain, d.length[:])
}

var padding [RecordUnit]byte

// sealedLength reads the head of a record, and refuses a length that no record has.
func sealedLength(head []byte) (int, error) {
	n := int(binary.BigEndian.Uint16(head))
	if n > maxSealed || n < RecordUnit+tagSize || (n-tagSize)%RecordUnit != 0 {
		return 0, violation("record of %d bytes, want %d to %d and a multiple of %d with %d more", n, RecordUnit+tagSize, maxSealed, RecordUnit, tagSize)
	}
	return n, nil
}

// open appends the plaintext of a record to dst, which does not overlap it.
func (d *direction) open(dst, sealed []byte) ([]byte, error) {
	d.advance()
	binary.BigEndian.PutUint16(d.length[:], uint16(len(sealed)))
	plain, err := d.aead.Open(dst, d.nonce[:], sealed, d.length[:])
	if err != nil {
		return dst, violation("opening record %d: it was changed", d.counter-1)
	}
	return plain, nil
}

// parseRecord takes the plaintext of a record apart. LINK 4.
func parseRecord(plain []byte) (kind byte, body []byte, err error) {
	kind = plain[0]
	n := int(binary.BigEndian.Uint16(plain[1:]))
	if n > len(plain)-recordInner {
		return 0, nil, violation("record body of %d bytes in %d", n, len(plain)-recordInner)
	}
	body, rest := plain[recordInner:][:n], plain[recordInner+n:]
	for _, b := range rest {
		if b != 0 {
			return 0, nil, violation("record padded with other than zeros")
		}
	}
	switch {
	case kind == recordData && n > 0, kind == recordClose && n == 1:
		return kind, body, nil
	case kind == recordData || kind == recordClose:
		return 0, nil, violation("record of type %d with a body of %d bytes", kind, n)
	}
	return 0, nil, violation("record of unknown type %d", kind)
}

// Reason says why a link was closed. LINK 4.3. A reason that is not known here means as much as ReasonDone.
type Reason byte

// The reasons.
const (
	ReasonDone      Reason = 0 // the program ends, or the link is no longer needed
	ReasonDuplicate Reason = 1 // another link between the same two devices stays
	ReasonViolation Reason = 2 // the far side broke the protocol of the link
	ReasonBlock     Reason = 3 // the far side sent a block that is provably wrong
	ReasonSlow      Reason = 4 // the far side did not acknowledge or answer in time
	ReasonFull      Reason = 5 // too many peers
	ReasonRotate    Reason = 6 // in a large round: another peer takes this one's place
	ReasonLeft      Reason = 7 // this device has left the round
)

// String names the reason, for logs and screens.
func (r Reason) String() string {
	names := []string{"done", "duplicate link", "protocol violation", "bad block", "too slow", "too many peers", "rotated", "left the round"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", byte(r))
}
