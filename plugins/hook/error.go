package hook

import "fmt"

// Code says what kind of thing went wrong. A code that a side does not know is [CodeFailed].
type Code string

// The codes.
const (
	CodeFailed   Code = "failed"
	CodeDenied   Code = "denied"    // a capability is not granted, or not registered
	CodeNotFound Code = "not-found" // no such round, extension, timer
	CodeInvalid  Code = "invalid"   // the argument cannot be right
	CodeTooBig   Code = "too-big"   // a limit of this package
	CodeTooMuch  Code = "too-much"  // more than may be asked for in that time
	CodeDropped  Code = "dropped"   // an outgoing filter has dropped the message, or a required one has failed
	CodeLoop     Code = "loop"      // what set this off was set off by an extension, more than [MaxDepth] deep
	CodeClosed   Code = "closed"    // the chat, or the plugin, ends
	CodeVersion  Code = "version"   // the other side is older or newer, and does not know what it was asked
)

// Codes lists all of them.
func Codes() []Code {
	return []Code{
		CodeFailed, CodeDenied, CodeNotFound, CodeInvalid, CodeTooBig, CodeTooMuch, CodeDropped, CodeLoop, CodeClosed,
		CodeVersion,
	}
}

// Error is how a call of the host fails, and what an extension may return to have its text shown as it is.
type Error struct {
	Code Code
	Text string // one line, without the code
	Hint string // what to do about it; may be empty
}

func (e *Error) Error() string { return e.Text }

// Errorf makes an error of a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Is reports whether target is an error of the same code and, if target has one, of the same text.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Text == "" || t.Text == e.Text)
}
