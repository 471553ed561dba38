package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"opentalk/engine/identity"
	"opentalk/engine/link"
	"opentalk/engine/socket"
	"opentalk/engine/store"
)

// Members tell each other where they can be reached by signed records, so that having reached one is enough to find the
// rest, and so that one who comes back at another address is found again. Records are no part of the chain. LINK 6.4.
const (
	roleAddresses identity.Role = "opentalk/1 address record"

	maxRecordAddresses = 8
	recordLife         = 30 * 24 * time.Hour
	recordLeeway       = 24 * time.Hour // for clocks that differ
)

// addressRecord is what a device says of itself. On the wire its signature, of 64 bytes, follows.
type addressRecord struct {
	_         struct{} `cbor:",toarray"`
	Tag       Tag
	Device    Device
	Number    uint64 // the highest wins
	Expires   uint64 // Unix milliseconds
	Addresses []string
}

// ownRecord says where this device listens; nil when it does not. It is signed anew only when half of its life is over:
// each new one travels to every member.
func (r *round) ownRecord() []byte {
	key := r.c.self.Key
	if own := r.records[key.Device()]; own.raw != nil && r.c.now.Sub(own.at) < recordLife/2 {
		return own.raw
	}
	addrs := shareable(r.c.listen)
	if len(addrs) == 0 {
		return nil
	}
	number := max(r.c.millis(), r.records[key.Device()].number+1)
	raw, err := cbor.Marshal(addressRecord{
		Tag: r.tag, Device: key.Device(), Number: number,
		Expires: uint64(r.c.clock().Add(recordLife).UnixMilli()), Addresses: addrs,
	})
	if err != nil {
		panic(err) // plain values
	}
	raw = append(raw, key.Sign(roleAddresses, raw)...)
	r.records[key.Device()] = knownRecord{raw: raw, number: number, at: r.c.now}
	return raw
}

// shareable are the addresses worth telling others: loopback ones only where there are no others.
func shareable(listen []string) []string {
	var far, near []string
	for _, a := range socket.Reachable(listen) {
		switch {
		case strings.HasPrefix(a, "unix:"):
		case isLoopback(a):
			near = append(near, a)
		default:
			far = append(far, a)
		}
	}
	if len(far) == 0 {
		far = near
	}
	return far[:min(len(far), maxRecordAddresses)]
}

// isLoopback reports whether an address leads to this very machine. So does one that is unspecified.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	name := "." + strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(name, ".localhost") // RFC 6761
}

// errOldRecord is of a record that is not newer than the one known.
var errOldRecord = errors.New("address record is not new")

// readRecord checks everything about a record. The signature comes last: most records that come are known already.
func (r *round) readRecord(raw []byte) (rec addressRecord, err error) {
	n := len(raw) - identity.DeviceSignatureSize
	if n <= 0 {
		return rec, errors.New("address record is too short")
	}
	if err := cbor.Unmarshal(raw[:n], &rec); err != nil {
		return rec, fmt.Errorf("reading an address record: %w", err)
	}
	expires := time.UnixMilli(int64(min(rec.Expires, 1<<53)))
	switch {
	case rec.Tag != r.tag:
		return rec, errors.New("address record of another round")
	case r.chain.Line(rec.Device) == nil:
		return rec, errors.New("address record of no member")
	case rec.Number <= r.records[rec.Device].number:
		return rec, errOldRecord
	case len(rec.Addresses) > maxRecordAddresses:
		return rec, fmt.Errorf("%d addresses exceed the limit of %d", len(rec.Addresses), maxRecordAddresses)
	case expires.Before(r.c.clock()) || expires.After(r.c.clock().Add(recordLife+recordLeeway)):
		return rec, errors.New("address record has expired, or lasts too long")
	case !rec.signedIn(raw):
		return rec, errors.New("signature of the address record does not match")
	}
	for _, a := range rec.Addresses {
		if err := socket.Check(a); err != nil {
			return rec, err
		}
	}
	return rec, nil
}

// signedIn reports whether raw, which says this, is signed by the device.
func (rec addressRecord) signedIn(raw []byte) bool {
	n := len(raw) - identity.DeviceSignatureSize
	return rec.Device.Verify(roleAddresses, raw[:n], raw[n:])
}

// othersRecords are those of all devices but this one and the peer.
func (p *peer) othersRecords() (records [][]byte) {
	for d, known := range ordered(p.round.records, compareDevices) {
		if known.raw != nil && d != p.device() && d != p.round.c.self.Key.Device() {
			records = append(records, known.raw)
		}
	}
	return records
}

func (p *peer) recordsDigest() link.Digest { return link.RecordsDigest(p.othersRecords()) }

// sendRecords tells a peer where this device is, and where the others are unless it knows the same of them.
func (p *peer) sendRecords() {
	var records [][]byte
	if own := p.round.ownRecord(); own != nil {
		records = append(records, own)
	}
	if p.recordsDigest() != p.records {
		records = append(records, p.othersRecords()...)
	}
	for len(records) > 0 {
		n := min(len(records), link.MaxAddresses)
		p.send(link.Addresses{Records: records[:n]})
		records = records[n:]
	}
}

// onAddresses takes in what is new, and passes it on. A record that does not hold is no fault: it may be of a member who has
// not been heard of here yet.
func (p *peer) onAddresses(m link.Addresses) {
	p.round.takeRecords(p, isLoopback(p.address) || strings.HasPrefix(p.address, "unix:"), m.Records...)
}

func (r *round) takeRecords(from *peer, near bool, records ...[]byte) {
	var news [][]byte
	for _, raw := range records {
		rec, err := r.readRecord(raw)
		if known := r.records[rec.Device]; errors.Is(err, errOldRecord) && from != nil && rec.Device == from.device() && rec.Number < known.number && known.raw != nil {
			from.send(link.Addresses{Records: [][]byte{known.raw}}) // it has forgotten how far it had counted
		}
		if err != nil {
			if !errors.Is(err, errOldRecord) {
				r.doubt(rec, raw, near)
			}
			continue
		}
		if rec.Device == r.c.self.Key.Device() {
			// This device said it when its clock was ahead of what it is now: what holds today needs a higher number.
			r.records[rec.Device] = knownRecord{number: rec.Number}
			if own := r.ownRecord(); own != nil && from != nil {
				from.send(link.Addresses{Records: [][]byte{own}})
			}
			continue
		}
		r.records[rec.Device] = knownRecord{raw: raw, number: rec.Number}
		r.adopt(rec, near)
		r.keepContact(rec.Device)
		news = append(news, raw)
	}
	if len(news) == 0 {
		return
	}
	r.dialDue()
	for _, other := range r.peers {
		if other != from && other.online() {
			other.send(link.Addresses{Records: news})
		}
	}
}

// doubtful is a record that did not hold when it came. It may once its device is known to be a member, or the clock has been
// corrected: who joins is told the addresses before it has caught up on whose they are.
type doubtful struct {
	raw    []byte
	number uint64
	near   bool
}

// doubt keeps the newest record of its device that did not hold. Nobody but the device can have it keep another.
func (r *round) doubt(rec addressRecord, raw []byte, near bool) {
	before, known := r.doubtful[rec.Device]
	if rec.Tag != r.tag || rec.Number <= before.number || !known && len(r.doubtful) >= maxDoubtful || !rec.signedIn(raw) {
		return
	}
	r.doubtful[rec.Device] = doubtful{raw: raw, number: rec.Number, near: near}
}

// reconsider judges the record of a device again.
func (r *round) reconsider(d Device) {
	if doubt, ok := r.doubtful[d]; ok {
		delete(r.doubtful, d)
		r.takeRecords(nil, doubt.near, doubt.raw)
	}
}

// knownRecord is the newest record of a device.
type knownRecord struct {
	raw    []byte
	number uint64
	at     time.Time // when it was signed, of one's own
}

// adopt makes targets of a record's addresses. A Unix socket is never dialled because somebody says so, and this machine's
// own ports only where whoever says it is on this machine. Dialling them is for the caller: records come by the dozen.
func (r *round) adopt(rec addressRecord, near bool) {
	for _, t := range r.targets {
		if t.device == rec.Device && t.hearsay && t.link == 0 && !t.dialing {
			t.gone = true // but how often it was tried is not forgotten, or another record would allow as many tries again
		}
	}
	who := r.author(rec.Device).Fingerprint
	for _, a := range rec.Addresses {
		if strings.HasPrefix(a, "unix:") || isLoopback(a) && !near || r.targets[a] != nil && !r.targets[a].gone {
			continue
		}
		t := r.target(a, who)
		t.device, t.hearsay, t.next = rec.Device, true, r.c.now
	}
}

// keepContact writes down what is known of where a device is.
func (r *round) keepContact(d Device) {
	if r.kept {
		r.writeContact(d)
	}
}

func (r *round) writeContact(d Device) {
	seen := int64(0)
	if line := r.chain.Line(d); line != nil {
		if p := r.people[line.Credential.Fingerprint()]; p != nil && !p.seen.IsZero() {
			seen = p.seen.UnixMilli()
		}
	}
	value, err := cbor.Marshal(contact{Addresses: r.provenAddresses(d), Seen: seen, Record: r.records[d].raw})
	if err != nil {
		panic(err) // plain values
	}
	r.c.write(func(w store.Tx) error { return w.PutPeer(r.tag, d, value) }, nil)
}
