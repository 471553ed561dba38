// Package sdk is what the author of a plugin imports. A plugin is a program whose main calls [Serve] with what it wants to be
// called for:
//
//	func main() {
//		sdk.Serve(sdk.Plugin{
//			Name: "bell", Version: "1.0.0",
//			Needs:  []hook.Capability{hook.CanNotify},
//			Events: []sdk.Event{sdk.On(ring)},
//		})
//	}
//
//	func ring(ctx context.Context, chat *sdk.Host, e hook.MentionEvent) error {
//		return chat.Notify(ctx, e.Message.From.Handle+": "+e.Message.Text)
//	}
//
// When each handler is called, what its answer means and what happens if it fails is in HOOKS.md of package hook. Handlers of
// a plugin run at the same time as each other, but each of them only once at a time. A panic in a handler is an error of it
// and not the end of the plugin. Whatever a handler asks of the chat it should ask with the context that it was called with.
//
// Standard input belongs to the chat: the plugin ends when it does, and so does not outlive the chat. What is written to
// standard error goes to the plugin's log, as [Host.Logger] does.
//
// Package sdktest runs a plugin without a chat.
package sdk

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"

	"opentalk/plugins/hook"
)

// Plugin says what a plugin is and what it wants to be called for.
type Plugin struct {
	Name        string // that of its folder and its plugin.toml
	Version     string
	Description string
	Needs       []hook.Capability // those in plugin.toml, or some of them
	Commands    []Command
	Filters     []Filter
	Events      []Event

	// Start, if there is one, is called before everything else. It reads the configuration; the chat can be asked for nothing
	// yet, for which there is [hook.Started]. An error is told to the person, and nothing else is called.
	Start func(ctx context.Context, chat *Host) error
	// Stop, if there is one, is called when the chat or the plugin ends.
	Stop func(ctx context.Context) error
}

// Command is what a person can type: see [hook.Command].
type Command struct {
	Name, Usage, Help, Example string
	Min, Max                   int // arguments; Max 0 is any number

	// Run returns what is shown, line by line. An error that is a [*hook.Error] with a code other than [hook.CodeFailed] is
	// an answer to whoever gave the command; any other says that the plugin is broken.
	Run func(ctx context.Context, chat *Host, call hook.Call) (lines []string, err error)
	// Complete, if there is one, returns what may stand in place of the last word.
	Complete func(ctx context.Context, chat *Host, call hook.Completion) ([]string, error)
}

// Filter decides on what passes by: see [hook.Filter]. [Pass], [Rewrite] and [Drop] make its answers.
type Filter struct {
	Stage    hook.Stage
	Priority int
	Required bool
	Decide   func(ctx context.Context, chat *Host, item hook.Item) (hook.Verdict, error)
}

// Pass leaves an item as it is.
var Pass = hook.Verdict{}

// Rewrite puts text in place of the item's.
func Rewrite(text string) hook.Verdict { return hook.Verdict{Action: hook.Rewrite, Text: text} }

// Drop keeps an item from going on. The person is told why.
func Drop(reason string) hook.Verdict { return hook.Verdict{Action: hook.Drop, Reason: reason} }

// Event is a handler of something that happens, made by [On].
type Event struct {
	kind   hook.Kind
	source string
	handle func(ctx context.Context, chat *Host, e hook.Event) error
}

// On makes a handler of one kind of events: that which handle takes.
func On[E hook.Event](handle func(ctx context.Context, chat *Host, e E) error) Event {
	var zero E
	return Event{
		kind:   zero.Kind(),
		source: source(handle),
		handle: func(ctx context.Context, chat *Host, e hook.Event) error {
			got, ok := e.(E)
			if !ok {
				return fmt.Errorf("a handler of %q is told of %q", zero.Kind(), e.Kind())
			}
			return handle(ctx, chat, got)
		},
	}
}

// source returns the file and line where a function is defined.
func source(f any) string {
	v := reflect.ValueOf(f)
	if v.IsNil() {
		return ""
	}
	file, line := runtime.FuncForPC(v.Pointer()).FileLine(v.Pointer())
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}
