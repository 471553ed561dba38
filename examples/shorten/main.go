// Shorten is a plugin that makes long messages of others short on the screen, and takes what follows people around out of their links.
// "/full" shows the last one that was shortened as it was written.
package main

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

func main() { sdk.Serve(newPlugin()) }

// settings are those of plugin.toml.
type settings struct {
	Lines int // how many of a message are shown
}

// shortener keeps what was last shortened.
type shortener struct {
	settings settings
	mu       sync.Mutex
	last     string
}

func newPlugin() sdk.Plugin {
	s := &shortener{}
	return sdk.Plugin{
		Name: "shorten", Version: "1.0.0", Description: "shows long messages short, and links without their trackers",
		Start: func(_ context.Context, chat *sdk.Host) error {
			err := chat.Config(&s.settings)
			if err == nil && s.settings.Lines < 1 {
				err = hook.Errorf(hook.CodeInvalid, "config: lines is %d; at least 1", s.settings.Lines)
			}
			return err
		},
		Commands: []sdk.Command{{Name: "full", Help: "shows the last message that was shortened", Run: s.full}},
		Filters:  []sdk.Filter{{Stage: hook.StageIncoming, Decide: s.shorten}},
	}
}

func (s *shortener) full(context.Context, *sdk.Host, hook.Call) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == "" {
		return nil, hook.Errorf(hook.CodeNotFound, "nothing was shortened")
	}
	return strings.Split(s.last, "\n"), nil
}

func (s *shortener) shorten(_ context.Context, _ *sdk.Host, item hook.Item) (hook.Verdict, error) {
	text := links.ReplaceAllStringFunc(item.Message.Text, withoutTrackers)
	if lines := strings.Split(text, "\n"); len(lines) > s.settings.Lines {
		text = strings.Join(lines[:s.settings.Lines], "\n") + " […]"
	}
	if text == item.Message.Text {
		return sdk.Pass, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = item.Message.Text
	return sdk.Rewrite(text), nil
}

var links = regexp.MustCompile(`https?://[^\s<>"]+`)

// trackers are parameters that say where a link was found, and change nothing about where it leads.
var trackers = []string{"fbclid", "gclid", "igshid", "mc_cid", "mc_eid", "msclkid"}

func withoutTrackers(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return link
	}
	pairs := strings.Split(u.RawQuery, "&")
	u.RawQuery = strings.Join(slices.DeleteFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "utm_") || slices.Contains(trackers, name)
	}), "&")
	return u.String()
}
