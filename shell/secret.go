package shell

import (
	"regexp"
	"strings"
	"sync"

	"opentalk/shell/line"
)

// Patterns of secrets: an invite, what may be a mistyped round id, a round id, and the password of a proxy.
var (
	inviteText = pattern(`(?i)opentalk:[a-z2-7]+`)
	longHex    = pattern(`[0-9a-fA-F]{32,}`)
	idHex      = pattern(`[0-9a-fA-F]{64,}`)
	password   = pattern(`(://[^\s/@:]*):[^\s/@]+@`)
)

// pattern compiles when it is first needed: nothing is done before main.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// redact returns text with what may be the secret of a round taken out: an error must not carry one to a log or a screen
// that is shared.
func redact(text string) string {
	text = inviteText().ReplaceAllString(text, "opentalk:…")
	text = password().ReplaceAllString(text, "$1:…@")
	return idHex().ReplaceAllString(text, "…")
}

// carriesSecret reports whether a line must not be an argument, where every user of the machine can read it.
func carriesSecret(text string) bool {
	if inviteText().MatchString(text) {
		return true
	}
	name, rest, isCommand := splitCommand(text)
	if !isCommand {
		return false
	}
	c := lookup(name)
	return idHex().MatchString(text) || password().MatchString(text) || c != nil && c.secret && rest != ""
}

// pastedInvite reports whether a message is most likely an invite that was meant for /join.
func pastedInvite(text string) bool {
	if !strings.Contains(text, ":") {
		return false // it is asked of every line, and the pattern takes longer
	}
	trimmed := strings.TrimSpace(text)
	at := inviteText().FindStringIndex(trimmed)
	return at != nil && (at[0] == 0 || trimmed[0] == '/')
}

// keep says which lines the editor keeps: commands in the history file, messages only until the end of the session, and
// what may hold a secret, however mistyped, nowhere.
func keep(text string) line.Keep {
	name, rest, isCommand := splitCommand(text)
	c := lookup(name)
	switch {
	case inviteText().MatchString(text), isCommand && longHex().MatchString(text), isCommand && password().MatchString(text), c != nil && c.secret && rest != "":
		return line.Forget
	case isCommand && c != nil && !c.text:
		return line.Record
	}
	return line.Recall
}
