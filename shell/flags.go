package shell

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
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
	Recall       bool   // the commands that were typed, at the next start
	Notify       notify
	Others       others

	// What config.toml has for extensions, by their names: [scripts.NAME] and [plugins.NAME].
	NoExtensions     bool
	Scripts, Plugins map[string]map[string]any

	help, version bool
	given         []string // flags, by name: these win over config.toml
	kept          []string // keys that config.toml sets
}

// option is one entry of the table that flags, --help, config.toml, /set and their completion are made of.
type option struct {
	flag, arg string // "" without a flag; one without arg takes no value
	key       string // in config.toml; "": only a flag
	kind      kind   // of the key's value; text if it is left out
	help      string
	set       func(o *Options, value string) error
	get       func(o Options) string // for people, "" if it is not set; of those with a key
	words     []string               // all values, if they are few
	now       func(*Shell)           // has a new value take effect; nil: the next start does
}

// options is the table, in the order in which --help and /set show it.
func options() []option {
	return slices.Concat(placeOptions(), runOptions(), lookOptions(), otherOptions())
}

func placeOptions() []option {
	return []option{
		{flag: "--home", arg: "DIR", help: "keep everything in DIR (default: the usual data and config folders)",
			set: func(o *Options, v string) error { o.Home = v; return notEmpty(v) }},
		{flag: "--listen", arg: "ADDR", key: "listen", kind: list,
			help: "host:port, unix:PATH, or none; repeatable (default: port 7654, or the next free one)",
			set:  func(o *Options, v string) error { o.Listen = append(o.Listen, v); return checkListen(v) },
			get:  func(o Options) string { return strings.Join(o.Listen, " ") }},
		{flag: "--proxy", arg: "URL", key: "proxy",
			help: "dial through socks5://[user:pass@]host:port; with a password rather in config.toml",
			set:  func(o *Options, v string) error { o.Proxy = v; return checkProxy(v) },
			get:  func(o Options) string { return hidePassword(o.Proxy) }},
		{flag: "--handle", arg: "NAME", key: "handle",
			help: "what others see you as in rounds to come (default: the login name)",
			set:  func(o *Options, v string) error { o.Handle = v; return notEmpty(v) },
			get:  func(o Options) string { return o.Handle }},
		{flag: "--round", arg: "NAME", key: "round", help: "the round to start in (default: the last used)",
			set: func(o *Options, v string) error { o.Round = v; return notEmpty(v) },
			get: func(o Options) string { return o.Round }},
	}
}

func runOptions() []option {
	return []option{
		{flag: "-e", arg: "LINE", help: "run LINE first; repeatable; pipe what carries a secret instead", set: addLine},
		{flag: "--json", help: "write events as JSON Lines",
			set: func(o *Options, _ string) error { o.JSON = true; return nil }},
		{flag: "--no-extensions", help: "no scripts, no plugins",
			set: func(o *Options, _ string) error { o.NoExtensions = true; return nil }},
		{flag: "--headless", help: "no prompt, no input: stay until SIGTERM",
			set: func(o *Options, _ string) error { o.Headless = true; return nil }},
		{flag: "--wait", arg: "DURATION", key: "wait", help: "at the end of input: how long to wait for delivery (default 10s)",
			set: func(o *Options, v string) (err error) { o.Wait, err = parseWait(v); return err },
			get: func(o Options) string { return o.Wait.String() },
			now: func(*Shell) {}},
	}
}

func lookOptions() []option {
	return []option{
		{key: "history", kind: whole, help: "how many lines that you have read are shown on entering a round (default 20; 0 for none)",
			set: func(o *Options, v string) (err error) { o.History, err = parseHistory(v); return err },
			get: func(o Options) string { return strconv.Itoa(o.History) }},
		{flag: "--color", arg: "WHEN", key: "color", words: []string{"auto", "always", "never"}, help: "auto, always or never (default auto)",
			set: func(o *Options, v string) (err error) { o.Color, err = term.ParseMode(v); return err },
			get: func(o Options) string { return o.Color.String() }},
		{key: "recall", kind: truth, words: []string{"true", "false"}, help: "whether commands are kept for the next start (default true)",
			set: func(o *Options, v string) (err error) { o.Recall, err = strconv.ParseBool(v); return err },
			get: func(o Options) string { return strconv.FormatBool(o.Recall) }},
		{key: "notify", words: []string{string(notifyBell), string(notifyOSC9), string(notifyOff)},
			help: "how a mention draws attention: bell, osc9 or off (default bell)",
			set: func(o *Options, v string) (err error) {
				o.Notify, err = parseChoice(v, notifyBell, notifyOSC9, notifyOff)
				return err
			},
			get: func(o Options) string { return string(o.Notify) },
			now: (*Shell).lookAgain},
		{key: "others", words: []string{string(othersCount), string(othersInline)},
			help: "what is said in other rounds: count in the prompt, or inline (default count)",
			set: func(o *Options, v string) (err error) {
				o.Others, err = parseChoice(v, othersCount, othersInline)
				return err
			},
			get: func(o Options) string { return string(o.Others) },
			now: (*Shell).lookAgain},
		{flag: "--log", arg: "FILE", key: "log",
			help: "where diagnostics go (default: opentalk.log in the home, stderr when there is no prompt)",
			set:  func(o *Options, v string) error { o.Log = v; return notEmpty(v) },
			get:  func(o Options) string { return o.Log }},
		{flag: "--log-level", arg: "LEVEL", key: "log_level", words: []string{"debug", "info", "warn", "error"}, help: "debug, info, warn or error (default info, on stderr warn)",
			set: func(o *Options, v string) error { o.LogLevel = v; return checkLevel(v) },
			get: func(o Options) string { return o.LogLevel },
			now: func(s *Shell) { s.level.Set(s.opts.level(s.person)) }},
	}
}

func otherOptions() []option {
	return []option{
		{flag: "--passphrase-fd", arg: "N", help: "read the passphrase of a sealed secrets file from this descriptor",
			set: func(o *Options, v string) error {
				n, err := number(v, 1<<16)
				if err != nil || n < 3 {
					return faultf(errValue, "%q is not a descriptor of 3 or more", v)
				}
				o.PassphraseFD = n
				return nil
			}},
		{flag: "--version", help: "print the version", set: func(o *Options, _ string) error { o.version = true; return nil }},
		{flag: "--help", help: "print this", set: func(o *Options, _ string) error { o.help = true; return nil }},
	}
}

// defaults are what nothing has set.
func defaults() Options {
	return Options{Wait: 10 * time.Second, History: 20, Recall: true, Notify: notifyBell, Others: othersCount}
}

// Parse reads the arguments after the program's name. Its errors are for [Refuse].
func Parse(args []string) (Options, error) {
	o := defaults()
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
			return o, faultf(errValue, "%s takes no value", f.flag)
		case f.arg != "" && !hasValue:
			if len(args) == 0 {
				return o, faultf(errArity, "%s needs a value: %s %s", f.flag, f.flag, f.arg)
			}
			value, args = args[0], args[1:]
		}
		if err := f.set(&o, value); err != nil {
			if code(err).Name != codes[len(codes)-1].Name {
				return o, err
			}
			return o, faultf(errValue, "%s: %v", f.flag, err)
		}
		o.given = append(o.given, f.flag)
	}
	return o, nil
}

func findFlag(name string) (option, error) {
	if name == "-h" || name == "-help" {
		name = "--help"
	}
	var names []string
	for _, f := range options() {
		if f.flag == name {
			return f, nil
		}
		names = append(names, f.flag)
	}
	err := faultf(errUnknownFlag, "unknown flag %q", redact(name))
	if near := nearest(name, names); near != "" {
		return option{}, err.but("did you mean %s? opentalk --help lists the flags", near)
	}
	return option{}, err
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

func (o Options) isKept(key string) bool { return slices.Contains(o.kept, key) }

func usage() string {
	var b strings.Builder
	b.WriteString("opentalk is a group chat without a server.\n\nusage: opentalk [flags]\n" +
		"       opentalk plugin new NAME --sdk DIR      lays out a plugin in Go; DIR is the source tree of opentalk\n" +
		"       opentalk script check|test FILE         tells what a script registers; runs the tests in it\n\n")
	for _, f := range options() {
		if f.flag != "" {
			fmt.Fprintf(&b, "  %-17s %s\n", strings.TrimSpace(f.flag+" "+f.arg), f.help)
		}
	}
	b.WriteString("\nAll but --home, -e, --json, --headless and --passphrase-fd can stand in config.toml, too; /set lists the keys.\n" +
		"\nWith a pipe for input, each line is a message, or a command if it begins with a slash.\n" +
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

func checkListen(value string) error {
	if value == "none" {
		return nil
	}
	if err := engine.CheckListen(value); err != nil {
		return faultf(errValue, "%v", err).but("write it as HOST:PORT, :PORT, unix:PATH or none")
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

func parseHistory(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > engine.MaxHistory {
		return 0, faultf(errValue, "%q is not a number from 0 to %d", value, engine.MaxHistory)
	}
	return n, nil
}

// hidePassword is a proxy without the password, for the screen.
func hidePassword(proxy string) string {
	if u, err := url.Parse(proxy); err == nil {
		return u.Redacted()
	}
	return ""
}

func checkLevel(value string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(value)); err != nil || strings.ContainsAny(value, "+-") {
		return faultf(errValue, "%q is none of debug, info, warn, error", value)
	}
	return nil
}
