package engine

import "slices"

// forked reports whether a device of a person has written two histories.
func (r *round) forked(p *person) bool {
	return slices.ContainsFunc(p.devices, func(d Device) bool { l := r.chain.Line(d); return l != nil && l.Fork != nil })
}
