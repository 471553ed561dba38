package engine

import (
	"slices"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
)

// people are the identities of a round, by fingerprint.
type people map[Fingerprint]*person

type person struct {
	handle  string
	folded  string      // the handle as names are compared
	at      chain.Place // of the block that gave the handle
	devices []Device
	ends    map[Device]uint64            // the newest seq of each line
	leaves  map[Device]map[Device]uint64 // of the devices that ended with a goodbye: for whom that speaks, up to which seq
	joined  time.Time
	seen    time.Time
}

// enlist notes a device's first block, which says a handle.
func (r *round) enlist(cred *identity.Credential, handle string, b *chain.Block) (newcomer bool) {
	p := r.people[cred.Fingerprint()]
	if p == nil {
		p = &person{
			joined: time.UnixMilli(int64(b.T)), ends: map[Device]uint64{}, leaves: map[Device]map[Device]uint64{},
		}
		r.people[cred.Fingerprint()] = p
		newcomer = true
	}
	if !slices.Contains(p.devices, b.Author) {
		p.devices = append(p.devices, b.Author)
	}
	if r.outranks(b.Place(), p.at) {
		p.call(handle, b.Place())
	}
	return newcomer
}

// call gives a person the handle that the block at a place says.
func (p *person) call(handle string, at chain.Place) {
	p.handle, p.folded, p.at = handle, fold(handle), at
}

// said notes the newest block of a line; upTo is whom it speaks for if it is a goodbye, nil if it is none.
func (p *person) said(d Device, seq uint64, upTo map[Device]uint64) {
	p.ends[d] = seq
	if delete(p.leaves, d); upTo != nil {
		p.leaves[d] = upTo
	}
}

// gone reports whether the last that a device has said is followed by a goodbye, its own or another's that speaks for it.
func (p *person) gone(d Device) bool {
	for _, upTo := range p.leaves {
		if seq, ok := upTo[d]; ok && p.ends[d] <= seq {
			return true
		}
	}
	return false
}

// saw notes that somebody was online.
func (ps people) saw(f Fingerprint, when time.Time) {
	if p := ps[f]; p != nil {
		p.seen = when
	}
}

// left reports whether a person has said goodbye, for every device.
func (p *person) left() bool {
	return len(p.leaves) > 0 && !slices.ContainsFunc(p.devices, func(d Device) bool { return !p.gone(d) })
}

// members counts those who have not left.
func (ps people) members() (n int) {
	for _, p := range ps {
		if !p.left() {
			n++
		}
	}
	return n
}

// name is the handle of a person, or, when another's is equal but for case and composition, the handle, "~" and as many
// digits of the fingerprint as tell them all apart, four at least. No order grants anybody the bare name; only a person
// who is trusted keeps it, unless the other is, too. CHAIN 3.8.
func (ps people) name(f Fingerprint, trusted func(Fingerprint) bool) string {
	p := ps[f]
	if p == nil {
		return "?" + f.Short()
	}
	digits := 0
	for other, q := range ps {
		if other == f || q.folded != p.folded || trusted(f) && !trusted(other) {
			continue
		}
		n := 0
		for a, b := f.String(), other.String(); n < len(a) && a[n] == b[n]; {
			n++
		}
		digits = max(digits, 4, n+1)
	}
	if digits == 0 {
		return p.handle
	}
	return p.handle + "~" + f.String()[:digits]
}

// fold makes names equal that differ only in case or in how their characters are composed.
func fold(s string) string { return cases.Fold().String(norm.NFC.String(s)) }

func (r *round) person(f Fingerprint, d Device) Person {
	return Person{Name: r.people.name(f, r.trusts), Fingerprint: f, Device: d, Verified: r.c.marks.on[verified][f], Ignored: r.c.marks.on[ignored][f]}
}

// trusts reports whether it is known whose key that is: it is one's own, or was verified.
func (r *round) trusts(f Fingerprint) bool {
	return r.c.marks.on[verified][f] || f == r.c.self.Credential.Fingerprint()
}

// author is the person behind a device of the round.
func (r *round) author(d Device) Person {
	if line := r.chain.Line(d); line != nil {
		return r.person(line.Credential.Fingerprint(), d)
	}
	return Person{Name: "?" + d.Short(), Device: d}
}
