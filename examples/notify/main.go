// Notify is a plugin that tells the rest of the machine when somebody names you: it runs a command, writes to a file or a
// socket, or posts to a webhook, whichever are set. "/notify" tries it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

func main() { sdk.Serve(newPlugin()) }

// patience is how long any way of telling may take.
const patience = 5 * time.Second

// settings are those of plugin.toml.
type settings struct {
	Command []string `json:"command"`
	File    string   `json:"file"`
	Socket  string   `json:"socket"`
	Webhook string   `json:"webhook"`
}

// note is what is told.
type note struct {
	Title string `json:"title"`
	Text  string `json:"message"`
}

type notifier struct{ settings settings }

func newPlugin() sdk.Plugin {
	n := &notifier{}
	return sdk.Plugin{
		Name: "notify", Version: "1.0.0", Description: "tells the rest of the machine when somebody names you",
		Start: func(_ context.Context, chat *sdk.Host) error { return chat.Config(&n.settings) },
		Events: []sdk.Event{sdk.On(func(ctx context.Context, _ *sdk.Host, e hook.MentionEvent) error {
			if e.Message.From.Own {
				return nil
			}
			return n.tell(ctx, note{Title: e.Message.From.Handle + " in " + e.Message.Round, Text: e.Message.Text})
		})},
		Commands: []sdk.Command{{
			Name: "notify", Usage: "[TEXT]", Help: "tries how you are told of your name",
			Run: func(ctx context.Context, _ *sdk.Host, call hook.Call) ([]string, error) {
				err := n.tell(ctx, note{Title: "opentalk", Text: call.Line})
				if err != nil {
					return nil, &hook.Error{Code: hook.CodeInvalid, Text: err.Error(), Hint: "the settings of the plugin say how to tell you"}
				}
				return []string{"told"}, nil
			},
		}},
	}
}

// tell tells in every way that is set.
func (n *notifier) tell(ctx context.Context, what note) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var errs error
	for _, way := range []struct {
		set  bool
		tell func(context.Context, note) error
	}{
		{len(n.settings.Command) > 0, n.run},
		{n.settings.File != "", n.write},
		{n.settings.Socket != "", n.send},
		{n.settings.Webhook != "", n.post},
	} {
		if way.set {
			errs = errors.Join(errs, way.tell(ctx, what))
		}
	}
	return errs
}

// run hands the note to the command in its environment: it is foreign text, and no shell or option parser should see it. A NUL,
// which an environment cannot hold, is left out.
func (n *notifier) run(ctx context.Context, what note) error {
	cmd := exec.CommandContext(ctx, n.settings.Command[0], n.settings.Command[1:]...)
	plain := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
	cmd.Env = append(os.Environ(), "OPENTALK_TITLE="+plain(what.Title), "OPENTALK_TEXT="+plain(what.Text))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w %s", n.settings.Command[0], err, out)
	}
	return nil
}

func (n *notifier) write(_ context.Context, what note) error {
	f, err := os.OpenFile(n.settings.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(what.line())
	return errors.Join(err, f.Close())
}

func (n *notifier) send(ctx context.Context, what note) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", n.settings.Socket)
	if err != nil {
		return err
	}
	_, err = conn.Write(what.line())
	return errors.Join(err, conn.Close())
}

func (n *notifier) post(ctx context.Context, what note) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.settings.Webhook, bytes.NewReader(what.line()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s", n.settings.Webhook, response.Status)
	}
	return nil
}

// line is the note as one line of JSON.
func (w note) line() []byte {
	text, _ := json.Marshal(w) // strings always can
	return append(text, '\n')
}
