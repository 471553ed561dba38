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
	folded  string         // the handle as names are compared
	at      chain.Position // of the block that gave the handle
	devices []Device
	gone    []Device // those that have said goodbye
	joined  time.Time
	seen    time.Time
}

// add notes a device's first block. A person's handle is the last in canonical order.
func (ps people) add(cred *identity.Credential, handle string, b *chain.Block) (newcomer bool) {
	p := ps[cred.Fingerprint()]
	if p == nil {
		p = &person{joined: time.UnixMilli(int64(b.T))}
		ps[cred.Fingerprint()] = p
		newcomer = true
	}
	if !slices.Contains(p.devices, b.Author) {
		p.devices = append(p.devices, b.Author)
	}
	if p.handle == "" || b.Position().Compare(p.at) > 0 {
		p.call(handle, b.Position())
	}
	return newcomer
}

// call gives a person the handle that the block at a position says.
func (p *person) call(handle string, at chain.Position) {
	p.handle, p.folded, p.at = handle, fold(handle), at
}

// saw notes that somebody was online.
func (ps people) saw(f Fingerprint, when time.Time) {
	if p := ps[f]; p != nil {
		p.seen = when
	}
}

// left reports whether a person has said goodbye from every device.
func (p *person) left() bool { return len(p.gone) == len(p.devices) }

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
	return Person{Name: r.people.name(f, r.trusts), Fingerprint: f, Device: d, Verified: r.c.marks[verified][f], Ignored: r.c.marks[ignored][f]}
}

// trusts reports whether it is known whose key that is: it is one's own, or was verified.
func (r *round) trusts(f Fingerprint) bool {
	return r.c.marks[verified][f] || f == r.c.self.Credential.Fingerprint()
}

// author is the person behind a device of the round.
func (r *round) author(d Device) Person {
	if line := r.chain.Line(d); line != nil {
		return r.person(line.Credential.Fingerprint(), d)
	}
	return Person{Name: "?" + d.Short(), Device: d}
}
