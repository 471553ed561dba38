package shell

import "fmt"

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

func (o *Options) setNotify(value *string) error {
	if value == nil {
		return nil
	}
	switch n := notify(*value); n {
	case notifyBell, notifyOSC9, notifyOff:
		o.Notify = n
		return nil
	}
	return fmt.Errorf("notify: %q is none of bell, osc9 and off", *value)
}

func (o *Options) setOthers(value *string) error {
	if value == nil {
		return nil
	}
	switch w := others(*value); w {
	case othersCount, othersInline:
		o.Others = w
		return nil
	}
	return fmt.Errorf("others: %q is neither count nor inline", *value)
}
