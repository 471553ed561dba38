package main

import (
	"context"
	"net"
	"os/exec"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"opentalk/engine/identity"
	"opentalk/engine/link"
)

// odd is a member that keeps to the protocol in nearly everything: its clock is apart, and of what it is asked about reaching
// others it says that there was no answer.
type odd struct {
	conn  *link.Conn
	apart time.Duration
	about []string // addresses
}

// oddMember NAME ADDRESS APART links the home NAME, which has been a member before, to ADDRESS in its first round.
func oddMember(ts *testscript.TestScript, neg bool, args []string) {
	keys, err := identity.OpenKeyring(ts.MkAbs(args[0]+"/secrets"), nil)
	ts.Check(err)
	apart, err := time.ParseDuration(args[2])
	ts.Check(err)
	nc, err := net.Dial("tcp", args[1])
	ts.Check(err)
	secret := keys.Rounds[0].ID
	self := link.Self{Key: keys.Device, Credential: keys.Credential, Verifier: &identity.Verifier{}}
	conn, err := link.Dial(context.Background(), nc, self, link.NewRound(secret.Tag(), secret.LinkKey()), identity.Fingerprint{})
	ts.Check(err)
	o := &odd{conn, apart, []string{args[1]}}
	ts.Check(conn.Send(link.Ready{HavePubKey: true, HaveGenesis: true, Clock: o.clock()}, link.Frontier{Last: true}))
	ts.Defer(func() { conn.Close(link.ReasonDone) })
	go o.answer()
}

func (o *odd) clock() uint64 { return uint64(time.Now().Add(o.apart).UnixMilli()) }

func (o *odd) answer() {
	for {
		m, err := o.conn.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case link.Ping:
			err = o.conn.Send(link.Pong{Nonce: m.Nonce, Clock: o.clock()})
		case link.Reach:
			answer := link.Reached{Request: m.Request}
			for _, a := range o.about {
				answer.Entries = append(answer.Entries, link.ReachedAt{Address: a, Outcome: link.OutcomeTimeout})
			}
			err = o.conn.Send(answer)
		}
		if err != nil {
			return
		}
	}
}

// hasNamespaces reports whether a process can be put into a network of its own.
func hasNamespaces() bool { return exec.Command("unshare", "-rn", "true").Run() == nil }
