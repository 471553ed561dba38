package shell

import (
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
	looks   map[string]engine.Fingerprint // who was first with a handle that looks like this
}

// maxPeople bounds the handles kept.
const maxPeople = 1000

func newBook() *book {
	return &book{
		rounds: map[engine.Tag]engine.Round{},
		online: map[engine.Tag]map[engine.Device]bool{}, people: map[engine.Fingerprint]string{},
		looks: map[string]engine.Fingerprint{},
	}
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
	case engine.PeerEvent:
		b.notePeer(ev)
		return b.notePerson(ev.Person)
	case engine.MemberEvent:
		return b.notePerson(ev.Person)
	case engine.MessageEvent:
		return b.notePerson(ev.Message.From)
	}
	return term.Text{}
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

// notePerson warns, once, of somebody whose handle can be taken for that of another or one's own.
func (b *book) notePerson(p engine.Person) (warning term.Text) {
	if p.Name == "" || b.people[p.Fingerprint] == p.Name || p.Fingerprint == b.self.Fingerprint || len(b.people) >= maxPeople {
		return term.Text{}
	}
	b.people[p.Fingerprint] = p.Name
	skeleton := term.Skeleton(p.Name)
	first, taken := b.looks[skeleton]
	if !taken {
		b.looks[skeleton] = p.Fingerprint
	}
	if !taken || first == p.Fingerprint {
		return term.Text{}
	}
	return term.Sprintf("%s (%s) is not the same as %s (%s): /members tells them apart",
		term.CleanHandle(p.Name), p.Fingerprint.Short(), term.CleanHandle(b.handle(first)), first.Short())
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
