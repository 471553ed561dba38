package wire_test

import (
	"cmp"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire"
	"opentalk/plugins/wire/pb"
)

// rude is a plugin that no SDK has written.
type rude struct {
	pb.UnimplementedPluginServer
	start  *pb.StartReply
	run    *pb.RunReply
	filter *pb.FilterReply
	words  *pb.CompleteReply
	err    error
	hostID uint32
}

func (r *rude) Start(_ context.Context, q *pb.StartRequest) (*pb.StartReply, error) {
	r.hostID = q.GetHostId()
	return r.start, r.err
}

func (r *rude) Run(context.Context, *pb.RunRequest) (*pb.RunReply, error) { return r.run, r.err }

func (r *rude) Filter(stream pb.Plugin_FilterServer) error {
	for {
		q, err := stream.Recv()
		if err := cmp.Or(err, r.err); err != nil {
			return err
		}
		r.filter.Call = q.GetCall()
		stream.Send(r.filter)
	}
}

func (r *rude) Complete(context.Context, *pb.CompleteRequest) (*pb.CompleteReply, error) {
	return r.words, r.err
}

// hostBroker keeps the server of the chat, for a plugin to talk to without the SDK.
type hostBroker struct {
	hosts chan *grpc.ClientConn
	t     *testing.T
}

func (b *hostBroker) NextId() uint32 { return 7 }

func (b *hostBroker) AcceptAndServe(_ uint32, newServer func([]grpc.ServerOption) *grpc.Server) {
	b.hosts <- serve(b.t, newServer(nil))
}

func (b *hostBroker) DialWithOptions(uint32, ...grpc.DialOption) (*grpc.ClientConn, error) {
	return nil, errors.New("not in the chat")
}

// serve returns a connection to s with the given options.
func serve(t *testing.T, s *grpc.Server, opts ...grpc.DialOption) *grpc.ClientConn {
	l := bufconn.Listen(1 << 20)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:x", append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
	if err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func rudePlugin(t *testing.T, p pb.PluginServer) (hook.Extender, *hostBroker) {
	s := grpc.NewServer()
	pb.RegisterPluginServer(s, p)
	b := &hostBroker{t: t, hosts: make(chan *grpc.ClientConn, 1)}
	return wire.NewExtender(serve(t, s, wire.DialOptions()...), b, func() {}), b
}

func code(err error) hook.Code {
	var e *hook.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// TestGarbageIsAFault: whatever a plugin answers, the chat gets an error that says so, or what it can use of it.
func TestGarbageIsAFault(t *testing.T) {
	r := &rude{}
	e, _ := rudePlugin(t, r)
	ctx := t.Context()
	start := func() error {
		_, err := e.Start(ctx, hello, &host{})
		return err
	}
	run := func() error {
		_, err := e.Run(ctx, hook.Call{})
		return err
	}
	complete := func() error {
		_, err := e.Complete(ctx, hook.Completion{})
		return err
	}
	filter := func() error {
		_, err := e.Filter(ctx, hook.Target{}, hook.Item{Stage: hook.StageIncoming})
		return err
	}
	extension := func(e *pb.Extension) *pb.StartReply {
		return &pb.StartReply{Version: hook.Version, Registration: &pb.Registration{Extensions: []*pb.Extension{e}}}
	}
	many := func(n int) []string { return make([]string, n) }
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		rude rude
		call func() error
		want hook.Code
	}{
		"no version":           {rude{start: &pb.StartReply{}}, start, hook.CodeVersion},
		"a newer version":      {rude{start: &pb.StartReply{Version: hook.Version + 1}}, start, hook.CodeVersion},
		"no name":              {rude{start: extension(&pb.Extension{})}, start, hook.CodeInvalid},
		"a name with escapes":  {rude{start: extension(&pb.Extension{Name: "\x1b[2J"})}, start, hook.CodeInvalid},
		"a long name":          {rude{start: extension(&pb.Extension{Name: strings.Repeat("x", hook.MaxName+1)})}, start, hook.CodeInvalid},
		"an unknown need":      {rude{start: extension(&pb.Extension{Name: "x", Needs: []string{"root"}})}, start, hook.CodeInvalid},
		"handler 0":            {rude{start: extension(&pb.Extension{Name: "x", Observes: []*pb.Observer{{Kind: "message"}}})}, start, hook.CodeInvalid},
		"an unknown stage":     {rude{start: extension(&pb.Extension{Name: "x", Filters: []*pb.Filter{{Handler: 1, Stage: "sideways"}}})}, start, hook.CodeInvalid},
		"required, but shown":  {rude{start: extension(&pb.Extension{Name: "x", Filters: []*pb.Filter{{Handler: 1, Stage: "render", Required: true}}})}, start, hook.CodeInvalid},
		"too many handlers":    {rude{start: extension(&pb.Extension{Name: "x", Observes: make([]*pb.Observer, hook.MaxHandlers+1)})}, start, hook.CodeTooBig},
		"too many lines":       {rude{run: &pb.RunReply{Lines: many(hook.MaxLines + 1)}}, run, hook.CodeTooBig},
		"a long line":          {rude{run: &pb.RunReply{Lines: []string{long[:hook.MaxLine+1]}}}, run, hook.CodeTooBig},
		"a long answer":        {rude{run: &pb.RunReply{Lines: []string{long}}}, run, hook.CodeTooMuch},
		"too many candidates":  {rude{words: &pb.CompleteReply{Candidates: many(hook.MaxCandidates + 1)}}, complete, hook.CodeTooBig},
		"a long text":          {rude{filter: &pb.FilterReply{Action: "rewrite", Text: long[:hook.MaxText+1]}}, filter, hook.CodeTooBig},
		"an unknown action":    {rude{filter: &pb.FilterReply{Action: "explode"}}, filter, hook.CodeInvalid},
		"nothing":              {rude{err: status.Error(codes.Internal, "\xff\x1b]0;x\a\nhint\nmore")}, run, hook.CodeFailed},
		"an end of its own":    {rude{err: status.Error(codes.Canceled, "never mind")}, run, hook.CodeFailed},
		"no such call":         {rude{err: status.Error(codes.Unimplemented, "?")}, filter, hook.CodeVersion},
		"a long error":         {rude{err: status.Error(codes.NotFound, long[:60<<10])}, run, hook.CodeNotFound},
		"a very long error":    {rude{err: status.Error(codes.NotFound, long)}, run, hook.CodeFailed},
		"too many extensions":  {rude{start: &pb.StartReply{Version: hook.Version, Registration: &pb.Registration{Extensions: make([]*pb.Extension, hook.MaxExtensions+1)}}}, start, hook.CodeTooBig},
		"an event of tomorrow": {rude{start: extension(&pb.Extension{Name: "x", Observes: []*pb.Observer{{Handler: 1, Kind: "reaction"}}})}, start, ""},
		"nothing at all":       {rude{start: &pb.StartReply{Version: hook.Version}}, start, ""},
		"no verdict":           {rude{filter: &pb.FilterReply{}}, filter, ""},
	} {
		r.start, r.run, r.filter, r.words, r.err = c.rude.start, c.rude.run, c.rude.filter, c.rude.words, c.rude.err
		err := c.call()
		if code(err) != c.want || c.want == "" && err != nil {
			t.Errorf("%s: %v (%s), want %q", name, err, code(err), c.want)
		}
		var e *hook.Error
		if errors.As(err, &e) && (len(e.Text) > hook.MaxError || strings.Contains(e.Text, "\n")) {
			t.Errorf("%s: the error has %d bytes", name, len(e.Text))
		}
	}
}

// TestWhatPluginsAskForIsBounded: what exceeds a limit never reaches the host, whoever has written the plugin.
func TestWhatPluginsAskForIsBounded(t *testing.T) {
	h := &host{}
	e, broker := rudePlugin(t, &rude{start: &pb.StartReply{Version: hook.Version}})
	if _, err := e.Start(t.Context(), hello, h); err != nil {
		t.Fatal(err)
	}
	client := pb.NewHostClient(<-broker.hosts)
	ctx := t.Context()
	long := strings.Repeat("x", hook.MaxValue+1)
	for name, call := range map[string]func() error{
		"Register": func() error {
			_, err := client.Register(ctx, &pb.RegisterRequest{Registration: &pb.Registration{Extensions: []*pb.Extension{{}}}})
			return err
		},
		"Send": func() error {
			_, err := client.Send(ctx, &pb.SendRequest{Message: &pb.Outgoing{Text: long}})
			return err
		},
		"Send, nothing": func() error {
			_, err := client.Send(ctx, &pb.SendRequest{})
			return err
		},
		"Print":      func() error { _, err := client.Print(ctx, &pb.PrintRequest{Text: long}); return err },
		"Notify":     func() error { _, err := client.Notify(ctx, &pb.NotifyRequest{Text: long}); return err },
		"Peers":      func() error { _, err := client.Peers(ctx, &pb.PeersRequest{Round: long}); return err },
		"Members":    func() error { _, err := client.Members(ctx, &pb.MembersRequest{Round: long}); return err },
		"History":    func() error { _, err := client.History(ctx, &pb.HistoryRequest{Limit: 1 << 30}); return err },
		"SetNick":    func() error { _, err := client.SetNick(ctx, &pb.SetNickRequest{Handle: long}); return err },
		"SetTopic":   func() error { _, err := client.SetTopic(ctx, &pb.SetTopicRequest{Topic: long}); return err },
		"Join":       func() error { _, err := client.Join(ctx, &pb.JoinRequest{Invite: long}); return err },
		"Leave":      func() error { _, err := client.Leave(ctx, &pb.LeaveRequest{Round: long}); return err },
		"Get":        func() error { _, err := client.Get(ctx, &pb.GetRequest{}); return err },
		"Set, value": func() error { _, err := client.Set(ctx, &pb.SetRequest{Key: "k", Value: []byte(long)}); return err },
		"Set, key":   func() error { _, err := client.Set(ctx, &pb.SetRequest{Key: long}); return err },
		"Delete":     func() error { _, err := client.Delete(ctx, &pb.DeleteRequest{Key: long}); return err },
		"Keys":       func() error { _, err := client.Keys(ctx, &pb.KeysRequest{Prefix: long}); return err },
		"SetTimer":   func() error { _, err := client.SetTimer(ctx, &pb.SetTimerRequest{Name: "t", EveryMs: 1}); return err },
		"SetTimer, -": func() error {
			_, err := client.SetTimer(ctx, &pb.SetTimerRequest{Name: "t", AfterMs: -1 << 63})
			return err
		},
		"SetTimer, +": func() error {
			_, err := client.SetTimer(ctx, &pb.SetTimerRequest{Name: "t", AfterMs: 1<<63 - 1})
			return err
		},
		"Log": func() error { _, err := client.Log(ctx, &pb.LogRequest{Text: long}); return err },
		"Log, far too much": func() error {
			_, err := client.Log(ctx, &pb.LogRequest{Text: strings.Repeat("x", 2<<20)})
			return err
		},
	} {
		err := call()
		if s := status.Code(err); s != codes.InvalidArgument && s != codes.OutOfRange && s != codes.ResourceExhausted {
			t.Errorf("%s: %v", name, err)
		}
		if h.method != "" {
			t.Fatalf("%s has reached the host", name)
		}
	}
	if _, err := client.Log(ctx, &pb.LogRequest{Level: "shout", Text: "x"}); err != nil || h.args[1] != any(hook.LevelInfo) {
		t.Errorf("a level that is not known is logged as %v, %v", h.args, err)
	}
}

// TestManySmallPartsAreRefused before they are made: a megabyte of empty handlers would be a hundred in memory.
func TestManySmallPartsAreRefused(t *testing.T) {
	r := &rude{start: &pb.StartReply{Version: hook.Version, Registration: &pb.Registration{}}}
	for range 500_000 {
		r.start.Registration.Extensions = append(r.start.Registration.Extensions, &pb.Extension{})
	}
	e, _ := rudePlugin(t, r)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := e.Start(t.Context(), hello, &host{})
	runtime.ReadMemStats(&after)
	if code(err) != hook.CodeFailed {
		t.Fatalf("500,000 extensions: %v", err)
	}
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 40 {
		t.Errorf("refusing them took %d MiB", grown)
	}
}

// TestAnotherVersionIsTold by whichever side notices.
func TestAnotherVersionIsTold(t *testing.T) {
	remote := connect(t, &plugin{})
	old := hello
	old.Version--
	_, err := remote.Start(t.Context(), old, &host{})
	same(t, "what a newer plugin says", err, &hook.Error{
		Code: hook.CodeVersion, Text: "the plugin was made for version 1 of the plugin contract, this opentalk has version 0",
		Hint: "a newer opentalk is needed, or an older plugin",
	})
	e, _ := rudePlugin(t, &rude{start: &pb.StartReply{}})
	_, err = e.Start(t.Context(), hello, &host{})
	same(t, "what is said of an older plugin", err, &hook.Error{
		Code: hook.CodeVersion, Text: "the plugin was made for version 0 of the plugin contract, this opentalk has version 1",
		Hint: "a newer plugin is needed, or an older opentalk",
	})
}

// TestPluginsMayLackWhatTheyDoNotNeed: one that has nothing to do at its end, or gets an event of a newer chat.
func TestPluginsMayLackWhatTheyDoNotNeed(t *testing.T) {
	e, _ := rudePlugin(t, &rude{})
	if err := e.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	p := &plugin{err: errors.New("it was called")}
	s := wire.NewServer(nil)
	wire.Serve(s, p, nil)
	client := pb.NewPluginClient(serve(t, s))
	request := &pb.ObserveRequest{To: &pb.Target{Extension: "x", Handler: 1}}
	request.ProtoReflect().SetUnknown([]byte{0xfa, 0x7f, 1, 'x'}) // field 2047: an event of tomorrow
	if _, err := client.Observe(t.Context(), request); err != nil {
		t.Errorf("an event that is not known: %v", err)
	}
}
