// Package wire carries the contract of [hook] between processes: opentalk.proto is the same contract for every language, and
// this package turns one into the other and back, at both ends.
//
//	the chat                                        a plugin
//	hook.Extender  ── Plugin, over go-plugin ────▶  hook.Extender
//	hook.Host      ◀─ Host, through its broker ───  hook.Host
//
// The chat dispenses [Name] from a client made with [ClientConfig], and gets a [hook.Extender]; a plugin serves one with
// [ServeConfig]. Neither sees more of gRPC than that.
//
// Nothing that a plugin sends is believed: sizes, counts, names and words are those that [hook] allows, or the call fails with
// an [*hook.Error]; an answer can neither make the chat panic nor allocate much. What is not known is ignored, where that is
// harmless. Text that is not UTF-8 crosses with U+FFFD in place of what is wrong.
//
// The chat numbers its calls, and a plugin sends back the number of the call that it is answering. That is how the context of
// a call of the chat, with whatever values it holds, is the context of what a plugin asks for meanwhile.
package wire

import (
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"opentalk/plugins/hook"
)

// Name is what a client dispenses.
const Name = "opentalk"

// Handshake is what tells a plugin of opentalk from other programs: it is started with the cookie in its environment. The
// version is that of starting one and of opentalk.proto; [hook.Version] is told and compared in Start, where both sides can
// say what is wrong in words.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "OPENTALK_PLUGIN",
	MagicCookieValue: "a plugin of opentalk",
}

// Limits on what one call carries, in bytes. A plugin sends a registration or an answer, with what surrounds the text; the chat
// sends [hook.MaxHistory] messages.
const (
	maxFromPlugin = 1 << 20
	maxFromChat   = 8 << 20
	maxHeaders    = 64 << 10
	// maxCalls is how many calls of a plugin are under way at a time; further ones wait in the plugin.
	maxCalls = 64
	// window is what is sent ahead of a reader. gRPC would find it out by a ping with every call, which here, where nothing is
	// far away, takes as long as what is sent.
	window = 1 << 20
)

// ClientConfig is what the chat's end of every plugin has in common. How the process is started is left to the caller. OnPanic is
// deferred on what runs beside it.
func ClientConfig(onPanic func()) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  Handshake,
		Plugins:          plugin.PluginSet{Name: &glue{onPanic: onPanic}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  DialOptions(),
	}
}

// ServeConfig serves e in a plugin process.
func ServeConfig(e hook.Extender) *plugin.ServeConfig {
	return &plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{Name: &glue{extender: e}},
		GRPCServer:      NewServer,
	}
}

// DialOptions are those of the chat's connection to a plugin.
func DialOptions() []grpc.DialOption {
	return append(dialOptions(maxFromPlugin, maxFromChat), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(newCareful())))
}

// NewServer makes the server of a plugin.
func NewServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts, serverOptions(maxFromChat, maxFromPlugin)...)...)
}

// newHostServer makes the server of the chat.
func newHostServer(opts []grpc.ServerOption) *grpc.Server {
	opts = append(opts, serverOptions(maxFromPlugin, maxFromChat)...)
	return grpc.NewServer(append(opts, grpc.MaxConcurrentStreams(maxCalls), grpc.ForceServerCodecV2(newCareful()))...)
}

func serverOptions(receive, send int) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(receive), grpc.MaxSendMsgSize(send), grpc.MaxHeaderListSize(maxHeaders),
		grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window),
	}
}

func dialOptions(receive, send int) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(receive), grpc.MaxCallSendMsgSize(send)),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithStaticStreamWindowSize(window), grpc.WithStaticConnWindowSize(window),
	}
}
