package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"opentalk/plugins/hook"
)

// Host is what the chat does for the plugin: [hook.Host], bound to the plugin's name. It may be kept, and used from any
// goroutine until Stop.
type Host struct {
	host  hook.Host
	hello hook.Hello
}

// Hello returns what the plugin was told at its start.
func (h *Host) Hello() hook.Hello { return h.hello }

// Config decodes the configuration, [hook.Hello.Config], into v, a pointer to a struct with a field for each key.
func (h *Host) Config(v any) error { return decodeConfig(h.hello.Config, v) }

// ConfigNow is Config as the person has changed it since. It takes a call of the chat, so it is not for Start.
func (h *Host) ConfigNow(ctx context.Context, v any) error {
	config, err := h.host.Config(ctx, h.hello.Name)
	if err != nil {
		return err
	}
	return decodeConfig(config, v)
}

func decodeConfig(config json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return hook.Errorf(hook.CodeInvalid, "config: %v", err)
	}
	return nil
}

// Send says something in a round. Needs [hook.CanSend].
func (h *Host) Send(ctx context.Context, round, text string) (hook.MessageID, error) {
	return h.SendMessage(ctx, hook.Outgoing{Round: round, Text: text})
}

// Speak says what a person has typed in another program, for which the plugin speaks. Needs [hook.CanSpeak], too.
func (h *Host) Speak(ctx context.Context, round, text string, form hook.Form) (hook.MessageID, error) {
	return h.SendMessage(ctx, hook.Outgoing{Round: round, Text: text, Form: form, Person: true})
}

// SendMessage is Send, in another form.
func (h *Host) SendMessage(ctx context.Context, m hook.Outgoing) (hook.MessageID, error) {
	return h.host.Send(ctx, h.hello.Name, m)
}

// Reply says something where m was said.
func (h *Host) Reply(ctx context.Context, m hook.Message, text string) (hook.MessageID, error) {
	return h.Send(ctx, m.Tag, text)
}

// Print shows text to the person, in a round or, if that is "", wherever they are.
func (h *Host) Print(ctx context.Context, round, text string) error {
	return h.host.Print(ctx, h.hello.Name, round, text)
}

// Notify draws attention. Needs [hook.CanNotify].
func (h *Host) Notify(ctx context.Context, text string) error {
	return h.host.Notify(ctx, h.hello.Name, text)
}

// Me returns who runs the chat.
func (h *Host) Me(ctx context.Context) (hook.Self, error) { return h.host.Me(ctx, h.hello.Name) }

// Rounds returns the rounds that the chat is in.
func (h *Host) Rounds(ctx context.Context) ([]hook.Round, error) {
	return h.host.Rounds(ctx, h.hello.Name)
}

// Peers returns the devices that there is a link to.
func (h *Host) Peers(ctx context.Context, round string) ([]hook.Peer, error) {
	return h.host.Peers(ctx, h.hello.Name, round)
}

// Members returns who is in a round.
func (h *Host) Members(ctx context.Context, round string) ([]hook.Member, error) {
	return h.host.Members(ctx, h.hello.Name, round)
}

// History reads what was said. Needs [hook.CanHistory].
func (h *Host) History(ctx context.Context, q hook.Query) ([]hook.Message, error) {
	return h.host.History(ctx, h.hello.Name, q)
}

// SetNick changes the own handle in a round. It, SetTopic, Join and Leave need [hook.CanManage].
func (h *Host) SetNick(ctx context.Context, round, handle string) error {
	return h.host.SetNick(ctx, h.hello.Name, round, handle)
}

// SetTopic changes the topic of a round.
func (h *Host) SetTopic(ctx context.Context, round, topic string) error {
	return h.host.SetTopic(ctx, h.hello.Name, round, topic)
}

// Join enters the round of an invite.
func (h *Host) Join(ctx context.Context, invite string) (hook.Round, error) {
	return h.host.Join(ctx, h.hello.Name, invite)
}

// Leave says goodbye for good.
func (h *Host) Leave(ctx context.Context, round string) error {
	return h.host.Leave(ctx, h.hello.Name, round)
}

// Get returns what is stored under a key, nil if nothing is. The storage needs [hook.CanStore].
func (h *Host) Get(ctx context.Context, key string) ([]byte, error) {
	return h.host.Get(ctx, h.hello.Name, key)
}

// Set stores a value.
func (h *Host) Set(ctx context.Context, key string, value []byte) error {
	return h.host.Set(ctx, h.hello.Name, key, value)
}

// Delete forgets a key.
func (h *Host) Delete(ctx context.Context, key string) error {
	return h.host.Delete(ctx, h.hello.Name, key)
}

// Keys returns the keys that begin with prefix, sorted.
func (h *Host) Keys(ctx context.Context, prefix string) ([]string, error) {
	return h.host.Keys(ctx, h.hello.Name, prefix)
}

// Load decodes what [Host.Save] has stored under a key into v, a pointer. It leaves v as it is if there is nothing.
func (h *Host) Load(ctx context.Context, key string, v any) error {
	value, err := h.Get(ctx, key)
	if err != nil || value == nil {
		return err
	}
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("reading %q from the storage: %w", key, err)
	}
	return nil
}

// Save stores v, as JSON.
func (h *Host) Save(ctx context.Context, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return h.Set(ctx, key, value)
}

// SetTimer has a [hook.Timer] event follow.
func (h *Host) SetTimer(ctx context.Context, t hook.TimerSetting) error {
	return h.host.SetTimer(ctx, h.hello.Name, t)
}

// Logger writes to the plugin's log, which "/plugin log" shows.
func (h *Host) Logger() *slog.Logger { return slog.New(&logHandler{host: h}) }
