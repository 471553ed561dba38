package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"opentalk/engine/link"
)

// Counts are what this run has seen.
type Counts struct {
	Admitted int     // blocks
	Orphans  int     // blocks kept aside for want of their edges
	Held     int     // blocks held back, because the clock of who wrote them is ahead
	Refused  Reasons // callers with whom no link came about
	Dropped  Reasons // links that this side has ended for what the far side did or did not do, or for want of room
}

// Reasons are how often something happened, by why.
type Reasons map[string]int

// Total is how often it happened for whatever reason.
func (r Reasons) Total() (n int) {
	for _, times := range r {
		n += times
	}
	return n
}

// String is all of them, as in "2 busy, 1 unknown round".
func (r Reasons) String() string {
	var all []string
	for _, why := range slices.Sorted(maps.Keys(r)) {
		all = append(all, fmt.Sprint(r[why], " ", why))
	}
	return strings.Join(all, ", ")
}

// refusals are why a caller is refused, as they are counted.
var refusals = []struct {
	err error
	why string
}{
	{link.ErrBusy, "busy"}, {link.ErrUnknownRound, "unknown round"}, {link.ErrNotOpentalk, "not opentalk"},
	{link.ErrVersion, "other version"}, {link.ErrReplay, "replayed"}, {link.ErrTimeout, "too slow"}, {link.ErrCut, "hung up"},
	{link.ErrWrongMember, "wants another member"}, {link.ErrSelf, "this device itself"}, {link.ErrBanned, "banned"},
	{link.ErrRefused, "refuses us"}, {link.ErrViolation, "protocol violation"},
}

// faults are what a link may be ended for that counts.
var faults = []link.Reason{link.ReasonViolation, link.ReasonBlock, link.ReasonSlow, link.ReasonFull}

// tally counts for the core and for what goes on around it, so it is safe from any goroutine. It logs who is turned away, but
// never at the pace at which strangers can call.
type tally struct {
	log         *slog.Logger
	each, total rate.Sometimes // lines about one, and about all

	mu     sync.Mutex
	counts Counts
	untold bool // somebody has been turned away since the last line about all
}

func newTally(log *slog.Logger) *tally {
	return &tally{
		log: log, counts: Counts{Refused: Reasons{}, Dropped: Reasons{}},
		each: rate.Sometimes{First: logFirst, Interval: logEvery}, total: rate.Sometimes{First: 1, Interval: tellEvery},
	}
}

// add counts what f does.
func (t *tally) add(f func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

// read is what has been counted.
func (t *tally) read() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Refused, c.Dropped = maps.Clone(c.Refused), maps.Clone(c.Dropped)
	return c
}

// refused counts a caller who failed in the handshake, unless it was this device that had enough.
func (t *tally) refused(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	why := "failed"
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			why = r.why
			break
		}
	}
	t.add(func(c *Counts) { c.Refused[why]++ })
	t.turnedAway(slog.LevelInfo, "refusing a caller", "err", err)
}

// hungUp counts a link that this side ends.
func (t *tally) hungUp(reason link.Reason) {
	if slices.Contains(faults, reason) {
		t.add(func(c *Counts) { c.Dropped[reason.String()]++ })
	}
}

// turnedAway logs one who was, and every now and then how many there were.
func (t *tally) turnedAway(level slog.Level, msg string, args ...any) {
	t.add(func(*Counts) { t.untold = true })
	t.each.Do(func() { t.log.Log(context.Background(), level, msg, args...) })
	t.total.Do(t.tell)
}

// tell logs how many have been turned away, if there are any who are not in the last such line.
func (t *tally) tell() {
	var untold bool
	t.add(func(*Counts) { untold, t.untold = t.untold, false })
	if c := t.read(); untold {
		t.log.Warn("turned away so far", "callers", c.Refused, "links", c.Dropped, "kept_aside", c.Orphans, "held_back", c.Held)
	}
}
