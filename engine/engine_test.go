package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/identity/identitytest"
)

// person is an engine with a home that outlives it, and everything it has told so far.
type person struct {
	t      *testing.T
	dir    string
	listen []string
	engine *engine.Engine
	events chan engine.Event
}

// loopback is where people listen. A port that is free for a moment while somebody restarts can be taken for a connection,
// whose own end is 127.0.0.1; where all of 127.0.0.0/8 is this machine, another address is out of its way.
var loopback = map[bool]string{true: "127.0.0.2:0", false: "127.0.0.1:0"}[runtime.GOOS == "linux"]

func start(t *testing.T, n int) *person {
	t.Helper()
	dir := t.TempDir()
	identitytest.Keyring(t, dir, n)
	p := &person{t: t, dir: dir, listen: []string{loopback}}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *person) open() {
	p.t.Helper()
	e, err := engine.Open(engine.Config{Dir: p.dir, Handle: "", Listen: p.listen})
	if err != nil {
		p.t.Fatal(err)
	}
	p.listen = e.Self().Listen // a restart comes back where it was
	p.engine, p.events = e, make(chan engine.Event, 4096)
	go func(in <-chan engine.Event, out chan engine.Event) {
		for ev := range in {
			out <- ev
		}
		close(out)
	}(e.Events(), p.events)
}

func (p *person) close() {
	if err := p.engine.Close(); err != nil {
		p.t.Error(err)
	}
}

// couple are two people in a round.
func couple(t *testing.T) (alice, bob *person, tag engine.Tag) {
	alice, bob = start(t, 0), start(t, 1)
	round, err := alice.engine.New("friends")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := alice.engine.Invite(round.Tag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.engine.Join(context.Background(), inv); err != nil {
		t.Fatal(err)
	}
	return alice, bob, round.Tag
}

// until waits for an event that f likes.
func until[E engine.Event](p *person, f func(E) bool) E {
	p.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case ev, ok := <-p.events:
			if !ok {
				p.t.Fatal("engine closed")
			}
			if e, ok := ev.(E); ok && f(e) {
				return e
			}
		case <-late:
			var e E
			p.t.Fatalf("no such %T", e)
		}
	}
}

// TestSaid says many things at once, some of them nonsense: each has one answer, behind what tells that it was sent, and what
// was said comes to the others in order.
func TestSaid(t *testing.T) {
	alice, bob, friends := couple(t)
	const n = 1000
	for i := range uint64(n) {
		alice.engine.Say(friends, fmt.Sprint(i), engine.Plain, false, i)
	}
	alice.engine.Say(engine.Tag{}, "nowhere", engine.Plain, false, n)
	alice.engine.Say(friends, "", engine.Plain, false, n+1)
	for i := range uint64(n) {
		heard := until(bob, func(e engine.MessageEvent) bool { return true })
		if heard.Message.Text != fmt.Sprint(i) {
			t.Fatalf("message %d says %s", i, heard.Message.Text)
		}
	}
	sent, answers := map[engine.MessageID]bool{}, map[uint64]error{}
	until(alice, func(e engine.Event) bool {
		switch e := e.(type) {
		case engine.SentEvent:
			sent[e.Message.ID] = true
		case engine.SaidEvent:
			if _, again := answers[e.Number]; again || e.Err == nil && !sent[e.ID] {
				t.Fatalf("the answer to message %d comes twice, or before it was sent", e.Number)
			}
			answers[e.Number] = e.Err
		}
		return len(answers) == n+2
	})
	for number, err := range answers {
		if (err != nil) != (number >= n) {
			t.Errorf("message %d: %v", number, err)
		}
	}
	if !errors.Is(answers[n], engine.ErrNoRound) {
		t.Error(answers[n])
	}
}

func TestTwoPeopleTalk(t *testing.T) {
	alice, bob, friends := couple(t)
	if _, err := bob.engine.Send(friends, "hello", engine.Plain, false); err != nil {
		t.Fatal(err)
	}
	until(alice, func(e engine.MessageEvent) bool { return e.Message.Text == "hello" && e.Message.Live })
	until(bob, func(e engine.DeliveryEvent) bool { return e.Held == 1 && e.Members == 1 })

	bob.close()
	until(alice, func(e engine.PeerEvent) bool { return e.State == engine.Offline })
	id, err := alice.engine.Send(friends, "are you gone?", engine.Plain, false)
	if err != nil {
		t.Fatal(err)
	}
	until(alice, func(e engine.SentEvent) bool { return e.Message.ID == id && e.State == engine.Waiting })
	alice.close() // the message survives both ends
	alice.open()
	bob.open()
	until(bob, func(e engine.MessageEvent) bool { return e.Message.Text == "are you gone?" && e.Message.ID == id })
	until(alice, func(e engine.DeliveryEvent) bool { return e.ID == id && e.Held == 1 })
}

// lastCaller is a network where one caller comes in the moment that nobody listens any more.
type lastCaller struct {
	near   net.Conn
	came   bool
	closed chan struct{}
}

func (*lastCaller) Dial(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed }
func (l *lastCaller) Listen(string) (net.Listener, error)          { return l, nil }
func (l *lastCaller) Addr() net.Addr                               { return &net.TCPAddr{} }
func (l *lastCaller) Close() error                                 { close(l.closed); return nil }

func (l *lastCaller) Accept() (net.Conn, error) {
	<-l.closed
	if l.came {
		return nil, net.ErrClosed
	}
	l.came = true
	return l.near, nil
}

// TestCallerAtTheEnd: who calls while the engine closes is hung up on.
func TestCallerAtTheEnd(t *testing.T) {
	near, far := net.Pipe()
	dir := t.TempDir()
	identitytest.Keyring(t, dir, 0)
	e, err := engine.Open(engine.Config{Dir: dir, Listen: []string{"here"}, Network: &lastCaller{near: near, closed: make(chan struct{})}})
	if err != nil {
		t.Fatal(err)
	}
	drain(e)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	far.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the caller gets %v", err)
	}
}
