package sdktest

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"opentalk/plugins/hook"
)

// What extensions keep: storage and timers.

func (h *host) Get(_ context.Context, from, key string) (value []byte, err error) {
	err = cmp.Or(hook.CheckKey(key), h.c.in(from, hook.CanStore, "", func(*round) error {
		value = bytes.Clone(h.c.storage[from][key])
		return nil
	}))
	return value, err
}

func (h *host) Set(_ context.Context, from, key string, value []byte) error {
	if err := cmp.Or(hook.CheckKey(key), hook.CheckValue(value)); err != nil {
		return err
	}
	return h.c.in(from, hook.CanStore, "", func(*round) error {
		size := len(key) + len(value)
		for k, v := range h.c.storage[from] {
			if k != key {
				size += len(k) + len(v)
			}
		}
		if size > hook.MaxStorage {
			return hook.Errorf(hook.CodeTooBig, "storage of %d bytes exceeds the limit of %d", size, hook.MaxStorage)
		}
		if h.c.storage[from] == nil {
			h.c.storage[from] = map[string][]byte{}
		}
		h.c.storage[from][key] = append([]byte{}, value...)
		return nil
	})
}

func (h *host) Delete(_ context.Context, from, key string) error {
	return cmp.Or(hook.CheckKey(key), h.c.in(from, hook.CanStore, "", func(*round) error {
		delete(h.c.storage[from], key)
		return nil
	}))
}

func (h *host) Keys(_ context.Context, from, prefix string) (keys []string, err error) {
	err = h.c.in(from, hook.CanStore, "", func(*round) error {
		for _, k := range slices.Sorted(maps.Keys(h.c.storage[from])) {
			if strings.HasPrefix(k, prefix) {
				keys = append(keys, k)
			}
		}
		return nil
	})
	return keys, err
}

type timerKey struct{ extension, name string }

type timer struct {
	due   time.Time
	every time.Duration
}

func (h *host) SetTimer(_ context.Context, from string, t hook.TimerSetting) error {
	if err := t.Check(); err != nil {
		return err
	}
	return h.c.in(from, "", "", func(*round) error {
		key := timerKey{from, t.Name}
		delete(h.c.timers, key)
		if t.After == 0 && t.Every == 0 {
			return nil
		}
		n := 0
		for k := range h.c.timers {
			if k.extension == from {
				n++
			}
		}
		if n == hook.MaxTimers {
			return hook.Errorf(hook.CodeTooBig, "more than %d timers", hook.MaxTimers)
		}
		h.c.timers[key] = &timer{due: h.c.now.Add(cmp.Or(t.After, t.Every)), every: t.Every}
		return nil
	})
}

// fire moves the clock to the first timer that is due until end, and lets it happen; without one, to end.
func (c *Chat) fire(end time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first timerKey
	var next *timer
	for key, t := range c.timers {
		earlier := next == nil || t.due.Before(next.due) ||
			t.due.Equal(next.due) && cmp.Or(cmp.Compare(key.extension, first.extension), cmp.Compare(key.name, first.name)) < 0
		if !t.due.After(end) && earlier {
			first, next = key, t
		}
	}
	if next == nil {
		c.now = end
		return false
	}
	c.now = next.due
	c.happened = append(c.happened, happening{
		ctx: context.Background(), event: hook.Timer{Name: first.name, Due: next.due}, only: first.extension,
	})
	if next.every == 0 {
		delete(c.timers, first)
	} else {
		next.due = next.due.Add(next.every)
	}
	return true
}
