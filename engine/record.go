package engine

import (
	"errors"
	"fmt"
	"net"
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

// ownRecord signs where this device listens now; nil when it does not.
func (r *round) ownRecord() []byte {
	addrs := shareable(r.c.listen)
	if len(addrs) == 0 {
		return nil
	}
	key := r.c.self.Key
	raw, err := cbor.Marshal(addressRecord{
		Tag: r.tag, Device: key.Device(), Number: r.c.millis(),
		Expires: uint64(r.c.now.Add(recordLife).UnixMilli()), Addresses: addrs,
	})
	if err != nil {
		panic(err) // plain values
	}
	return append(raw, key.Sign(roleAddresses, raw)...)
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

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readRecord checks everything about a record but whether it is newer than another.
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
		return rec, errNoMember
	case len(rec.Addresses) > maxRecordAddresses:
		return rec, fmt.Errorf("%d addresses exceed the limit of %d", len(rec.Addresses), maxRecordAddresses)
	case expires.Before(r.c.now) || expires.After(r.c.now.Add(recordLife+recordLeeway)):
		return rec, errors.New("address record has expired, or lasts too long")
	case !rec.Device.Verify(roleAddresses, raw[:n], raw[n:]):
		return rec, errors.New("signature of the address record does not match")
	}
	for _, a := range rec.Addresses {
		if err := socket.Check(a); err != nil {
			return rec, err
		}
	}
	return rec, nil
}

// sendRecords tells a peer where this device and the others are.
func (p *peer) sendRecords() {
	r := p.round
	var records [][]byte
	if own := r.ownRecord(); own != nil {
		records = append(records, own)
	}
	for d, known := range ordered(r.records, compareDevices) {
		if d != p.device() {
			records = append(records, known.raw)
		}
	}
	for len(records) > 0 {
		n := min(len(records), link.MaxAddresses)
		p.send(link.Addresses{Records: records[:n]})
		records = records[n:]
	}
}

// errNoMember is of a record of somebody whose first block has not come yet.
var errNoMember = errors.New("address record of no member")

// earlyRecord is such a record, and who passed it on. It overtakes the block where both come through a third.
type earlyRecord struct {
	from linkID
	raw  []byte
}

// takeEarly takes in the records of those who have become members meanwhile.
func (r *round) takeEarly() {
	for d, rec := range ordered(r.early, compareDevices) {
		if r.chain.Line(d) == nil {
			continue
		}
		delete(r.early, d)
		if p := r.c.peers[rec.from]; p != nil {
			p.onAddresses(link.Addresses{Records: [][]byte{rec.raw}})
		}
	}
}

// onAddresses takes in what is new, and passes it on. A record that does not hold is left alone; one of somebody who is no
// member yet is kept a while.
func (p *peer) onAddresses(m link.Addresses) {
	r := p.round
	var news [][]byte
	for _, raw := range m.Records {
		rec, err := r.readRecord(raw)
		if errors.Is(err, errNoMember) && len(r.early) < maxEarly {
			r.early[rec.Device] = earlyRecord{p.id, raw}
		}
		if err != nil || rec.Device == r.c.self.Key.Device() || rec.Number <= r.records[rec.Device].number {
			continue
		}
		r.records[rec.Device] = knownRecord{raw: raw, number: rec.Number}
		r.adopt(rec, isLoopback(p.address) || strings.HasPrefix(p.address, "unix:"))
		r.keepContact(rec.Device)
		news = append(news, raw)
	}
	if len(news) == 0 {
		return
	}
	for _, other := range r.peers {
		if other != p && other.online() {
			other.send(link.Addresses{Records: news})
		}
	}
}

// knownRecord is the newest record of a device.
type knownRecord struct {
	raw    []byte
	number uint64
}

// adopt makes targets of a record's addresses. A Unix socket is never dialled because somebody says so, and this machine's
// own ports only where whoever says it is on this machine.
func (r *round) adopt(rec addressRecord, near bool) {
	for a, t := range ordered(r.targets, strings.Compare) {
		if t.device == rec.Device && t.hearsay && t.link == 0 && !t.dialing {
			delete(r.targets, a)
		}
	}
	who := r.author(rec.Device).Fingerprint
	for _, a := range rec.Addresses {
		if strings.HasPrefix(a, "unix:") || isLoopback(a) && !near || r.targets[a] != nil {
			continue
		}
		t := r.target(a, who)
		t.device, t.hearsay = rec.Device, true
	}
	r.dialDue()
}

// keepContact writes down what is known of where a device is.
func (r *round) keepContact(d Device) {
	if !r.kept {
		return
	}
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
