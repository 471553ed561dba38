package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

// serverName is who replies.
const serverName = "opentalk.local"

// server is all that clients see, as a state machine: what comes from clients and from the chat goes in by methods, lines and
// questions to the chat come out by functions. It starts no goroutine and reads no clock; whoever has it calls it from
// one goroutine at a time.
type server struct {
	settings settings
	password string // "" if none is asked for
	log      *slog.Logger
	now      func() time.Time
	// ask has work done elsewhere, with the chat, and what it returns done here afterwards.
	ask func(work)

	ready      bool // the chat has told what there is
	me         hook.Self
	rounds     map[string]*round // by tag
	nicks      *names            // of fingerprints
	channels   *names            // of tags
	sessions   []*session        // registered, in the order in which they came
	refreshing bool
	stale      map[string]bool // rounds to be asked about again; "" for which there are
	sending    int             // messages of clients on their way to the chat
	parked     []hook.SentEvent
	origins    origins
	saved      time.Time
}

// work is a question to the chat and what follows from its answer.
type work func(ctx context.Context, chat *sdk.Host) (then func())

// round is one as clients see it.
type round struct {
	hook.Round
	by      string // who has set the topic and when, as far as is known
	set     time.Time
	members map[string]*hook.Member // by fingerprint; who has left is none
}

func newServer(s settings, password string, log *slog.Logger, now func() time.Time, ask func(work)) *server {
	return &server{
		settings: s, password: password, log: log, now: now, ask: ask, saved: now(),
		rounds: map[string]*round{}, nicks: newNames(maxNick), channels: newNames(maxChannel), stale: map[string]bool{},
		origins: origins{by: map[hook.MessageID]*session{}},
	}
}

// load asks the chat for everything; done is called when it is here.
func (s *server) load(done func()) {
	s.ask(func(ctx context.Context, chat *sdk.Host) func() {
		me, err := chat.Me(ctx)
		kept := map[string]map[string]name{}
		if err == nil {
			err = chat.Load(ctx, "names", &kept)
		}
		return func() {
			if err != nil {
				s.log.Error("asking the chat", "error", err)
			}
			s.me = me
			s.nicks.keep(kept["nicks"])
			s.channels.keep(kept["channels"])
			s.nicks.give(me.Fingerprint, nickOf(me.Handle))
			s.refreshThen(done)
		}
	})
}

// nick is the own one.
func (s *server) nick() string {
	return s.nicks.give(s.me.Fingerprint, s.nicks.by[s.me.Fingerprint].Base)
}

// nickOf returns what somebody is called.
func (s *server) nickOf(p hook.Person) string {
	if now, ok := s.nicks.by[p.Fingerprint]; ok {
		return now.Name
	}
	return s.nicks.give(p.Fingerprint, nickOf(p.Handle))
}

// source is somebody as the sender of a line: their host is who they are.
func (s *server) source(fingerprint string) string {
	return s.nicks.by[fingerprint].Name + "!id@" + host(fingerprint)
}

func host(fingerprint string) string { return fingerprint[:min(16, len(fingerprint))] }

// channel is what a round is called.
func (s *server) channel(tag string) string { return s.channels.by[tag].Name }

// find returns the round of a channel, nil if there is none.
func (s *server) find(channel string) *round { return s.rounds[s.channels.id(channel)] }

// tags lists the rounds by the names of their channels.
func (s *server) tags() []string {
	var tags []string
	for tag := range s.rounds {
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b string) int { return strings.Compare(s.channel(a), s.channel(b)) })
	return tags
}

// refresh asks the chat about a round, and which rounds there are, and tells clients what is new.
func (s *server) refresh(tag string) {
	s.stale[tag] = true
	s.refreshThen(func() {})
}

func (s *server) refreshThen(done func()) {
	if s.refreshing {
		return // it goes on with what has become stale meanwhile
	}
	s.refreshing = true
	stale, known := s.stale, map[string]bool{}
	s.stale = map[string]bool{}
	for tag := range s.rounds {
		known[tag] = true
	}
	s.ask(func(ctx context.Context, chat *sdk.Host) func() {
		rounds, err := chat.Rounds(ctx)
		members := map[string][]hook.Member{}
		for _, r := range rounds {
			if stale[r.Tag] || !known[r.Tag] {
				if all, err := chat.Members(ctx, r.Tag); err == nil {
					members[r.Tag] = all
				}
			}
		}
		return func() {
			s.refreshing = false
			if err != nil {
				s.log.Error("asking the chat for its rounds", "error", err)
			} else {
				s.update(rounds, members)
			}
			if done(); len(s.stale) > 0 {
				s.refreshThen(func() {})
			}
		}
	})
}

// update takes what the chat has told.
func (s *server) update(rounds []hook.Round, members map[string][]hook.Member) {
	here := map[string]bool{}
	if !s.ready {
		s.whoAmI(rounds)
	}
	for _, told := range rounds {
		here[told.Tag] = true
		r, known := s.rounds[told.Tag]
		if !known {
			r = &round{Round: told, members: map[string]*hook.Member{}}
			s.rounds[told.Tag] = r
			s.channels.give(told.Tag, channelOf(told.Name))
		} else if r.Topic != told.Topic {
			s.topic(r, told.Topic, hook.Person{})
		}
		r.Round = told
		for _, m := range members[told.Tag] {
			s.member(r, m)
		}
		if !known && s.ready {
			for _, c := range s.sessions {
				c.enter(told.Tag)
			}
		}
	}
	for tag, r := range s.rounds {
		if !here[tag] {
			s.left(r)
		}
	}
	s.ready = true
}

// whoAmI has the person called as in the round that they are in: they may have another handle for rounds to come.
func (s *server) whoAmI(rounds []hook.Round) {
	for _, r := range rounds {
		if r.Current {
			s.me.Handle = r.Handle
			s.nicks.give(s.me.Fingerprint, nickOf(r.Handle))
		}
	}
}

// left takes away a round that the person has left.
func (s *server) left(r *round) {
	for _, c := range s.in(r) {
		c.sendFrom(s.me.Fingerprint, "PART", s.channel(r.Tag), "you have left the round")
		delete(c.views, r.Tag)
	}
	delete(s.rounds, r.Tag)
	s.channels.drop(r.Tag)
}

// member takes what is known of a member now, and tells those who look at the round what is new.
func (s *server) member(r *round, now hook.Member) {
	id := now.Fingerprint
	was, there := r.members[id]
	switch {
	case now.Left && there:
		s.depart(r, now.Person)
	case now.Left:
	case !there:
		r.members[id] = &now
		s.rename(now.Person, true)
		for _, c := range s.in(r) {
			c.join(r, id)
		}
	default:
		before := *was
		*was = now
		if before.Handle != now.Handle {
			s.rename(now.Person, false)
		}
		for _, c := range s.in(r) {
			c.differ(r, &before, was)
		}
	}
}

// meet takes note of somebody of whom there is no more than that they are here.
func (s *server) meet(r *round, p hook.Person) {
	now := hook.Member{Person: p, Online: true}
	if m := r.members[p.Fingerprint]; m != nil {
		now = *m
		now.Person = p
	} else {
		s.refresh(r.Tag)
	}
	s.member(r, now)
}

func (s *server) depart(r *round, p hook.Person) {
	if r.members[p.Fingerprint] == nil {
		return
	}
	for _, c := range s.in(r) {
		c.sendFrom(p.Fingerprint, "PART", s.channel(r.Tag), "left for good")
	}
	delete(r.members, p.Fingerprint)
	if !p.Own && !slices.ContainsFunc(s.tags(), func(tag string) bool { return s.rounds[tag].members[p.Fingerprint] != nil }) {
		s.nicks.drop(p.Fingerprint)
	}
}

// rename gives somebody the nick of a handle. One who has another in some round keeps the nick they have until they change it.
func (s *server) rename(p hook.Person, keep bool) {
	was, known := s.nicks.by[p.Fingerprint]
	if known && keep {
		return
	}
	from := s.source(p.Fingerprint)
	now := s.nicks.give(p.Fingerprint, nickOf(p.Handle))
	if p.Own {
		s.me.Handle = p.Handle
	}
	if !known || now == was.Name {
		return
	}
	for _, c := range s.sessions {
		if p.Own || c.sees(p.Fingerprint) {
			c.send(from, "NICK", now)
		}
	}
}

// topic gives a round a topic, by somebody if that is known.
func (s *server) topic(r *round, topic string, by hook.Person) {
	if r.Topic == topic {
		return
	}
	r.Topic, r.by, r.set = topic, serverName, s.now()
	if by.Fingerprint != "" {
		s.nickOf(by)
		r.by = s.source(by.Fingerprint)
	}
	for _, c := range s.in(r) {
		c.send(r.by, "TOPIC", s.channel(r.Tag), oneLine(topic))
	}
}

// in lists the clients that look at a round.
func (s *server) in(r *round) []*session {
	var all []*session
	for _, c := range s.sessions {
		if v := c.views[r.Tag]; v != nil && !v.joining {
			all = append(all, c)
		}
	}
	return all
}

// tick lets time pass.
func (s *server) tick() {
	for _, c := range s.sessions {
		c.flushLate()
	}
	if s.now().Sub(s.saved) >= saveEvery {
		s.save()
	}
}

// save has the chat keep what must outlive this process.
func (s *server) save() {
	s.saved = s.now()
	values := map[string]any{}
	if s.nicks.dirty || s.channels.dirty {
		s.nicks.dirty, s.channels.dirty = false, false
		values["names"] = map[string]map[string]name{"nicks": s.nicks.saved(), "channels": s.channels.saved()}
	}
	for _, c := range s.sessions {
		c.unsaved(values)
	}
	if len(values) == 0 {
		return
	}
	s.ask(func(ctx context.Context, chat *sdk.Host) func() {
		for key, v := range values {
			if err := chat.Save(ctx, key, v); err != nil {
				s.log.Warn("keeping something", "key", key, "error", err)
			}
		}
		return func() {}
	})
}

// oneLine is a text of several lines where there is room for one.
func oneLine(text string) string { return strings.TrimRight(strings.Join(lines(text), " "), " ") }
