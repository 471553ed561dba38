package wire_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// slow is a plugin that decides when it is told to: each item goes to items, and what comes from replies is answered.
type slow struct {
	pb.UnimplementedPluginServer
	items   chan *pb.FilterRequest
	replies chan *pb.FilterReply // nil ends the call
}

func (s *slow) Filter(stream pb.Plugin_FilterServer) error {
	go func() {
		for {
			q, err := stream.Recv()
			if err != nil {
				return
			}
			s.items <- q
		}
	}()
	for {
		select {
		case reply := <-s.replies:
			if reply == nil {
				return nil
			}
			stream.Send(reply)
		case <-stream.Context().Done():
			return nil
		}
	}
}

// TestDecisionsReachWhoAsked, in whatever order they come. One that is too late, comes twice or that nobody asked for harms no
// other, and when the plugin ends the call the next item makes a new one.
func TestDecisionsReachWhoAsked(t *testing.T) {
	s := &slow{items: make(chan *pb.FilterRequest, 100), replies: make(chan *pb.FilterReply, 100)}
	e, _ := rudePlugin(t, s)
	ask := func(ctx context.Context, line string) (hook.Verdict, error) {
		return e.Filter(ctx, hook.Target{Extension: "x", Handler: 1}, hook.Item{Stage: hook.StageInput, Line: line})
	}
	t.Run("in any order", func(t *testing.T) {
		const n = 20
		var asking sync.WaitGroup
		for i := range n {
			asking.Go(func() {
				line := fmt.Sprint("line ", i)
				if v, err := ask(t.Context(), line); err != nil || v.Text != line+"!" {
					t.Errorf("%q is answered with %q, %v", line, v.Text, err)
				}
			})
		}
		var all []*pb.FilterRequest
		for range n {
			all = append(all, <-s.items)
		}
		for i := range all {
			q := all[len(all)-1-i]
			reply := &pb.FilterReply{Call: q.GetCall(), Action: "rewrite", Text: q.GetLine() + "!"}
			s.replies <- &pb.FilterReply{Call: q.GetCall() + 1000}
			s.replies <- reply
			s.replies <- reply
		}
		asking.Wait()
	})
	t.Run("too late", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			q := <-s.items
			cancel()
			s.replies <- &pb.FilterReply{Call: q.GetCall(), Action: "drop"}
			q = <-s.items
			s.replies <- &pb.FilterReply{Call: q.GetCall()}
		}()
		if _, err := ask(ctx, "first"); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits any more: %v", err)
		}
		if v, err := ask(t.Context(), "second"); err != nil || v.Action != hook.Pass {
			t.Errorf("the one after: %+v, %v", v, err)
		}
	})
	t.Run("the end of the call", func(t *testing.T) {
		go func() {
			<-s.items
			s.replies <- nil
			q := <-s.items
			s.replies <- &pb.FilterReply{Call: q.GetCall()}
		}()
		if _, err := ask(t.Context(), "first"); code(err) != hook.CodeFailed {
			t.Errorf("the call ended: %v", err)
		}
		if v, err := ask(t.Context(), "second"); err != nil || v.Action != hook.Pass {
			t.Errorf("the one after: %+v, %v", v, err)
		}
	})
}
