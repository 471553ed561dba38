package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/adrg/xdg"

	"opentalk/shell/term"
)

// paths is where things lie.
type paths struct {
	data, config string // folders; the same with --home
}

func (o Options) paths() (paths, error) {
	if o.Home == "" {
		return paths{filepath.Join(xdg.DataHome, "opentalk"), filepath.Join(xdg.ConfigHome, "opentalk")}, nil
	}
	dir, err := filepath.Abs(o.Home)
	return paths{dir, dir}, err
}

func (p paths) configFile() string { return filepath.Join(p.config, "config.toml") }
func (p paths) scripts() string    { return filepath.Join(p.config, "scripts") }
func (p paths) log() string        { return filepath.Join(p.data, "opentalk.log") }
func (p paths) history() string    { return filepath.Join(p.data, "history") }
func (p paths) state() string      { return filepath.Join(p.data, "state") }

// maxConfig bounds config.toml: what is larger is some other file.
const maxConfig = 64 << 10

// kind is what a key of config.toml takes.
type kind int

const (
	text  kind = iota // "…"
	list              // ["…", "…"]
	whole             // a number
	truth             // true or false
)

// strings returns a value of the file as a flag would be given it, more than one of a list.
func (k kind) strings(value any) (all []string, ok bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, k == text
	case int64:
		return []string{strconv.FormatInt(v, 10)}, k == whole
	case bool:
		return []string{strconv.FormatBool(v)}, k == truth
	case []any:
		for _, one := range v {
			s, isText := one.(string)
			if !isText {
				return nil, false
			}
			all = append(all, s)
		}
		return all, k == list
	}
	return nil, false
}

// value is the other way round.
func (k kind) value(all []string) any {
	switch k {
	case list:
		return all
	case whole:
		if n, err := strconv.Atoi(all[0]); err == nil {
			return n
		}
	case truth:
		return all[0] == "true"
	}
	return all[0]
}

// findKey returns the option of a key of config.toml.
func findKey(key string) (option, error) {
	var names []string
	for _, o := range options() {
		if o.key == "" {
			continue
		}
		if o.key == key {
			return o, nil
		}
		names = append(names, o.key)
	}
	fault := faultf(errUnknownKey, "unknown key %q", redact(key))
	if table, _, ok := strings.Cut(key, "."); ok && slices.Contains(tableNames, table) {
		return option{}, fault.but("what is under [%s.NAME] is written in config.toml, which /script reload and /plugin restart read anew", table)
	}
	if near := nearest(key, names); near != "" {
		return option{}, fault.but("did you mean %s?", near)
	}
	return option{}, fault
}

func unknownTable(name string) error {
	fault := faultf(errUnknownKey, "unknown table %q", redact(name))
	if near := nearest(name, tableNames); near != "" {
		return fault.but("did you mean [%s.NAME]?", near)
	}
	return fault
}

// readConfig fills in what the flags left open from a file that need not exist.
func (o *Options) readConfig(file string) error {
	content, err := readConfigFile(file)
	if err != nil {
		return err
	}
	return located(file, o.read(content))
}

// read fills in what the flags left open.
func (o *Options) read(content string) error {
	settings, err := parseConfig(content)
	if err != nil {
		return err
	}
	if err := o.take(settings); err != nil {
		return err
	}
	t, err := parseTables(content)
	o.Scripts, o.Plugins = t.Scripts, t.Plugins
	return err
}

// located says in which file something is wrong.
func located(file string, err error) error {
	var at *configFault
	if errors.As(err, &at) {
		at.file = file
		return at
	}
	return err
}

// readConfigFile returns "" if there is no file.
func readConfigFile(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil // a home that cannot be is the engine's to report
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errConfig, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errConfig, err)
	}
	if len(content) > maxConfig {
		return "", faultf(errConfig, "%s exceeds the limit of %d bytes", file, maxConfig)
	}
	return string(content), nil
}

// take sets what no flag has set.
func (o *Options) take(settings []setting) error {
	for _, s := range settings {
		if slices.Contains(tableNames, s.key) {
			continue // [parseTables] reads these
		}
		if s.table {
			return s.fault(unknownTable(s.key))
		}
		opt, err := findKey(s.key)
		if err != nil {
			return s.fault(err)
		}
		values, ok := opt.kind.strings(s.value)
		if !ok {
			return s.fault(faultf(errConfig, "%s takes another kind of value", s.key))
		}
		if err := o.setAll(opt, values, opt.flag != "" && o.isGiven(opt.flag)); err != nil {
			return s.fault(faultf(errConfig, "%s: %v", s.key, err))
		}
		o.kept = append(o.kept, s.key)
	}
	return nil
}

// setAll gives an option its values. If it is overruled they are only looked at.
func (o *Options) setAll(opt option, values []string, overruled bool) error {
	to := o
	if overruled {
		to = &Options{}
	}
	for _, v := range values {
		if err := opt.set(to, v); err != nil {
			return err
		}
	}
	return nil
}

// handle is the one that was asked for, at a first start the login name. Later on "" keeps what is there.
func (o Options) handle(p paths) string {
	if o.Handle != "" {
		return o.Handle
	}
	if _, err := os.Stat(filepath.Join(p.data, "secrets")); err == nil {
		return ""
	}
	who, err := user.Current()
	if err != nil {
		return ""
	}
	name := []rune(who.Username[strings.LastIndexByte(who.Username, '\\')+1:]) // DOMAIN\name on Windows
	name = slices.DeleteFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
	return string(name[:min(len(name), 32)])
}

// profile is what an output can show.
func (o Options) profile(isTerminal bool) term.Profile {
	return term.NewProfile(o.Color, isTerminal, os.Getenv)
}
