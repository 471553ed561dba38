package store

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged means that the file, or the part of it that was asked for, is not what was written. Other parts may still
	// be read.
	ErrDamaged = errors.New("store is damaged")

	// ErrReadOnly means that a write could not be completed, and that none will be tried again until the store is opened
	// anew. It wraps the first cause. Reads go on.
	ErrReadOnly = errors.New("store is read-only")

	// ErrNewer means that the file was written by a later version.
	ErrNewer = errors.New("store needs a newer opentalk")

	// ErrClosed is the answer to everything after Close.
	ErrClosed = errors.New("store is closed")

	// ErrNoRound means that the round was never added or was removed.
	ErrNoRound = errors.New("no such round")

	// ErrExists means that the round or the block is there already.
	ErrExists = errors.New("already stored")

	// ErrWrecks means that as many damaged files are kept beside the store as may be.
	ErrWrecks = errors.New("too many damaged stores")

	// ErrTooBig means that a value exceeds [MaxValue] or a name [MaxName], or that a name is empty.
	ErrTooBig = errors.New("exceeds a limit of the store")
)

// InUseError says that another process, or this one, has the store open.
type InUseError struct {
	Path string
	PID  int // 0 when the holder could not be told
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("store %q is in use by another process", e.Path)
	}
	return fmt.Sprintf("store %q is in use by process %d", e.Path, e.PID)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// CheckValue returns ErrTooBig if value cannot be stored.
func CheckValue(value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes %w of %d", len(value), ErrTooBig, MaxValue)
	}
	return nil
}

// CheckName returns ErrTooBig if name cannot be a setting's.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("name of %d bytes %w of 1 to %d", len(name), ErrTooBig, MaxName)
	}
	return nil
}

// refused reports whether err is about the call and not about the store: nothing was changed, and the transaction goes on.
func refused(err error) bool {
	return errors.Is(err, ErrNoRound) || errors.Is(err, ErrExists) || errors.Is(err, ErrTooBig)
}
