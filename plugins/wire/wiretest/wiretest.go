// Package wiretest joins the two ends of [wire] within one process, over gRPC in memory: what is said crosses exactly as between
// processes, without one being started.
package wiretest

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire"
)

// Connect returns e as the chat sees it, and what ends both connections and waits until nothing of them is left.
func Connect(e hook.Extender) (remote hook.Extender, end func(), err error) {
	server := wire.NewServer(nil)
	b := &broker{listeners: map[uint32]*bufconn.Listener{}}
	wire.Serve(server, e, b)
	conn, err := b.serve(server)
	if err != nil {
		return nil, nil, err
	}
	return wire.NewExtender(conn, b, func() {}), func() {
		conn.Close()
		server.Stop()
		b.close()
	}, nil
}

// broker is that of go-plugin, in one process.
type broker struct {
	mu        sync.Mutex
	last      uint32
	listeners map[uint32]*bufconn.Listener
	conns     []*grpc.ClientConn
	servers   []*grpc.Server
	running   sync.WaitGroup
}

const buffer = 64 << 10

// serve runs s and opens a connection to it.
func (b *broker) serve(s *grpc.Server) (*grpc.ClientConn, error) {
	l := bufconn.Listen(buffer)
	b.mu.Lock()
	b.servers = append(b.servers, s)
	b.mu.Unlock()
	b.running.Go(func() { s.Serve(l) })
	return dial(l, wire.DialOptions())
}

func dial(l *bufconn.Listener, opts []grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:memory", append(opts,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
}

// NextId makes the listener at once, so that it is there whichever end comes first.
func (b *broker) NextId() uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	b.listeners[b.last] = bufconn.Listen(buffer)
	return b.last
}

func (b *broker) AcceptAndServe(id uint32, newServer func([]grpc.ServerOption) *grpc.Server) {
	s := newServer(nil)
	b.mu.Lock()
	l := b.listeners[id]
	b.servers = append(b.servers, s)
	b.running.Add(1)
	b.mu.Unlock()
	defer b.running.Done()
	s.Serve(l)
}

func (b *broker) DialWithOptions(id uint32, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	conn, err := dial(b.listeners[id], opts)
	if err == nil {
		b.conns = append(b.conns, conn)
	}
	return conn, err
}

func (b *broker) close() {
	b.mu.Lock()
	for _, c := range b.conns {
		c.Close()
	}
	for _, s := range b.servers {
		s.Stop()
	}
	for _, l := range b.listeners {
		l.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}
