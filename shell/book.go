package shell

import (
	"strings"

	"opentalk/engine"
	"opentalk/shell/term"
)

// book is what the shell knows of where it is: who runs it, the rounds, and which one lines go to. The loop owns it.
type book struct {
	self    engine.Self
	rounds  map[engine.Tag]engine.Round
	current engine.Tag
	inRound bool
	online  map[engine.Tag]map[engine.Device]bool
	people  map[engine.Fingerprint]string // handles seen, for completion
	spoken  map[engine.Fingerprint]int    // of those: when they spoke last, in messages heard
	heard   int
	looks   map[string]engine.Fingerprint // who was first with a handle that looks like this
	warned  map[engine.Fingerprint]string // the handle that it was looked at for
	forked  map[engine.Fingerprint]bool   // one of their devices has written two histories
	own     map[engine.Tag]string         // what one is called where that is not self.Handle
	waiting map[engine.Tag]int            // own messages that nobody has taken yet
	places  map[engine.Tag]*place
}

// maxPeople bounds the handles kept.
const maxPeople = 1000

func newBook() *book {
	return &book{
		rounds: map[engine.Tag]engine.Round{},
		online: map[engine.Tag]map[engine.Device]bool{}, people: map[engine.Fingerprint]string{},
		spoken: map[engine.Fingerprint]int{},
		looks:  map[string]engine.Fingerprint{}, warned: map[engine.Fingerprint]string{}, forked: map[engine.Fingerprint]bool{},
		own: map[engine.Tag]string{}, waiting: map[engine.Tag]int{}, places: map[engine.Tag]*place{},
	}
}

// open takes over what there is at the start.
func (b *book) open(o opening) {
	b.self = o.self
	b.looks[term.Skeleton(o.self.Handle)] = o.self.Fingerprint
	for _, r := range o.rounds {
		b.rounds[r.Tag] = r
		b.waiting[r.Tag] = r.Waiting
		b.place(r.Tag).read = o.kept.Read[r.Tag.String()]
		b.meet(r.Tag, o.members[r.Tag])
	}
	for _, m := range o.missed {
		b.missed(m, b.mentions(m))
	}
}

// meet takes over who is in a round, without a warning: whoever is new is warned of by an event.
func (b *book) meet(tag engine.Tag, members []engine.Member) {
	for _, verified := range []bool{true, false} { // a name belongs to whoever was verified
		for _, m := range members {
			if m.Verified != verified {
				continue
			}
			if m.Own {
				b.own[tag] = m.Name
				continue
			}
			b.notePerson(m.Person)
			if m.Forked {
				b.forked[m.Fingerprint] = true
			}
		}
	}
}

// left forgets a round.
func (b *book) left(tag engine.Tag) {
	delete(b.rounds, tag)
	delete(b.online, tag)
	delete(b.own, tag)
	delete(b.waiting, tag)
	delete(b.places, tag)
}

// note keeps what an event tells. The text is a warning, if there is something to warn of.
func (b *book) note(ev engine.Event) (warning term.Text) {
	switch ev := ev.(type) {
	case engine.RoundEvent:
		b.rounds[ev.Round.Tag] = ev.Round
	case engine.TopicEvent:
		if r, ok := b.rounds[ev.Round]; ok {
			r.Topic = ev.Topic
			b.rounds[ev.Round] = r
		}
	case engine.WaitingEvent:
		b.waiting[ev.Round] = ev.Count
	case engine.PeerEvent:
		b.notePeer(ev)
		return b.notePerson(ev.Person)
	case engine.MemberEvent:
		if ev.Person.Fingerprint == b.self.Fingerprint {
			b.own[ev.Round] = ev.Person.Name
		}
		if ev.Change == engine.Joined {
			delete(b.warned, ev.Person.Fingerprint)
		}
		return b.notePerson(ev.Person)
	case engine.ForkEvent:
		b.forked[ev.Person.Fingerprint] = true
	case engine.MessageEvent:
		warning = b.notePerson(ev.Message.From)
		b.hear(ev.Message.From)
	}
	return warning
}

// hear keeps who spoke last.
func (b *book) hear(p engine.Person) {
	if _, known := b.people[p.Fingerprint]; known {
		b.heard++
		b.spoken[p.Fingerprint] = b.heard
	}
}

func (b *book) notePeer(ev engine.PeerEvent) {
	devices := b.online[ev.Round]
	if devices == nil {
		devices = map[engine.Device]bool{}
		b.online[ev.Round] = devices
	}
	delete(devices, ev.Person.Device)
	if ev.State == engine.Online {
		devices[ev.Person.Device] = true
	}
}

// notePerson warns, once, of somebody whose handle is or looks like that of another or one's own: it has another key.
func (b *book) notePerson(p engine.Person) (warning term.Text) {
	if p.Name == "" || b.warned[p.Fingerprint] == p.Name || p.Fingerprint == b.self.Fingerprint || len(b.people) >= maxPeople {
		return term.Text{}
	}
	handle, _, _ := strings.Cut(p.Name, "~") // the engine puts digits of the key behind a name that two have
	skeleton, last := term.Skeleton(handle), b.people[p.Fingerprint]
	b.people[p.Fingerprint], b.warned[p.Fingerprint] = p.Name, p.Name
	first, taken := b.looks[skeleton]
	if !taken {
		b.looks[skeleton] = p.Fingerprint
	}
	if before, _, _ := strings.Cut(last, "~"); !taken || first == p.Fingerprint || before == handle && last != p.Name {
		return term.Text{}
	}
	return term.Sprintf("%s (%s) has another key than %s (%s): it may be somebody else, so ask them in another way; /members tells "+
		"them apart", term.CleanHandle(p.Name), p.Fingerprint.Short(), term.CleanHandle(b.handle(first)), first.Short())
}

func (b *book) handle(f engine.Fingerprint) string {
	if f == b.self.Fingerprint {
		return b.self.Handle
	}
	return b.people[f]
}

// name is what a round is called here.
func (b *book) name(tag engine.Tag) string {
	if r, ok := b.rounds[tag]; ok {
		return r.Name
	}
	if tag == (engine.Tag{}) {
		return ""
	}
	return tag.String()
}

// round is the current one.
func (b *book) round() (engine.Round, bool) { return b.rounds[b.current], b.inRound }
