package shell

import (
	"fmt"
	"slices"
	"strings"
)

// notify is how a mention draws attention: the key of that name in config.toml.
type notify string

const (
	notifyBell notify = "bell"
	notifyOSC9 notify = "osc9" // asks the terminal to show it outside of its window, too
	notifyOff  notify = "off"
)

// others is what becomes of messages of other rounds than the current one, for whoever types: the key of that name.
type others string

const (
	othersCount  others = "count" // in the prompt; mentions are shown
	othersInline others = "inline"
)

// parseChoice reads a value that is one of a few words.
func parseChoice[T ~string](value string, choices ...T) (T, error) {
	if slices.Contains(choices, T(value)) {
		return T(value), nil
	}
	return "", faultf(errValue, "%q is none of %s", value, strings.Trim(fmt.Sprint(choices), "[]"))
}

// lookAgain has the screen go by the settings as they are now.
func (s *Shell) lookAgain() {
	if v, ok := s.view.(*screen); ok {
		v.inline, v.notify = s.opts.Others == othersInline, s.opts.Notify
	}
}
