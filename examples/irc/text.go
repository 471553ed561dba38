package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircfmt"
	"github.com/ergochat/irc-go/ircmsg"
)

// What others have written is foreign: it reaches a client as text and as nothing else.

// lines makes lines for IRC of a text of several: each safe, none empty, since IRC has no empty message.
func lines(text string) []string {
	broken := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	all := strings.Split(strings.TrimRight(broken, "\n"), "\n")
	for i, line := range all {
		if all[i] = strings.TrimRight(clean(line), " "); all[i] == "" {
			all[i] = " "
		}
	}
	return all
}

// clean leaves out whatever would be more than text in one line: control characters, among them those of formatting and
// CTCP, and what changes the direction of writing.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', turns(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// turns reports whether a character does nothing but change the direction of what follows.
func turns(r rune) bool {
	return r == '\u061C' || r == '\u200E' || r == '\u200F' || r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// typed is what a client has sent, without the formatting that other members could not see.
func typed(s string) string { return clean(ircfmt.Strip(s)) }

// wrap cuts a line into parts of at most limit bytes, where words end if it can, and never within a character.
func wrap(line string, limit int) []string {
	var parts []string
	for len(line) > limit {
		part := ircmsg.TruncateUTF8Safe(line, limit)
		rest := line[len(part):]
		if at := strings.LastIndexByte(line[:len(part)+1], ' '); at > limit/2 {
			part, rest = line[:at], line[at+1:]
		}
		parts, line = append(parts, part), rest
	}
	return append(parts, line)
}

// nickOf makes a handle into something that is a nick in IRC.
func nickOf(handle string) string {
	nick := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_[]\\^{}|`", r) {
			return r
		}
		return '_'
	}, handle)
	if first, _ := utf8.DecodeRuneInString(nick); nick == "" || first == '-' || unicode.IsDigit(first) {
		nick = "_" + nick
	}
	return ircmsg.TruncateUTF8Safe(nick, maxNick)
}

// channelOf makes the name of a round into that of a channel.
func channelOf(round string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == ',' || r == ':' || r == '*' || r == '?' {
			return '-'
		}
		return r
	}, clean(round))
	return ircmsg.TruncateUTF8Safe("#"+name, maxChannel)
}

// clientOf makes what a client calls itself into a part of a key.
func clientOf(user string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, user)
	if name == "" {
		return "client"
	}
	return name[:min(len(name), maxClient)]
}

// quote is what a reply repeats of what a client has said, as one parameter.
func quote(s string) string { return ircmsg.TruncateUTF8Safe(word(s), maxQuote) }

// word is a text as one parameter.
func word(s string) string {
	s = strings.ReplaceAll(clean(s), " ", "_")
	if s == "" || s[0] == ':' {
		s = "*" + s
	}
	return s
}

// fold is equal of names that are the same to a client.
func fold(name string) string { return strings.ToLower(name) }
