package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"opentalk/engine"
)

// What can go wrong in the shell itself, for errors.Is.
var (
	errUnknownCommand = errors.New("unknown command")
	errUnknownFlag    = errors.New("unknown flag")
	errUnknownKey     = errors.New("unknown key")
	errConfig         = errors.New("config.toml cannot be read")
	errValue          = errors.New("value cannot be used")
	errArity          = errors.New("wrong number of arguments")
	errSecretArgument = errors.New("a secret in an argument")
	errSecretText     = errors.New("an invite in a message")
	errUnknownRound   = errors.New("unknown round")
	errLog            = errors.New("log cannot be written")
	errOutput         = errors.New("output cannot be written")
	errDropped        = errors.New("dropped by a filter")
	errExtensions     = errors.New("an extension refuses")
	errExtensionOff   = errors.New("an extension was turned off")
)

// Code is how a kind of error is told to programs and to people. The names are a promise: they never change their meaning.
type Code struct {
	Name string // in the event "error"
	Hint string // what to do about it; an error may bring a better one of its own

	usage bool // it is in how opentalk was called: status 2
	is    []error
}

// codes is the one table of errors. The first entry that fits wins.
var codes = []Code{
	{Name: "unknown-command", is: is(errUnknownCommand),
		Hint: "/help lists the commands; //text sends text that begins with a slash"},
	{Name: "unknown-flag", is: is(errUnknownFlag), Hint: "opentalk --help lists the flags", usage: true},
	{Name: "unknown-key", is: is(errUnknownKey), Hint: "/set lists the keys of config.toml", usage: true},
	{Name: "bad-config", is: is(errConfig), Hint: "mend the file, or move it away: opentalk runs without one", usage: true},
	{Name: "bad-value", is: is(errValue), Hint: "opentalk --help and /help COMMAND show what can be given"},
	{Name: "arity", is: is(errArity), Hint: "/help COMMAND shows what it takes"},
	{Name: "secret-argument", is: is(errSecretArgument), usage: true,
		Hint: "other users of this machine can read arguments: pipe the line instead, as in  opentalk < FILE"},
	{Name: "secret-in-text", is: is(errSecretText), Hint: "/join INVITE joins; /send TEXT sends it all the same"},
	{Name: "unknown-round", is: is(errUnknownRound), Hint: "/rounds lists the rounds"},
	{Name: "unknown-member", is: is(errUnknownMember, engine.ErrNoMember), Hint: "/members lists who is in this round"},
	{Name: "bad-topic", is: is(engine.ErrTopic), Hint: "a topic is one line of up to 512 characters"},
	{Name: "no-terminal", is: is(errNoTerminal), Hint: "start opentalk in a terminal and type it there"},
	{Name: "bad-invite", is: is(engine.ErrInvite),
		Hint: "ask for it again, and copy the whole word that begins with opentalk:"},
	{Name: "bad-address", is: is(engine.ErrAddress), Hint: "an address is HOST:PORT or unix:PATH, as in 192.0.2.7:7654"},
	{Name: "bad-name", is: is(engine.ErrName),
		Hint: "a name is 1 to 32 letters, digits or signs, with no space, ':' or '~' in it"},
	{Name: "too-long", is: is(engine.ErrTooLong), Hint: "a message is at most 8 KiB: send it in parts"},
	{Name: "not-utf8", is: is(engine.ErrNotText), Hint: "text is UTF-8; iconv converts from other encodings"},
	{Name: "empty", is: is(engine.ErrEmpty), Hint: "write something to send"},
	{Name: "already-joined", is: is(engine.ErrInRound),
		Hint: "/rounds lists the rounds that you are in, /switch NAME goes to one"},
	{Name: "no-round", is: is(engine.ErrNoRound), Hint: "/new NAME begins a round, /join INVITE enters one"},
	{Name: "too-many-rounds", is: is(engine.ErrTooMany), Hint: "a second home (--home DIR) holds more"},
	{Name: "proxy", is: is(engine.ErrProxy), Hint: "does the proxy run, and is --proxy right?"},
	{Name: "wrong-member", is: is(engine.ErrWrongMember),
		Hint: "somebody else answers there now, or you yourself: ask for a new invite"},
	{Name: "wrong-round", is: is(engine.ErrWrongRound),
		Hint: "what answers does not know this round: ask for a new invite, and that its sender's opentalk runs"},
	{Name: "not-opentalk", is: is(engine.ErrNotOpentalk), Hint: "another program listens there: check the address"},
	{Name: "refused", is: is(engine.ErrRefused), Hint: "nothing listens there: is opentalk running on the other side?"},
	{Name: "name-not-found", is: is(engine.ErrNotFound),
		Hint: "check the spelling of the host, and that this machine is online"},
	{Name: "no-network", is: is(engine.ErrNoRoute), Hint: "is this machine online, and in the same network?"},
	{Name: "timeout", is: is(engine.ErrTimeout, engine.ErrHandshake, context.DeadlineExceeded),
		Hint: "the other side is off, or a firewall is between: try again when somebody is there"},
	{Name: "hung-up", is: is(engine.ErrHungUp), Hint: "try again; if it happens again, the log of the other side tells why"},
	{Name: "port-taken", is: is(engine.ErrAddressTaken),
		Hint: "choose another --listen, or leave it out to have a free port found"},
	{Name: "home-in-use", is: is(engine.ErrHomeInUse),
		Hint: "one home, one opentalk: end the other, or give this one its own --home DIR"},
	{Name: "home-not-writable", is: is(engine.ErrHomeNotWritable), Hint: "choose a folder of your own with --home DIR"},
	{Name: "secrets-exposed", is: is(engine.ErrSecretsExposed),
		Hint: "chmod 600 the file; if others may have read it, make a new home"},
	{Name: "secrets-damaged", is: is(engine.ErrSecretsDamaged),
		Hint: "put back a copy of the file; without one, begin a new home: you are somebody new then"},
	{Name: "passphrase", is: is(engine.ErrPassphrase), Hint: "try again; a passphrase that is lost cannot be replaced"},
	{Name: "store-damaged", is: is(engine.ErrStoreDamaged),
		Hint: "start opentalk again, with room on the disk and few rounds.db.damaged files kept: it saves what can be read"},
	{Name: "read-only", is: is(engine.ErrReadOnly),
		Hint: "nothing more is stored: free some space, then start opentalk again"},
	{Name: "dropped", is: is(errDropped), Hint: "change it and send it again; /plugin info NAME tells what NAME does"},
	{Name: "extension", is: is(errExtensions), Hint: "/plugin list shows what runs; /plugin log NAME shows what NAME said"},
	{Name: "extension-off", is: is(errExtensionOff), Hint: "/plugin enable NAME tries it again"},
	{Name: "bad-file", is: is(errFile), Hint: "/export writes a new file, in the folder that opentalk was started in"},
	{Name: "log-not-writable", is: is(errLog), Hint: "choose another file with --log"},
	{Name: "output", is: is(errOutput), Hint: "what reads the output has gone, or the disk is full"},
	{Name: "interrupted", is: is(context.Canceled), Hint: "run it again when you like"},
	{Name: "closed", is: is(engine.ErrClosed), Hint: "start opentalk again"},
	{Name: "failed", Hint: "the log may tell more: /status shows where it is"},
}

func is(errs ...error) []error { return errs }

// Codes returns every code that an error can have, with the usual hint.
func Codes() []Code { return slices.Clone(codes) }

// code returns the entry for err, the last one if there is none of its own.
func code(err error) Code {
	for _, c := range codes {
		if slices.ContainsFunc(c.is, func(kind error) bool { return errors.Is(err, kind) }) {
			return c
		}
	}
	return codes[len(codes)-1]
}

// fault is an error of the shell's own: its kind, what is said, and a hint that fits better than the kind's.
type fault struct {
	kind       error
	text, hint string
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.kind }

// faultf makes a fault with the kind's usual hint.
func faultf(kind error, format string, args ...any) *fault {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...)}
}

// but sets the hint.
func (f *fault) but(format string, args ...any) *fault {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// report is an error as it is told: foreign text but for the code, and without secrets.
type report struct {
	code, text, hint string
	line             int // of the input, 0 if it comes from no line
	usage            bool
}

func newReport(err error, line int) report {
	c := code(err)
	r := report{code: c.Name, text: redact(err.Error()), hint: c.Hint, line: line, usage: c.usage}
	var f *fault
	if errors.As(err, &f) && f.hint != "" {
		r.hint = redact(f.hint)
	}
	return r
}
