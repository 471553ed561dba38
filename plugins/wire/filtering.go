package wire

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// filtering is the chat's end of the call in which a plugin is asked to decide, one item after the other. It is made when it
// is needed, and again when the plugin has ended it.
type filtering struct {
	client  pb.PluginClient
	onPanic func()

	mu      sync.Mutex
	current *talk
}

// talk is one such call.
type talk struct {
	stream  pb.Plugin_FilterClient
	sending sync.Mutex

	mu      sync.Mutex
	waiting map[uint64]chan<- decision // by the number of the request; nil when the call is over
	over    error                      // why
}

type decision struct {
	reply *pb.FilterReply
	err   error
}

// ask returns with ctx at the latest, unless the plugin takes no more: then it returns when the connection ends.
func (f *filtering) ask(ctx context.Context, request *pb.FilterRequest) (*pb.FilterReply, error) {
	t, err := f.open()
	if err != nil {
		return nil, err
	}
	answer, err := t.send(request)
	if err != nil {
		return nil, err
	}
	select {
	case d := <-answer:
		return d.reply, d.err
	case <-ctx.Done():
		t.take(request.GetCall())
		return nil, ctx.Err()
	}
}

// open returns the call that is under way.
func (f *filtering) open() (*talk, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil && !f.current.ended() {
		return f.current, nil
	}
	stream, err := f.client.Filter(context.Background()) // it ends with the connection
	if err != nil {
		return nil, err
	}
	f.current = &talk{stream: stream, waiting: map[uint64]chan<- decision{}}
	go f.current.listen(f.onPanic)
	return f.current, nil
}

func (t *talk) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over != nil
}

func (t *talk) send(request *pb.FilterRequest) (<-chan decision, error) {
	answer := make(chan decision, 1)
	t.mu.Lock()
	if t.over != nil {
		t.mu.Unlock()
		return nil, t.over
	}
	t.waiting[request.GetCall()] = answer
	t.mu.Unlock()
	t.sending.Lock()
	defer t.sending.Unlock()
	t.stream.Send(request) // if the call is over, listen hears why
	return answer, nil
}

// take returns who waits for the answer to a request, who then does no longer: nil if that is nobody.
func (t *talk) take(call uint64) chan<- decision {
	t.mu.Lock()
	defer t.mu.Unlock()
	answer := t.waiting[call]
	delete(t.waiting, call)
	return answer
}

// listen hands out answers. One that nobody waits for comes too late.
func (t *talk) listen(onPanic func()) {
	defer onPanic()
	for {
		reply, err := t.stream.Recv()
		if err != nil {
			t.end(err)
			return
		}
		if answer := t.take(reply.GetCall()); answer != nil {
			answer <- decision{reply, failureOf(reply)}
		}
	}
}

func (t *talk) end(err error) {
	if err == io.EOF {
		err = status.Error(codes.Unknown, "the plugin decides on nothing any more")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, answer := range t.waiting {
		answer <- decision{nil, err}
	}
	t.waiting, t.over = nil, err
}

// failureOf is what an answer has in place of a verdict.
func failureOf(r *pb.FilterReply) error {
	if r.GetStatus() == 0 {
		return nil
	}
	return status.Error(codes.Code(uint32(r.GetStatus())), r.GetMessage())
}

// Filter is the plugin's end: it decides on each item aside, so that one that takes long keeps no other waiting.
func (s *pluginServer) Filter(stream pb.Plugin_FilterServer) error {
	var sending sync.Mutex
	var deciding sync.WaitGroup
	defer deciding.Wait()
	for {
		request, err := stream.Recv()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		deciding.Go(func() {
			reply := s.decide(stream.Context(), request)
			sending.Lock()
			defer sending.Unlock()
			stream.Send(reply) // if the call is over, nobody waits for it
		})
	}
}

func (s *pluginServer) decide(ctx context.Context, r *pb.FilterRequest) *pb.FilterReply {
	if ms := r.GetWithinMs(); ms > 0 {
		within, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
		defer cancel()
		ctx = within
	}
	item := hook.Item{Stage: hook.Stage(r.GetStage()), Round: r.GetRound(), Line: r.GetLine()}
	if r.GetOut() != nil {
		item.Out = outgoingIn(r.GetOut())
	}
	if r.GetMessage() != nil {
		item.Message = messageIn(r.GetMessage())
	}
	verdict, err := s.extender.Filter(answering(ctx, r.GetCall()), targetIn(r.GetTo()), item)
	if err == nil {
		err = verdict.Check(item.Stage)
	}
	reply := verdictOut(verdict)
	if err != nil {
		failed := status.Convert(errorOut(err))
		reply = &pb.FilterReply{Status: int32(failed.Code()), Message: failed.Message()}
	}
	reply.Call = r.GetCall()
	return reply
}
