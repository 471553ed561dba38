package wire

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"opentalk/plugins/hook"
)

// statusOf says which gRPC status stands for a code: one that comes near, each once, so that an author in any language can
// use it without more.
var statusOf = map[hook.Code]codes.Code{
	hook.CodeFailed:   codes.Unknown,
	hook.CodeDenied:   codes.PermissionDenied,
	hook.CodeNotFound: codes.NotFound,
	hook.CodeInvalid:  codes.InvalidArgument,
	hook.CodeTooBig:   codes.OutOfRange,
	hook.CodeTooMuch:  codes.ResourceExhausted,
	hook.CodeDropped:  codes.Aborted,
	hook.CodeLoop:     codes.FailedPrecondition,
	hook.CodeClosed:   codes.Unavailable,
	hook.CodeVersion:  codes.Unimplemented,
}

var codeOf = func() map[codes.Code]hook.Code {
	m := map[codes.Code]hook.Code{}
	for code, s := range statusOf {
		m[s] = code
	}
	return m
}()

// errorOut makes a status of an error. The first line of its message is the text, the second the hint.
func errorOut(err error) error {
	if err == nil {
		return nil
	}
	var e *hook.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	default:
		e = &hook.Error{Code: hook.CodeFailed, Text: err.Error()}
	}
	code, ok := statusOf[e.Code]
	if !ok {
		code = codes.Unknown
	}
	message := line(e.Text, hook.MaxError)
	if e.Hint != "" {
		message += "\n" + line(e.Hint, hook.MaxNote)
	}
	return status.Error(code, message)
}

// errorIn makes an error of a status. A code that stands for none is [hook.CodeFailed].
func errorIn(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.Code() == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	code, ok := codeOf[s.Code()]
	if !ok {
		code = hook.CodeFailed
	}
	first, hint, _ := strings.Cut(s.Message(), "\n")
	return &hook.Error{Code: code, Text: line(first, hook.MaxError), Hint: line(hint, hook.MaxNote)}
}

// line makes one line of s that is not longer than limit.
func line(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit-len("…")] + "…"
	}
	return text(strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(s)))
}

// text is s as it may cross.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(all []string) []string { return each(all, text) }

// each maps a list; none stays none.
func each[A, B any](all []A, f func(A) B) []B {
	if len(all) == 0 {
		return nil
	}
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = f(a)
	}
	return out
}
