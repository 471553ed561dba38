package shell

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// maxLog is the size from which on a log of the home is begun anew at the next start, the old one kept beside it.
const maxLog = 4 << 20

// level is how much is logged.
func (o Options) level(interactive bool) slog.Level {
	level := slog.LevelInfo
	if o.Log == "" && !interactive {
		level = slog.LevelWarn
	}
	if o.LogLevel != "" {
		level.UnmarshalText([]byte(o.LogLevel)) // checked when it was set
	}
	return level
}

// openLog returns where diagnostics go. They never reach the screen of the chat: with a prompt they go to a file, otherwise
// to stderr. slog quotes what is not printable, so they do no harm to a terminal either.
func openLog(o Options, p paths, interactive bool, stderr io.Writer, level slog.Leveler) (*slog.Logger, io.Closer, error) {
	opts := &slog.HandlerOptions{Level: level}
	if o.Log == "" && !interactive {
		return slog.New(slog.NewTextHandler(stderr, opts)), nopCloser{}, nil
	}
	file := o.Log
	if file == "" {
		file = p.log()
		if os.MkdirAll(p.data, 0o700) != nil {
			return slog.New(slog.DiscardHandler), nopCloser{}, nil // the engine says what is wrong with the home
		}
		if info, err := os.Stat(file); err == nil && info.Size() > maxLog {
			os.Rename(file, file+".old")
		}
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	switch {
	case err != nil && o.Log == "":
		return slog.New(slog.DiscardHandler), nopCloser{}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %w", errLog, err)
	}
	return slog.New(slog.NewTextHandler(f, opts)), f, nil
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

// logName is where diagnostics go, for people.
func (o Options) logName(p paths, interactive bool) string {
	switch {
	case o.Log != "":
		return o.Log
	case interactive:
		return p.log()
	}
	return "stderr"
}
