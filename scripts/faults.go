package scripts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

// fault is something that went wrong in a script.
type fault struct {
	text  string // one line, with file and line where there are any
	trace []string
	last  time.Time
	count int
}

// faults are the newest of a script. Each text is told to the person once, until the script is loaded anew.
type faults struct {
	mu  sync.Mutex
	all []fault // oldest first
}

// note counts an error, and reports whether it is new.
func (f *faults) note(now time.Time, text string, trace []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		if f.all[i].text == text {
			f.all[i].count++
			f.all[i].last = now
			return false
		}
	}
	f.all = append(f.all, fault{text, trace, now, 1})
	f.all = f.all[max(0, len(f.all)-maxFaults):]
	return true
}

func (f *faults) list() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fault(nil), f.all...)
}

// clear forgets all, because the script has new text.
func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = nil
}

// fault notes what has gone wrong, and has the log told of it, and the person if it is new. It returns what the chat is to be
// answered. An [hook.Error] is no fault: a script that refuses says so with one.
func (s *script) fault(err error) error { return s.note(err, true) }

// note is fault, and tells the person only if nobody else does.
func (s *script) note(err error, tell bool) error {
	var told *hook.Error
	if err == nil || errors.As(err, &told) {
		return err
	}
	text, trace := describe(s, err)
	isNew := s.faults.note(s.host.clock(), text, trace)
	s.errand(context.Background(), func(ctx context.Context, chat hook.Host, from string) error {
		chat.Log(ctx, from, hook.LevelError, strings.Join(append([]string{text}, trace...), "\n"))
		if isNew && tell {
			chat.Print(ctx, from, "", fmt.Sprintf("%s (/script errors %s shows more)", text, s.name))
		}
		return nil
	})
	return &hook.Error{Code: hook.CodeFailed, Text: text, Hint: "/script errors " + s.name + " shows more"}
}

// describe splits an error into one line and the traceback.
func describe(s *script, err error) (text string, trace []string) {
	var api *lua.ApiError
	switch {
	case errors.As(err, &api):
		text = api.Object.String()
		trace = tidy(api.StackTrace)
	default:
		text = err.Error()
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if !strings.HasPrefix(text, s.file()) {
		text = fmt.Sprintf("%s: %s", s.file(), text)
	}
	return text, trace
}

// tidy keeps what helps of gopher-lua's traceback.
func tidy(stack string) (lines []string) {
	for line := range strings.Lines(stack) {
		line = strings.TrimSpace(line)
		if line == "" || line == "stack traceback:" || strings.HasPrefix(line, "[G]") || strings.HasPrefix(line, "(...") {
			continue
		}
		if lines = append(lines, line); len(lines) == maxTrace {
			break
		}
	}
	return lines
}
