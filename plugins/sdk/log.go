package sdk

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"opentalk/plugins/hook"
)

// logHandler hands each record to the chat as one text. with applies what WithAttrs and WithGroup have been given.
type logHandler struct {
	host *Host
	with func(slog.Handler) slog.Handler
}

func (l *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (l *logHandler) Handle(ctx context.Context, r slog.Record) error {
	var buf bytes.Buffer
	var h slog.Handler = slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: onlyAttrs})
	if l.with != nil {
		h = l.with(h)
	}
	if err := h.Handle(ctx, r); err != nil {
		return err
	}
	text := strings.TrimSpace(r.Message + " " + strings.TrimSpace(buf.String()))
	return l.host.host.Log(ctx, l.host.hello.Name, level(r.Level), text)
}

// onlyAttrs leaves out what the chat adds itself.
func onlyAttrs(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

func (l *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.and(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (l *logHandler) WithGroup(name string) slog.Handler {
	return l.and(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (l *logHandler) and(next func(slog.Handler) slog.Handler) slog.Handler {
	before := l.with
	return &logHandler{host: l.host, with: func(h slog.Handler) slog.Handler {
		if before != nil {
			h = before(h)
		}
		return next(h)
	}}
}

func level(l slog.Level) hook.Level {
	switch {
	case l < slog.LevelInfo:
		return hook.LevelDebug
	case l < slog.LevelWarn:
		return hook.LevelInfo
	case l < slog.LevelError:
		return hook.LevelWarn
	}
	return hook.LevelError
}
