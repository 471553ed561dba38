package plugins

import (
	"sync"
	"time"

	"opentalk/plugins/hook"
)

// timers are those of one extension.
type timers struct {
	onPanic func()

	mu      sync.Mutex
	all     map[string]*timer
	stopped bool
}

type timer struct{ clock *time.Timer }

// set starts a timer, in place of one of the same name, or takes that away. fire is called whenever it is due.
func (t *timers) set(s hook.TimerSetting, fire func(hook.Timer)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return hook.Errorf(hook.CodeClosed, "the extension has ended")
	}
	old := t.all[s.Name]
	first := s.After
	if first == 0 {
		first = s.Every
	}
	if old == nil && first != 0 && len(t.all) >= hook.MaxTimers {
		return hook.Errorf(hook.CodeTooBig, "%d timers exceed the limit of %d", len(t.all)+1, hook.MaxTimers)
	}
	if old != nil {
		old.clock.Stop()
		delete(t.all, s.Name)
	}
	if first == 0 {
		return nil
	}
	if t.all == nil {
		t.all = map[string]*timer{}
	}
	mine := &timer{}
	mine.clock = time.AfterFunc(first, func() { t.due(s, mine, fire) })
	t.all[s.Name] = mine
	return nil
}

func (t *timers) due(s hook.TimerSetting, mine *timer, fire func(hook.Timer)) {
	defer t.onPanic()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[s.Name] != mine {
		return
	}
	if s.Every > 0 {
		mine.clock.Reset(s.Every)
	} else {
		delete(t.all, s.Name)
	}
	fire(hook.Timer{Name: s.Name, Due: time.Now()})
}

func (t *timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for _, mine := range t.all {
		mine.clock.Stop()
	}
	t.all = nil
}
