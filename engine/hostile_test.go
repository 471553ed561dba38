package engine_test

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"testing"
	"time"

	"opentalk/engine"
	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

// intruder is a device of nobody in the round that speaks the link by hand. It may know the round id.
type intruder struct {
	t    *testing.T
	conn *link.Conn
}

func secretOf(t *testing.T, inv engine.Invite) identity.RoundID {
	t.Helper()
	raw, err := hex.DecodeString(inv.RoundID())
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.ParseRoundID(raw)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// intrude links device n to somebody's engine.
func intrude(t *testing.T, to *person, id identity.RoundID, n int) *intruder {
	t.Helper()
	nc, err := net.Dial("tcp", to.listen[0])
	if err != nil {
		t.Fatal(err)
	}
	self := link.Self{Key: identitytest.Device(n), Credential: identitytest.Credential(n), Verifier: &identity.Verifier{}}
	conn, err := link.Dial(context.Background(), nc, self, link.NewRound(id.Tag(), id.LinkKey()), identity.Fingerprint{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &intruder{t, conn}
}

func (i *intruder) send(msgs ...link.Message) {
	i.t.Helper()
	if err := i.conn.Send(msgs...); err != nil {
		i.t.Fatal(err)
	}
}

// untilPong asks whether the far side lives and returns what came before the answer.
func (i *intruder) untilPong(nonce uint64) (before []link.Message) {
	i.t.Helper()
	i.send(link.Ping{Nonce: nonce})
	for {
		m, err := i.conn.Receive()
		if err != nil {
			i.t.Fatal(err)
		}
		if pong, ok := m.(link.Pong); ok && pong.Nonce == nonce {
			return before
		}
		before = append(before, m)
	}
}

// withHistory is alice in a round with something to read, which bob, who has gone, has written.
func withHistory(t *testing.T) (alice, bob *person, tag engine.Tag, id identity.RoundID) {
	t.Helper()
	alice, bob, tag = couple(t)
	inv, err := alice.engine.Invite(tag)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := bob.engine.Send(tag, text, engine.Plain, false); err != nil {
			t.Fatal(err)
		}
		until(alice, func(e engine.MessageEvent) bool { return e.Message.Text == text })
	}
	bob.close()
	return alice, bob, tag, secretOf(t, inv)
}

// TestT17NoReaderWithoutATrace: who knows the round id, but has not left a first block, gets genesis and the member's own
// first block and nothing else, whatever it asks for. With a first block it gets all.
func TestT17NoReaderWithoutATrace(t *testing.T) {
	alice, bob, _, id := withHistory(t)
	eve := intrude(t, alice, id, 5)
	all := link.Want{Request: 7, Ranges: []link.Range{
		{Device: alice.engine.Self().Device, To: 1000}, {Device: bob.engine.Self().Device, To: 1000},
	}}
	ask := []link.Message{
		link.Ready{}, link.Frontier{Last: true}, all, link.Newest{Request: 8, Count: 100},
		link.Ack{Entries: []link.Entry{{Device: alice.engine.Self().Device, Seq: 0}}}, all,
	}
	eve.send(ask...)
	var genesis *chain.Block
	for _, m := range eve.untilPong(1) {
		switch m := m.(type) {
		case link.Ready, link.Ping:
		case link.Genesis:
			b, err := chain.Parse(m.Block)
			if err != nil {
				t.Fatal(err)
			}
			genesis = b
		default:
			t.Errorf("before a first block alice sends %v", link.KindOf(m))
		}
	}
	if genesis == nil {
		t.Fatal("no genesis")
	}

	first := firstBlock(t, id, genesis, 5)
	eve.send(link.Blocks{Blocks: [][]byte{first.Bytes()}, Last: true})
	until(alice, func(e engine.MemberEvent) bool {
		return e.Change == engine.Joined && e.Person.Device == identitytest.Device(5).Device()
	})
	deadline := time.Now().Add(10 * time.Second)
	for got := 0; got < 4; { // bob's first block and three messages
		eve.send(all)
		for _, m := range eve.untilPong(uint64(100 + got)) {
			if blocks, ok := m.(link.Blocks); ok && blocks.Request == 7 {
				got = max(got, len(blocks.Blocks))
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("a member gets %d blocks", got)
		}
	}
}

// firstBlock makes the first block of a device that has joined.
func firstBlock(t *testing.T, id identity.RoundID, genesis *chain.Block, n int) *chain.Block {
	t.Helper()
	ch, err := chain.New(id, genesis, nil, &identity.Verifier{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := enginetest.FirstBlock(ch, n, uint64(time.Now().UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestProvablyWrongEndsTheLink: a block with a bad signature, of another round, or with another's name ends the link that
// brought it, and only that. The good block is taken afterwards (T19), from somebody else.
func TestProvablyWrongEndsTheLink(t *testing.T) {
	alice, _, tag, id := withHistory(t)
	genesis := genesisOf(t, alice, id)
	good := firstBlock(t, id, genesis, 5)

	bad := append([]byte(nil), good.Bytes()...)
	bad[len(bad)-len(good.Body())-1] ^= 1 // the last byte of the signature
	foreign := id
	if other, err := alice.engine.New("other"); err == nil {
		inv, _ := alice.engine.Invite(other.Tag)
		foreign = secretOf(t, inv)
	}
	elsewhere := firstBlock(t, foreign, genesisOf(t, alice, foreign), 5)

	for name, raw := range map[string][]byte{"bad signature": bad, "another round": elsewhere.Bytes(), "garbage": {1, 2, 3}} {
		eve := intrude(t, alice, id, 5)
		eve.send(link.Ready{HaveGenesis: true}, link.Blocks{Blocks: [][]byte{raw}, Last: true})
		for {
			_, err := eve.conn.Receive()
			if err == nil {
				continue
			}
			if reason, closed := eve.conn.Reason(); err != io.EOF || !closed || reason != link.ReasonBlock {
				t.Errorf("%s: the link ends with %v, %v", name, err, reason)
			}
			break
		}
	}
	eve := intrude(t, alice, id, 5)
	eve.send(link.Ready{HaveGenesis: true}, link.Blocks{Blocks: [][]byte{good.Bytes()}, Last: true})
	until(alice, func(e engine.MemberEvent) bool {
		return e.Round == tag && e.Person.Device == identitytest.Device(5).Device()
	})
	if s, err := alice.engine.Status(); err != nil || s.Problem != nil {
		t.Error(s, err)
	}
}

func genesisOf(t *testing.T, p *person, id identity.RoundID) *chain.Block {
	t.Helper()
	k, err := identity.OpenKeyring(p.dir+"/secrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := chain.Parse(k.Round(id.Tag()).Genesis())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestT3StrangersGetNothing: a listener that does not know the round gets one message of fixed size from a dialler, and a
// dialler that does not know it gets no byte from a listener.
func TestT3StrangersGetNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan []byte, 2)
	go func() {
		for range 2 {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.SetDeadline(time.Now().Add(time.Second)) // nobody answers; what comes, comes at once
			all, _ := io.ReadAll(nc)
			nc.Close()
			got <- all
		}
	}()
	bob := start(t, 1)
	for _, roundID := range []string{"01", "02"} {
		inv, err := engine.InviteTo(l.Addr().String(), roundID+"0000000000000000000000000000000000000000000000000000000000beef"[:62])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bob.engine.Join(context.Background(), inv); err == nil {
			t.Error("joined nobody")
		}
	}
	if a, b := <-got, <-got; len(a) != len(b) || len(a) == 0 || len(a) > 2048 {
		t.Errorf("a stranger gets %d and %d bytes", len(a), len(b))
	}

	nc, err := net.Dial("tcp", bob.listen[0])
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	nc.Write(make([]byte, 4096))
	if all, _ := io.ReadAll(nc); len(all) != 0 {
		t.Errorf("a stranger is answered with %d bytes", len(all))
	}
}
