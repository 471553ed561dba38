package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// glue is what go-plugin knows of the contract.
type glue struct {
	plugin.NetRPCUnsupportedPlugin
	extender hook.Extender // nil in the chat
	onPanic  func()        // nil in the plugin
}

var _ plugin.GRPCPlugin = (*glue)(nil)

func (g *glue) GRPCServer(broker *plugin.GRPCBroker, s *grpc.Server) error {
	Serve(s, g.extender, broker)
	return nil
}

func (g *glue) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewExtender(conn, broker, g.onPanic), nil
}

// Broker brings about the second connection, on which the chat serves and the plugin calls. go-plugin's is one.
type Broker interface {
	// NextId returns a number for a connection, AcceptAndServe serves it until the broker ends, and DialWithOptions, in the
	// other process, opens it.
	NextId() uint32
	AcceptAndServe(id uint32, newServer func([]grpc.ServerOption) *grpc.Server)
	DialWithOptions(id uint32, opts ...grpc.DialOption) (*grpc.ClientConn, error)
}

var _ Broker = (*plugin.GRPCBroker)(nil)

// Serve answers on s with what e answers: the plugin's end.
func Serve(s *grpc.Server, e hook.Extender, broker Broker) {
	pb.RegisterPluginServer(s, &pluginServer{extender: e, broker: broker})
}

// NewExtender returns what is served at the other end of conn: the chat's end. Errors of its methods are those of their ctx,
// or an [*hook.Error]. [hook.CodeClosed] means that nobody is there any more. OnPanic is deferred on what runs beside the caller.
func NewExtender(conn grpc.ClientConnInterface, broker Broker, onPanic func()) hook.Extender {
	client := pb.NewPluginClient(conn)
	return &extender{
		client: client, broker: broker, onPanic: onPanic, calls: &calls{}, filtering: filtering{client: client, onPanic: onPanic},
	}
}
