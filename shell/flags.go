package shell

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

// Version is what --version tells.
const Version = "0.1.0"

// Options is how a shell was asked to be: the flags, and config.toml for what they leave open.
type Options struct {
	Home         string
	Listen       []string
	Handle       string
	Proxy        string
	PassphraseFD int // 0: none
	Round        string
	Lines        []string // to be run first
	JSON         bool
	Headless     bool
	Wait         time.Duration
	Color        term.Mode
	Log          string
	LogLevel     string // "" for the usual one
	History      int    // lines shown of what one has read, on entering a round
	Forget       bool   // the commands that were typed
	Notify       notify
	Others       others

	help, version bool
	given         []string // flags, by name: these win over config.toml
}

// flag is one entry of the table that parsing and --help are made of.
type flag struct {
	name, arg, help string
	set             func(o *Options, value string) error
}

// flags lists the flags in the order in which --help shows them. One without arg takes no value.
var flags = []flag{
	{"--home", "DIR", "keep everything in DIR (default: the usual data and config folders)", func(o *Options, v string) error {
		o.Home = v
		return notEmpty(v)
	}},
	{"--listen", "ADDR", "host:port, unix:PATH, or none; repeatable (default: port 7654, or the next free one)",
		func(o *Options, v string) error {
			o.Listen = append(o.Listen, v)
			return notEmpty(v)
		}},
	{"--proxy", "URL", "dial through socks5://[user:pass@]host:port; with a password rather in config.toml",
		func(o *Options, v string) error {
			o.Proxy = v
			return checkProxy(v)
		}},
	{"--handle", "NAME", "what others see you as (default: the login name)", func(o *Options, v string) error {
		o.Handle = v
		return notEmpty(v)
	}},
	{"--round", "NAME", "the round to start in (default: the last used)", func(o *Options, v string) error {
		o.Round = v
		return notEmpty(v)
	}},
	{"-e", "LINE", "run LINE first; repeatable; pipe what carries a secret instead", addLine},
	{"--json", "", "write events as JSON Lines", func(o *Options, _ string) error {
		o.JSON = true
		return nil
	}},
	{"--headless", "", "no prompt, no input: stay until SIGTERM", func(o *Options, _ string) error {
		o.Headless = true
		return nil
	}},
	{"--wait", "DURATION", "at the end of input: how long to wait for delivery (default 10s)",
		func(o *Options, v string) (err error) {
			o.Wait, err = parseWait(v)
			return err
		}},
	{"--color", "WHEN", "auto, always or never (default auto)", func(o *Options, v string) (err error) {
		o.Color, err = term.ParseMode(v)
		return err
	}},
	{"--log", "FILE", "where diagnostics go (default: opentalk.log in the home, stderr when there is no prompt)",
		func(o *Options, v string) error {
			o.Log = v
			return notEmpty(v)
		}},
	{"--log-level", "LEVEL", "debug, info, warn or error (default info, on stderr warn)", func(o *Options, v string) error {
		o.LogLevel = v
		return checkLevel(v)
	}},
	{"--passphrase-fd", "N", "read the passphrase of a sealed secrets file from this descriptor", func(o *Options, v string) error {
		n, err := number(v, 1<<16)
		if err != nil || n < 3 {
			return faultf(errValue, "%q is not a descriptor of 3 or more", v)
		}
		o.PassphraseFD = n
		return nil
	}},
	{"--version", "", "print the version", func(o *Options, _ string) error {
		o.version = true
		return nil
	}},
	{"--help", "", "print this", func(o *Options, _ string) error {
		o.help = true
		return nil
	}},
}

// Parse reads the arguments after the program's name. Its errors are for [Refuse].
func Parse(args []string) (Options, error) {
	o := Options{Wait: 10 * time.Second, History: 20, Notify: notifyBell, Others: othersCount}
	for len(args) > 0 {
		name, value, hasValue := strings.Cut(args[0], "=")
		if !strings.HasPrefix(name, "-") || name == "-" || name == "--" {
			return o, faultf(errArity, "unexpected argument %q", redact(args[0])).but("opentalk takes flags only; see opentalk --help")
		}
		f, err := findFlag(name)
		if err != nil {
			return o, err
		}
		args = args[1:]
		switch {
		case f.arg == "" && hasValue:
			return o, faultf(errValue, "%s takes no value", f.name)
		case f.arg != "" && !hasValue:
			if len(args) == 0 {
				return o, faultf(errArity, "%s needs a value: %s %s", f.name, f.name, f.arg)
			}
			value, args = args[0], args[1:]
		}
		if err := f.set(&o, value); err != nil {
			if code(err).Name != codes[len(codes)-1].Name {
				return o, err
			}
			return o, faultf(errValue, "%s: %v", f.name, err)
		}
		o.given = append(o.given, f.name)
	}
	return o, nil
}

func findFlag(name string) (flag, error) {
	if name == "-h" || name == "-help" {
		name = "--help"
	}
	var names []string
	for _, f := range flags {
		if f.name == name {
			return f, nil
		}
		names = append(names, f.name)
	}
	err := faultf(errUnknownFlag, "unknown flag %q", redact(name))
	if near := nearest(name, names); near != "" {
		return flag{}, err.but("did you mean %s? opentalk --help lists the flags", near)
	}
	return flag{}, err
}

// Answer returns what to print and be done for --help and --version.
func (o Options) Answer() (text string, done bool) {
	switch {
	case o.help:
		return usage(), true
	case o.version:
		return "opentalk " + Version + "\n", true
	}
	return "", false
}

func (o Options) isGiven(flag string) bool { return slices.Contains(o.given, flag) }

func usage() string {
	var b strings.Builder
	b.WriteString("opentalk is a group chat without a server.\n\nusage: opentalk [flags]\n" +
		"       opentalk plugin new NAME --sdk DIR    lays out a plugin in Go; DIR is the source tree of opentalk\n\n")
	for _, f := range flags {
		fmt.Fprintf(&b, "  %-17s %s\n", strings.TrimSpace(f.name+" "+f.arg), f.help)
	}
	b.WriteString("\nWith a pipe for input, each line is a message, or a command if it begins with a slash.\n" +
		"In the chat, /help lists the commands.\n")
	return b.String()
}

// Refuse writes what is wrong with the arguments and returns the exit status.
func Refuse(w io.Writer, err error) int {
	r := newReport(err, 0)
	fmt.Fprintf(w, "error: %s\nhint:  %s\n", term.CleanLine(r.text), term.CleanLine(r.hint))
	return statusUsage
}

func addLine(o *Options, line string) error {
	if carriesSecret(line) {
		return faultf(errSecretArgument, "-e: the line carries a secret")
	}
	o.Lines = append(o.Lines, line)
	return nil
}

func checkProxy(value string) error {
	if err := engine.CheckProxy(value); err != nil {
		return faultf(errValue, "%v", err)
	}
	return nil
}

func notEmpty(value string) error {
	if value == "" {
		return faultf(errValue, "the value is empty")
	}
	return nil
}

func parseWait(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, faultf(errValue, "%q is not a duration", value).but("write it as 30s, 5m or 0")
	}
	return d, nil
}

func checkLevel(value string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(value)); err != nil || strings.ContainsAny(value, "+-") {
		return faultf(errValue, "%q is none of debug, info, warn, error", value)
	}
	return nil
}
