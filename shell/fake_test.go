package shell

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"opentalk/engine"
)

// fake is an engine that does what a script says. Its rounds are made of air: whoever is online holds everything at once.
type fake struct {
	mu         sync.Mutex
	events     chan engine.Event
	rounds     []engine.Round
	history    []engine.Message
	pending    []engine.Pending
	online     map[string]bool
	joining    func(context.Context) error // what becomes of the next Join
	broken     error                       // what Send says
	messages   int
	passphrase string
	verified   map[engine.Fingerprint]bool
	forked     string
	ignored    map[engine.Fingerprint]bool
	checkup    engine.Checkup
	foreign    *engine.Person // one more member, whose name is all that comes from them: addresses, what is wrong
	stopAfter  int            // messages that a search or an export finds before it waits to be given up; 0: all
	disk       chan struct{}  // what is said is durable once this is closed; nil: at once
	held       bool           // whoever is online acknowledges at once
}

func newFake() *fake {
	return &fake{events: make(chan engine.Event, 1000), online: map[string]bool{}, held: true}
}

func someone(name string) engine.Person {
	p := engine.Person{Name: name}
	copy(p.Fingerprint[:], "key of "+name)
	copy(p.Device[:], "device of "+name)
	return p
}

func tagOf(name string) (t engine.Tag) { copy(t[:], "tag of "+name); return t }

// secretID is the round id of every round of the fake.
var secretID = strings.Repeat("0b", 32)

func (f *fake) invite() engine.Invite {
	invite, err := engine.InviteTo("127.0.0.1:7654", secretID)
	if err != nil {
		panic(err)
	}
	return invite
}

func (f *fake) emit(evs ...engine.Event) {
	for _, ev := range evs {
		f.events <- ev
	}
}

// add makes a round that is there from the start.
func (f *fake) add(name string) engine.Round {
	r := engine.Round{Tag: tagOf(name), Name: name, Members: 2, Blocks: 1}
	f.rounds = append(f.rounds, r)
	return r
}

func (f *fake) Self() engine.Self {
	p := someone("alice")
	return engine.Self{Handle: p.Name, Fingerprint: p.Fingerprint, Device: p.Device, Listen: []string{"127.0.0.1:7654"}}
}

func (f *fake) Events() <-chan engine.Event { return f.events }

func (f *fake) New(name string) (engine.Round, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(name, ":") {
		return engine.Round{}, fmt.Errorf("%w: it holds ':'", engine.ErrName)
	}
	r := f.add(name)
	f.emit(engine.RoundEvent{Round: r})
	return r, nil
}

func (f *fake) Join(ctx context.Context, inv engine.Invite) (engine.Round, error) {
	if f.joining != nil {
		if err := f.joining(ctx); err != nil {
			return engine.Round{}, err
		}
	}
	return f.New("work")
}

func (f *fake) Invite(engine.Tag) (engine.Invite, error) { return f.invite(), nil }

func (f *fake) Send(tag engine.Tag, text string, form engine.Form, auto bool) (engine.MessageID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return engine.MessageID{}, f.broken
	}
	if len(text) > 8<<10 {
		return engine.MessageID{}, fmt.Errorf("%w of %d bytes exceeds the limit of %d", engine.ErrTooLong, len(text), 8<<10)
	}
	m := f.message(tag, "alice", text)
	m.Own, m.Form = true, form
	if len(f.online) == 0 {
		f.pending = append(f.pending, engine.Pending{Message: m, Kind: engine.KindMessage, State: engine.Waiting})
		f.emit(engine.SentEvent{Message: m, State: engine.Waiting}, engine.WaitingEvent{Round: tag, Count: f.waiting(tag)})
		return m.ID, nil
	}
	m.Block[0] = byte(f.messages)
	f.emit(engine.SentEvent{Message: m, State: engine.Sent})
	f.pending = append(f.pending, engine.Pending{Message: m, Kind: engine.KindMessage, State: engine.Sent})
	f.deliver(1)
	return m.ID, nil
}

func (f *fake) Say(tag engine.Tag, text string, form engine.Form, auto bool, number uint64) {
	id, err := f.Send(tag, text, form, auto)
	said := engine.SaidEvent{Number: number, ID: id, Err: err}
	if f.disk == nil {
		f.emit(said)
		return
	}
	go func(disk chan struct{}) {
		<-disk
		f.emit(said)
	}(f.disk)
}

// message makes the next message. Called with the lock.
func (f *fake) message(tag engine.Tag, from, text string) engine.Message {
	f.messages++
	m := engine.Message{Round: tag, From: f.known(from), Text: text, Written: time.Now(), Received: time.Now(), Live: true}
	m.ID[14], m.ID[15] = byte(f.messages>>8), byte(f.messages)
	m.At = engine.PositionAt(m.Written)
	m.At.Within = f.messages
	return m
}

// waiting is how many messages wait in a round. Called with the lock.
func (f *fake) waiting(tag engine.Tag) (n int) {
	for _, p := range f.pending {
		if p.Message.Round == tag && p.State == engine.Waiting {
			n++
		}
	}
	return n
}

// said has somebody say something that /history finds.
func (f *fake) said(m engine.Message) {
	f.mu.Lock()
	f.history = append(f.history, m)
	f.mu.Unlock()
	f.emit(engine.MessageEvent{Message: m})
}

// known is somebody as the person has marked them.
func (f *fake) known(name string) engine.Person {
	p := someone(name)
	p.Verified, p.Ignored = f.verified[p.Fingerprint], f.ignored[p.Fingerprint]
	return p
}

// deliver has somebody hold what was sent.
func (f *fake) deliver(members int) {
	if !f.held {
		return
	}
	for _, p := range f.pending {
		f.emit(engine.DeliveryEvent{Round: p.Message.Round, ID: p.Message.ID, Held: 1, Members: members})
	}
	f.pending = nil
}

// comes is somebody who comes online and takes what waits.
func (f *fake) comes(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.online[name] = true
	for _, r := range f.rounds {
		f.emit(engine.PeerEvent{Round: r.Tag, Person: someone(name), Address: "192.0.2.1:7654", State: engine.Online, RTT: 1500 * time.Microsecond})
	}
	for i, p := range f.pending {
		if p.State == engine.Waiting {
			f.pending[i].State = engine.Sent
			if p.Kind == engine.KindMessage {
				f.emit(engine.SentEvent{Message: p.Message, State: engine.Sent})
			}
			f.emit(engine.WaitingEvent{Round: p.Message.Round})
		}
	}
	f.deliver(1)
}

func (f *fake) goes(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.online, name)
	for _, r := range f.rounds {
		f.emit(engine.PeerEvent{Round: r.Tag, Person: someone(name), Address: "192.0.2.1:7654", State: engine.Offline})
	}
}

func (f *fake) Rounds() ([]engine.Round, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.rounds), nil
}

func (f *fake) Peers(engine.Tag) ([]engine.Peer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []engine.Peer{
		{Person: someone("bob"), Address: "192.0.2.1:7654", State: engine.Online, RTT: 1500 * time.Microsecond},
		{Address: "192.0.2.2:7654", State: engine.Offline, Problem: "connection refused"},
	}
	if who := f.foreign; who != nil {
		all = append(all, engine.Peer{Person: *who, Address: who.Name, State: engine.Offline, Problem: who.Name})
	}
	return all, nil
}

func (f *fake) Members(engine.Tag) ([]engine.Member, error) {
	bob, carol := f.known("bob"), someone("carol")
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []engine.Member{
		{Person: someone("alice"), Own: true, Devices: make([]engine.Device, 1)},
		{Person: bob, Online: true, Devices: make([]engine.Device, 2)},
		{Person: carol, Forked: f.forked == carol.Name, Devices: make([]engine.Device, 1), Seen: time.Now().Add(-time.Hour)},
	}
	if f.foreign != nil {
		all = append(all, engine.Member{Person: *f.foreign, Devices: make([]engine.Device, 2)})
	}
	return all, nil
}

// past is what was said in a round, in order.
func (f *fake) past(tag engine.Tag) []engine.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(f.history), func(m engine.Message) bool { return m.Round != tag })
	for i, m := range all {
		all[i].From.Ignored = f.ignored[m.From.Fingerprint]
	}
	slices.SortFunc(all, func(a, b engine.Message) int { return a.At.Compare(b.At) })
	return all
}

func (f *fake) History(tag engine.Tag, before engine.Position, n int) ([]engine.Message, error) {
	all := slices.DeleteFunc(f.past(tag), func(m engine.Message) bool {
		return before != engine.Position{} && m.At.Compare(before) >= 0
	})
	return all[max(0, len(all)-n):], nil
}

func (f *fake) Arrived(_ context.Context, tag engine.Tag) (uint64, error) {
	return uint64(len(f.past(tag))), nil
}

func (f *fake) After(ctx context.Context, tag engine.Tag, after engine.Position, among uint64) iter.Seq2[engine.Message, error] {
	return f.each(ctx, f.past(tag)[:among], func(m engine.Message) bool { return m.At.Compare(after) > 0 })
}

func (f *fake) Search(ctx context.Context, tag engine.Tag, before engine.Position, text string) iter.Seq2[engine.Message, error] {
	all := f.past(tag)
	slices.Reverse(all)
	return f.each(ctx, all, func(m engine.Message) bool {
		return strings.Contains(m.Text, text) && (before == engine.Position{} || m.At.Compare(before) < 0)
	})
}

// each gives what fits, and after stopAfter messages waits until ctx ends.
func (f *fake) each(ctx context.Context, all []engine.Message, fits func(engine.Message) bool) iter.Seq2[engine.Message, error] {
	return func(yield func(engine.Message, error) bool) {
		n := 0
		for _, m := range all {
			if !fits(m) {
				continue
			}
			if n++; f.stopAfter > 0 && n > f.stopAfter {
				<-ctx.Done()
				yield(engine.Message{}, ctx.Err())
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (f *fake) Ignore(_ engine.Tag, who engine.Fingerprint, yes bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ignored = map[engine.Fingerprint]bool{who: yes}
	return nil
}

func (f *fake) Pending(tag engine.Tag) ([]engine.Pending, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []engine.Pending
	for _, p := range f.pending {
		if p.Message.Round == tag {
			all = append(all, p)
		}
	}
	return all, nil
}

func (f *fake) Status() (engine.Status, error) {
	return engine.Status{Self: f.Self(), Dir: "HOME", Rounds: f.rounds}, nil
}

func (f *fake) announce(text string, kind engine.Kind, now engine.Event) (engine.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.online) == 0 {
		m := f.message(f.rounds[0].Tag, "alice", text)
		f.pending = append(f.pending, engine.Pending{Message: m, Kind: kind, State: engine.Waiting})
		return engine.Waiting, nil
	}
	f.emit(now)
	return engine.Sent, nil
}

func (f *fake) Rename(tag engine.Tag, name string) (engine.State, error) {
	if strings.Contains(name, ":") {
		return "", fmt.Errorf("%w: it holds ':'", engine.ErrName)
	}
	who := someone("alice")
	who.Name = name
	return f.announce(name, engine.KindProfile,
		engine.MemberEvent{Round: tag, Person: who, Change: engine.Renamed, Was: "alice", Live: true})
}

func (f *fake) SetTopic(tag engine.Tag, topic string) (engine.State, error) {
	if len(topic) > 512 {
		return "", fmt.Errorf("%w: it is too long", engine.ErrTopic)
	}
	return f.announce(topic, engine.KindTopic, engine.TopicEvent{Round: tag, Topic: topic, By: someone("alice"), Live: true})
}

func (f *fake) Leave(_ context.Context, tag engine.Tag) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rounds = slices.DeleteFunc(f.rounds, func(r engine.Round) bool { return r.Tag == tag })
	return len(f.online) > 0, nil
}

func (f *fake) Connect(ctx context.Context, _ engine.Tag, _ string) (engine.Person, error) {
	if f.joining != nil {
		return engine.Person{}, f.joining(ctx)
	}
	return someone("bob"), nil
}

func (f *fake) Verify(tag engine.Tag, who engine.Fingerprint, yes bool) error {
	f.verified = map[engine.Fingerprint]bool{who: yes}
	change := map[bool]engine.Change{true: engine.Verified, false: engine.Unverified}[yes]
	f.emit(engine.MemberEvent{Round: tag, Person: engine.Person{Name: "bob", Fingerprint: who, Verified: yes}, Change: change, Live: true})
	return nil
}

func (f *fake) Diagnose(ctx context.Context, tag engine.Tag) (engine.Checkup, error) {
	if f.joining != nil {
		if err := f.joining(ctx); err != nil {
			return engine.Checkup{}, err
		}
	}
	c := f.checkup
	c.Members, _ = f.Members(tag)
	f.mu.Lock()
	defer f.mu.Unlock()
	if who := f.foreign; who != nil {
		c.Announced, c.Asked = []string{who.Name}, []engine.Person{*who}
		c.Tried = []engine.Tried{{Person: *who, Address: who.Name, Err: engine.ErrRefused}}
		c.Reached = []engine.Reached{{By: *who, Address: who.Name, Err: engine.ErrTimeout}}
	}
	return c, nil
}

func (f *fake) Probe(ctx context.Context, _ engine.Tag, _ string) error {
	if f.joining != nil {
		return f.joining(ctx)
	}
	return nil
}

func (f *fake) SetPassphrase(passphrase []byte) error {
	f.passphrase = string(passphrase)
	return nil
}
