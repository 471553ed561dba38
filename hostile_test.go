package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"opentalk/engine"
	"opentalk/engine/chain"
	"opentalk/engine/enginetest"
	"opentalk/engine/identity"
	"opentalk/engine/identity/identitytest"
	"opentalk/engine/link"
)

// Callers on raw sockets that are no opentalk.

// firstSize is what a first message has, and what each begins with. LINK 2.1.
const (
	firstSize  = 1241
	firstBytes = "opentalk\x01"
)

// junkFirst is a first message that looks like one and is of no round.
func junkFirst() []byte {
	first := make([]byte, firstSize)
	rand.Read(first)
	copy(first, firstBytes)
	return first
}

// callAs has a caller come, who says what a kind of stranger says, and wait to be hung up on.
func callAs(address, kind string) error {
	nc, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	switch kind {
	case "http":
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
	case "outsider":
		nc.Write(junkFirst())
	case "leaver":
		nc.(*net.TCPConn).CloseWrite()
	default:
		return fmt.Errorf("no such caller: %q", kind)
	}
	switch answer, err := io.ReadAll(nc); {
	case len(answer) > 0:
		return fmt.Errorf("a stranger is answered %d bytes", len(answer))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	return nil // a reset, if it has said more than was read
}

// insider knows the invite to a round, as whom its n-th identity stands for, and speaks the link by hand.
type insider struct {
	n       int
	conn    *link.Conn
	socket  net.Conn
	secret  identity.RoundID
	genesis *chain.Block
}

// enter links an insider to where an invite leads, over a socket that may come from anywhere on this machine.
func enter(invite string, n int, nc net.Conn) (*insider, error) {
	inv, err := engine.ParseInvite(invite)
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(inv.RoundID())
	if err != nil {
		return nil, err
	}
	i := &insider{n: n, socket: nc}
	if i.secret, err = identity.ParseRoundID(raw); err != nil {
		return nil, err
	}
	self := link.Self{Key: identitytest.Device(n), Credential: identitytest.Credential(n), Verifier: &identity.Verifier{}}
	i.conn, err = link.Dial(context.Background(), nc, self, link.NewRound(i.secret.Tag(), i.secret.LinkKey()), identity.Fingerprint{})
	return i, err
}

// join leaves a first block by a clock that is ahead, and waits until the far side holds it.
func (i *insider) join(ahead time.Duration) error {
	if err := i.conn.Send(link.Ready{Clock: uint64(time.Now().UnixMilli())}); err != nil {
		return err
	}
	for i.genesis == nil {
		m, err := i.conn.Receive()
		if err != nil {
			return err
		}
		if g, ok := m.(link.Genesis); ok {
			if i.genesis, err = chain.Parse(g.Block); err != nil {
				return err
			}
		}
	}
	c, err := chain.New(i.secret, i.genesis, nil, &identity.Verifier{})
	if err != nil {
		return err
	}
	first, err := enginetest.FirstBlock(c, i.n, uint64(time.Now().Add(ahead).UnixMilli()))
	if err != nil {
		return err
	}
	if err := i.conn.Send(link.Blocks{Blocks: [][]byte{first.Bytes()}, Last: true}); err != nil {
		return err
	}
	for {
		if m, err := i.conn.Receive(); err != nil {
			return err
		} else if _, ok := m.(link.Ack); ok {
			return nil
		}
	}
}

// misbehave does what a kind of insider does, and waits until the far side ends the link.
func (i *insider) misbehave(kind string) error {
	switch kind {
	case "ahead":
		return errors.Join(i.join(time.Hour), i.conn.Close(link.ReasonDone))
	case "forger":
		i.conn.Send(link.Ready{HaveGenesis: true}, link.Blocks{Blocks: [][]byte{make([]byte, 300)}, Last: true})
	case "overlong":
		i.socket.Write(bytes.Repeat([]byte{0xff}, 1<<20))
	default:
		return fmt.Errorf("no such insider: %q", kind)
	}
	for {
		if _, err := i.conn.Receive(); err != nil {
			return nil
		}
	}
}

// caller ADDRESS KIND… has callers come who are no members, one after another.
func caller(ts *testscript.TestScript, neg bool, args []string) {
	for _, kind := range args[1:] {
		ts.Check(callAs(args[0], kind))
	}
}

// insideCaller ADDRESS INVITE KIND… has callers come who know a round and do wrong, one after another.
func insideCaller(ts *testscript.TestScript, neg bool, args []string) {
	for n, kind := range args[2:] {
		nc, err := net.Dial("tcp", args[0])
		ts.Check(err)
		i, err := enter(args[1], 20+n, nc)
		ts.Check(err)
		ts.Check(i.misbehave(kind))
		nc.Close()
	}
}
