package wire

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/grpc"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// hostServer serves host to a plugin, in the chat. Nothing that is asked for reaches host unless it is within the limits.
func hostServer(host hook.Host, calls *calls) func([]grpc.ServerOption) *grpc.Server {
	return func(opts []grpc.ServerOption) *grpc.Server {
		s := newHostServer(opts)
		pb.RegisterHostServer(s, &chatServer{host: host, calls: calls})
		return s
	}
}

// chatServer answers a plugin in the chat.
type chatServer struct {
	pb.UnimplementedHostServer
	host  hook.Host
	calls *calls
}

// from returns the context in which a call is answered and who has made it.
func (s *chatServer) from(ctx context.Context, f *pb.From) (context.Context, string) {
	return s.calls.resume(ctx, f.GetCall()), f.GetExtension()
}

// answer is what a call returns: reply, or what is wrong.
func answer[R any](reply R, err error) (R, error) {
	if err != nil {
		var none R
		return none, errorOut(err)
	}
	return reply, nil
}

func (s *chatServer) Register(ctx context.Context, r *pb.RegisterRequest) (*pb.RegisterReply, error) {
	all, err := registrationIn(r.GetRegistration())
	if err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.RegisterReply{}, s.host.Register(s.calls.resume(ctx, r.GetCall()), all))
}

func (s *chatServer) Config(ctx context.Context, r *pb.ConfigRequest) (*pb.ConfigReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	config, err := s.host.Config(ctx, from)
	return answer(&pb.ConfigReply{ConfigJson: text(string(config))}, err)
}

func (s *chatServer) Send(ctx context.Context, r *pb.SendRequest) (*pb.SendReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	m := outgoingIn(r.GetMessage())
	if err := m.Check(); err != nil {
		return nil, errorOut(err)
	}
	m.Auto = true
	id, err := s.host.Send(ctx, from, m)
	return answer(&pb.SendReply{Id: text(string(id))}, err)
}

func (s *chatServer) Print(ctx context.Context, r *pb.PrintRequest) (*pb.PrintReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := cmp.Or(hook.CheckNames(r.GetRound()), hook.CheckLine(r.GetText())); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.PrintReply{}, s.host.Print(ctx, from, r.GetRound(), r.GetText()))
}

func (s *chatServer) Notify(ctx context.Context, r *pb.NotifyRequest) (*pb.NotifyReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckLine(r.GetText()); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.NotifyReply{}, s.host.Notify(ctx, from, r.GetText()))
}

func (s *chatServer) Me(ctx context.Context, r *pb.MeRequest) (*pb.MeReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	self, err := s.host.Me(ctx, from)
	return answer(&pb.MeReply{Self: selfOut(self)}, err)
}

func (s *chatServer) Rounds(ctx context.Context, r *pb.RoundsRequest) (*pb.RoundsReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	rounds, err := s.host.Rounds(ctx, from)
	return answer(&pb.RoundsReply{Rounds: each(rounds, roundOut)}, err)
}

func (s *chatServer) Peers(ctx context.Context, r *pb.PeersRequest) (*pb.PeersReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckNames(r.GetRound()); err != nil {
		return nil, errorOut(err)
	}
	peers, err := s.host.Peers(ctx, from, r.GetRound())
	return answer(&pb.PeersReply{Peers: each(peers, peerOut)}, err)
}

func (s *chatServer) Members(ctx context.Context, r *pb.MembersRequest) (*pb.MembersReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckNames(r.GetRound()); err != nil {
		return nil, errorOut(err)
	}
	members, err := s.host.Members(ctx, from, r.GetRound())
	return answer(&pb.MembersReply{Members: each(members, memberOut)}, err)
}

func (s *chatServer) History(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	q := hook.Query{
		Round: r.GetRound(), Before: hook.Cursor(r.GetBefore()), After: hook.Cursor(r.GetAfter()), Limit: int(r.GetLimit()),
		Until: msIn(r.GetUntilMs()), Since: msIn(r.GetSinceMs()),
	}
	if err := q.Check(); err != nil {
		return nil, errorOut(err)
	}
	messages, err := s.host.History(ctx, from, q)
	return answer(&pb.HistoryReply{Messages: each(messages, messageOut)}, err)
}

func (s *chatServer) SetNick(ctx context.Context, r *pb.SetNickRequest) (*pb.SetNickReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckNames(r.GetRound(), r.GetHandle()); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.SetNickReply{}, s.host.SetNick(ctx, from, r.GetRound(), r.GetHandle()))
}

func (s *chatServer) SetTopic(ctx context.Context, r *pb.SetTopicRequest) (*pb.SetTopicReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := cmp.Or(hook.CheckNames(r.GetRound()), hook.CheckLine(r.GetTopic())); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.SetTopicReply{}, s.host.SetTopic(ctx, from, r.GetRound(), r.GetTopic()))
}

func (s *chatServer) Join(ctx context.Context, r *pb.JoinRequest) (*pb.JoinReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckLine(r.GetInvite()); err != nil {
		return nil, errorOut(err)
	}
	round, err := s.host.Join(ctx, from, r.GetInvite())
	return answer(&pb.JoinReply{Round: roundOut(round)}, err)
}

func (s *chatServer) Leave(ctx context.Context, r *pb.LeaveRequest) (*pb.LeaveReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckNames(r.GetRound()); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.LeaveReply{}, s.host.Leave(ctx, from, r.GetRound()))
}

func (s *chatServer) Get(ctx context.Context, r *pb.GetRequest) (*pb.GetReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckKey(r.GetKey()); err != nil {
		return nil, errorOut(err)
	}
	value, err := s.host.Get(ctx, from, r.GetKey())
	return answer(&pb.GetReply{Found: value != nil, Value: value}, err)
}

func (s *chatServer) Set(ctx context.Context, r *pb.SetRequest) (*pb.SetReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := cmp.Or(hook.CheckKey(r.GetKey()), hook.CheckValue(r.GetValue())); err != nil {
		return nil, errorOut(err)
	}
	value := r.GetValue()
	if value == nil {
		value = []byte{} // nil would be a key that is not there
	}
	return answer(&pb.SetReply{}, s.host.Set(ctx, from, r.GetKey(), value))
}

func (s *chatServer) Delete(ctx context.Context, r *pb.DeleteRequest) (*pb.DeleteReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckKey(r.GetKey()); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.DeleteReply{}, s.host.Delete(ctx, from, r.GetKey()))
}

func (s *chatServer) Keys(ctx context.Context, r *pb.KeysRequest) (*pb.KeysReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	if err := hook.CheckNames(r.GetPrefix()); err != nil {
		return nil, errorOut(err)
	}
	keys, err := s.host.Keys(ctx, from, r.GetPrefix())
	return answer(&pb.KeysReply{Keys: texts(keys)}, err)
}

func (s *chatServer) SetTimer(ctx context.Context, r *pb.SetTimerRequest) (*pb.SetTimerReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	t := timerIn(r.GetName(), r.GetAfterMs(), r.GetEveryMs())
	if err := t.Check(); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.SetTimerReply{}, s.host.SetTimer(ctx, from, t))
}

func (s *chatServer) Log(ctx context.Context, r *pb.LogRequest) (*pb.LogReply, error) {
	ctx, from := s.from(ctx, r.GetFrom())
	level := hook.Level(r.GetLevel())
	if !slices.Contains(hook.Levels(), level) {
		level = hook.LevelInfo
	}
	if err := hook.CheckLine(r.GetText()); err != nil {
		return nil, errorOut(err)
	}
	return answer(&pb.LogReply{}, s.host.Log(ctx, from, level, r.GetText()))
}
