package wire

import (
	"context"
	"encoding/json"

	"google.golang.org/grpc"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// pluginServer answers the chat in a plugin.
type pluginServer struct {
	pb.UnimplementedPluginServer
	extender hook.Extender
	broker   Broker
}

func (s *pluginServer) Start(ctx context.Context, r *pb.StartRequest) (*pb.StartReply, error) {
	if r.GetVersion() != hook.Version {
		return nil, errorOut(mismatch(int(r.GetVersion()), hook.Version))
	}
	conn, err := s.broker.DialWithOptions(r.GetHostId(), dialOptions(maxFromChat, maxFromPlugin)...)
	if err != nil {
		return nil, errorOut(err)
	}
	registration, err := s.start(ctx, r, conn)
	if err != nil {
		conn.Close()
		return nil, errorOut(err)
	}
	return &pb.StartReply{Version: hook.Version, Registration: registrationOut(registration)}, nil
}

func (s *pluginServer) start(ctx context.Context, r *pb.StartRequest, conn grpc.ClientConnInterface) (hook.Registration, error) {
	hello := hook.Hello{
		Version: int(r.GetVersion()), Chat: r.GetChat(), Name: r.GetName(), Config: json.RawMessage(r.GetConfigJson()),
		Self: selfIn(r.GetSelf()),
	}
	registration, err := s.extender.Start(answering(ctx, r.GetCall()), hello, &host{client: pb.NewHostClient(conn)})
	if err != nil {
		return hook.Registration{}, err
	}
	return registration, registration.Check()
}

func (s *pluginServer) Run(ctx context.Context, r *pb.RunRequest) (*pb.RunReply, error) {
	lines, err := s.extender.Run(answering(ctx, r.GetCall()), hook.Call{
		Target: targetIn(r.GetTo()), Round: r.GetRound(), Line: r.GetLine(), Args: r.GetArgs(), Person: r.GetPerson(),
	})
	if err == nil {
		err = hook.CheckLines(lines)
	}
	if err != nil {
		return nil, errorOut(err)
	}
	return &pb.RunReply{Lines: texts(lines)}, nil
}

func (s *pluginServer) Complete(ctx context.Context, r *pb.CompleteRequest) (*pb.CompleteReply, error) {
	words, err := s.extender.Complete(answering(ctx, r.GetCall()), hook.Completion{
		Target: targetIn(r.GetTo()), Round: r.GetRound(), Args: r.GetArgs(),
	})
	if err == nil {
		err = hook.CheckCandidates(words)
	}
	if err != nil {
		return nil, errorOut(err)
	}
	return &pb.CompleteReply{Candidates: texts(words)}, nil
}

func (s *pluginServer) Observe(ctx context.Context, r *pb.ObserveRequest) (*pb.ObserveReply, error) {
	e := event(r)
	if e == nil {
		return &pb.ObserveReply{}, nil
	}
	err := s.extender.Observe(answering(ctx, r.GetCall()), targetIn(r.GetTo()), e)
	if err != nil {
		return nil, errorOut(err)
	}
	return &pb.ObserveReply{}, nil
}

func (s *pluginServer) Stop(ctx context.Context, _ *pb.StopRequest) (*pb.StopReply, error) {
	if err := s.extender.Stop(ctx); err != nil {
		return nil, errorOut(err)
	}
	return &pb.StopReply{}, nil
}
