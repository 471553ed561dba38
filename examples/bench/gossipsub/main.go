// Gossipsub is a member of a libp2p gossipsub topic for the benchmark to compare with: it is told what to do in lines, and tells
// what has happened in events, as opentalk is with --json. It has a module of its own, so that nothing of it reaches opentalk.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// queues is how much may wait anywhere: more than a burst, because gossipsub drops what does not fit.
const queues = 1 << 15

func main() {
	kind := flag.String("key", "ed25519", "the kind of the key that signs messages: ed25519, or rsa of 2048 bits")
	flag.Parse()
	if err := serve(context.Background(), *kind); err != nil {
		fmt.Fprintln(os.Stderr, "gossipsub:", err)
		os.Exit(1)
	}
}

// member is this process in the topic.
type member struct {
	host  host.Host
	topic *pubsub.Topic

	mu  sync.Mutex
	out *bufio.Writer
}

func serve(ctx context.Context, kind string) error {
	m := &member{out: bufio.NewWriterSize(os.Stdout, 1<<16)}
	typ, bits := crypto.Ed25519, 0
	if kind == "rsa" {
		typ, bits = crypto.RSA, 2048
	}
	key, _, err := crypto.GenerateKeyPairWithReader(typ, bits, rand.Reader)
	if err != nil {
		return err
	}
	m.host, err = libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		return err
	}
	defer m.host.Close()
	ps, err := pubsub.NewGossipSub(ctx, m.host, pubsub.WithPeerOutboundQueueSize(queues), pubsub.WithValidateQueueSize(queues))
	if err != nil {
		return err
	}
	if m.topic, err = ps.Join("bench"); err != nil {
		return err
	}
	sub, err := m.topic.Subscribe(pubsub.WithBufferSize(queues))
	if err != nil {
		return err
	}
	peers, err := m.topic.EventHandler()
	if err != nil {
		return err
	}
	go m.meet(ctx, peers)
	go m.hear(ctx, sub)
	return m.obey(ctx)
}

// event is what is told, with the keys of opentalk's.
type event struct {
	Event  string `json:"event"`
	Text   string `json:"text,omitempty"`
	Invite string `json:"invite,omitempty"`
	Device string `json:"device,omitempty"`
	State  string `json:"state,omitempty"`
}

func (m *member) tell(ev event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	json.NewEncoder(m.out).Encode(ev)
	m.out.Flush()
}

// settled is how long after a peer has come messages reach it: two of gossipsub's heartbeats. What is said before is lost.
const settled = 2 * time.Second

// meet tells who has come to the topic.
func (m *member) meet(ctx context.Context, peers *pubsub.TopicEventHandler) {
	for ev, err := peers.NextPeerEvent(ctx); err == nil; ev, err = peers.NextPeerEvent(ctx) {
		if ev.Type == pubsub.PeerJoin {
			time.AfterFunc(settled, func() { m.tell(event{Event: "peer", Device: ev.Peer.String(), State: "online"}) })
		}
	}
}

// hear tells what others say.
func (m *member) hear(ctx context.Context, sub *pubsub.Subscription) {
	for msg, err := sub.Next(ctx); err == nil; msg, err = sub.Next(ctx) {
		if msg.ReceivedFrom != m.host.ID() {
			m.tell(event{Event: "message", Text: string(msg.Data)})
		}
	}
}

func (m *member) obey(ctx context.Context) error {
	m.tell(event{Event: "ready"})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		command, rest, _ := strings.Cut(lines.Text(), " ")
		switch command {
		case "/new":
			m.tell(event{Event: "round"})
		case "/invite":
			m.tell(event{Event: "invite", Invite: fmt.Sprintf("%s/p2p/%s", m.host.Addrs()[0], m.host.ID())})
		case "/join":
			for _, address := range strings.Fields(rest) {
				info, err := peer.AddrInfoFromString(address)
				if err == nil {
					err = m.host.Connect(ctx, *info)
				}
				if err != nil {
					return err
				}
			}
			m.tell(event{Event: "round"})
		default:
			if err := m.topic.Publish(ctx, []byte(lines.Text())); err != nil {
				return err
			}
		}
	}
	return nil
}
