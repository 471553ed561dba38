package wire

import (
	"cmp"
	"context"
	"encoding/json"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// host is the chat as a plugin sees it.
type host struct{ client pb.HostClient }

func (h *host) Register(ctx context.Context, all hook.Registration) error {
	if err := all.Check(); err != nil {
		return err
	}
	_, err := h.client.Register(ctx, &pb.RegisterRequest{Call: callOf(ctx), Registration: registrationOut(all)})
	return errorIn(ctx, err)
}

func (h *host) Config(ctx context.Context, from string) (json.RawMessage, error) {
	reply, err := h.client.Config(ctx, &pb.ConfigRequest{From: fromOut(ctx, from)})
	return json.RawMessage(reply.GetConfigJson()), errorIn(ctx, err)
}

func (h *host) Send(ctx context.Context, from string, m hook.Outgoing) (hook.MessageID, error) {
	reply, err := h.client.Send(ctx, &pb.SendRequest{From: fromOut(ctx, from), Message: outgoingOut(m)})
	return hook.MessageID(reply.GetId()), errorIn(ctx, err)
}

func (h *host) Print(ctx context.Context, from, round, s string) error {
	_, err := h.client.Print(ctx, &pb.PrintRequest{From: fromOut(ctx, from), Round: text(round), Text: text(s)})
	return errorIn(ctx, err)
}

func (h *host) Notify(ctx context.Context, from, s string) error {
	_, err := h.client.Notify(ctx, &pb.NotifyRequest{From: fromOut(ctx, from), Text: text(s)})
	return errorIn(ctx, err)
}

func (h *host) Me(ctx context.Context, from string) (hook.Self, error) {
	reply, err := h.client.Me(ctx, &pb.MeRequest{From: fromOut(ctx, from)})
	return selfIn(reply.GetSelf()), errorIn(ctx, err)
}

func (h *host) Rounds(ctx context.Context, from string) ([]hook.Round, error) {
	reply, err := h.client.Rounds(ctx, &pb.RoundsRequest{From: fromOut(ctx, from)})
	return each(reply.GetRounds(), roundIn), errorIn(ctx, err)
}

func (h *host) Peers(ctx context.Context, from, round string) ([]hook.Peer, error) {
	reply, err := h.client.Peers(ctx, &pb.PeersRequest{From: fromOut(ctx, from), Round: text(round)})
	return each(reply.GetPeers(), peerIn), errorIn(ctx, err)
}

func (h *host) Members(ctx context.Context, from, round string) ([]hook.Member, error) {
	reply, err := h.client.Members(ctx, &pb.MembersRequest{From: fromOut(ctx, from), Round: text(round)})
	return each(reply.GetMembers(), memberIn), errorIn(ctx, err)
}

func (h *host) History(ctx context.Context, from string, q hook.Query) ([]hook.Message, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	reply, err := h.client.History(ctx, &pb.HistoryRequest{
		From: fromOut(ctx, from), Round: text(q.Round), Before: text(string(q.Before)), After: text(string(q.After)),
		UntilMs: msOut(q.Until), SinceMs: msOut(q.Since), Limit: int32(q.Limit),
	})
	return each(reply.GetMessages(), messageIn), errorIn(ctx, err)
}

func (h *host) SetNick(ctx context.Context, from, round, handle string) error {
	_, err := h.client.SetNick(ctx, &pb.SetNickRequest{From: fromOut(ctx, from), Round: text(round), Handle: text(handle)})
	return errorIn(ctx, err)
}

func (h *host) SetTopic(ctx context.Context, from, round, topic string) error {
	_, err := h.client.SetTopic(ctx, &pb.SetTopicRequest{From: fromOut(ctx, from), Round: text(round), Topic: text(topic)})
	return errorIn(ctx, err)
}

func (h *host) Join(ctx context.Context, from, invite string) (hook.Round, error) {
	reply, err := h.client.Join(ctx, &pb.JoinRequest{From: fromOut(ctx, from), Invite: text(invite)})
	return roundIn(reply.GetRound()), errorIn(ctx, err)
}

func (h *host) Leave(ctx context.Context, from, round string) error {
	_, err := h.client.Leave(ctx, &pb.LeaveRequest{From: fromOut(ctx, from), Round: text(round)})
	return errorIn(ctx, err)
}

func (h *host) Get(ctx context.Context, from, key string) ([]byte, error) {
	if err := hook.CheckKey(key); err != nil {
		return nil, err
	}
	reply, err := h.client.Get(ctx, &pb.GetRequest{From: fromOut(ctx, from), Key: key})
	switch {
	case err != nil:
		return nil, errorIn(ctx, err)
	case !reply.GetFound():
		return nil, nil
	case reply.GetValue() == nil:
		return []byte{}, nil
	}
	return reply.GetValue(), nil
}

func (h *host) Set(ctx context.Context, from, key string, value []byte) error {
	if err := cmp.Or(hook.CheckKey(key), hook.CheckValue(value)); err != nil {
		return err
	}
	_, err := h.client.Set(ctx, &pb.SetRequest{From: fromOut(ctx, from), Key: key, Value: value})
	return errorIn(ctx, err)
}

func (h *host) Delete(ctx context.Context, from, key string) error {
	if err := hook.CheckKey(key); err != nil {
		return err
	}
	_, err := h.client.Delete(ctx, &pb.DeleteRequest{From: fromOut(ctx, from), Key: key})
	return errorIn(ctx, err)
}

func (h *host) Keys(ctx context.Context, from, prefix string) ([]string, error) {
	reply, err := h.client.Keys(ctx, &pb.KeysRequest{From: fromOut(ctx, from), Prefix: text(prefix)})
	return reply.GetKeys(), errorIn(ctx, err)
}

func (h *host) SetTimer(ctx context.Context, from string, t hook.TimerSetting) error {
	if err := t.Check(); err != nil {
		return err
	}
	after, every := timerOut(t)
	_, err := h.client.SetTimer(ctx, &pb.SetTimerRequest{
		From: fromOut(ctx, from), Name: text(t.Name), AfterMs: after, EveryMs: every,
	})
	return errorIn(ctx, err)
}

func (h *host) Log(ctx context.Context, from string, level hook.Level, s string) error {
	_, err := h.client.Log(ctx, &pb.LogRequest{From: fromOut(ctx, from), Level: text(string(level)), Text: text(s)})
	return errorIn(ctx, err)
}
