package plugins

import (
	"time"

	"opentalk/plugins/hook"
)

// strikes are the last failures of an extension.
type strikes struct{ at []time.Time }

// add counts a failure and reports whether there are now [hook.Strikes] within [hook.StrikeWindow].
func (s *strikes) add(now time.Time) bool {
	s.at = append(s.at, now)
	if len(s.at) > hook.Strikes {
		s.at = s.at[len(s.at)-hook.Strikes:]
	}
	return len(s.at) == hook.Strikes && now.Sub(s.at[0]) <= hook.StrikeWindow
}
