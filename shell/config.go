package shell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/adrg/xdg"
	"github.com/pelletier/go-toml/v2"

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
func (p paths) log() string        { return filepath.Join(p.data, "opentalk.log") }
func (p paths) history() string    { return filepath.Join(p.data, "history") }
func (p paths) state() string      { return filepath.Join(p.data, "state") }

// maxConfig bounds config.toml: what is larger is some other file.
const maxConfig = 1 << 20

// keys are those of config.toml, and what each does with its value: the flag of that name, but for history and recall.
type keys struct {
	Handle   *string  `toml:"handle"`
	Listen   []string `toml:"listen"`
	Proxy    *string  `toml:"proxy"`
	Round    *string  `toml:"round"`
	Wait     *string  `toml:"wait"`
	Color    *string  `toml:"color"`
	Log      *string  `toml:"log"`
	LogLevel *string  `toml:"log_level"`
	History  *int     `toml:"history"`
	Recall   *bool    `toml:"recall"`
	Notify   *string  `toml:"notify"`
	Others   *string  `toml:"others"`
}

// keyNames lists the keys of config.toml.
var keyNames = []string{
	"handle", "listen", "proxy", "round", "wait", "color", "log", "log_level", "history", "recall", "notify", "others",
}

// readConfig fills in what the flags left open from a file that need not exist.
func (o *Options) readConfig(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // a home that cannot be is the engine's to report
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxConfig {
		return faultf(errConfig, "%s: %d bytes exceed the limit of %d", file, info.Size(), maxConfig)
	}
	var k keys
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&k); err != nil {
		return configError(file, err)
	}
	if err := o.apply(k); err != nil {
		return faultf(errConfig, "%s: %v", file, err)
	}
	return nil
}

func configError(file string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		key := first.Key()[len(first.Key())-1]
		fault := faultf(errUnknownKey, "%s:%d: unknown key %q", file, line, key)
		if near := nearest(key, keyNames); near != "" {
			return fault.but("did you mean %s?", near)
		}
		return fault
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		if key := bad.Key(); len(key) > 0 && strings.Contains(bad.Error(), "cannot decode") {
			return faultf(errConfig, "%s:%d:%d: %s takes another kind of value", file, line, column, strings.Join(key, "."))
		}
		return faultf(errConfig, "%s:%d:%d: %s", file, line, column, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%w: %w", errConfig, err)
}

// apply sets what no flag has set.
func (o *Options) apply(k keys) error {
	for _, s := range []struct {
		flag  string
		value *string
	}{
		{"--handle", k.Handle}, {"--proxy", k.Proxy}, {"--round", k.Round}, {"--wait", k.Wait}, {"--color", k.Color},
		{"--log", k.Log}, {"--log-level", k.LogLevel},
	} {
		if err := o.applyFlag(s.flag, s.value); err != nil {
			return err
		}
	}
	if !o.isGiven("--listen") {
		for _, addr := range k.Listen {
			if err := o.applyFlag("--listen", &addr); err != nil {
				return err
			}
		}
	}
	if k.Recall != nil {
		o.Forget = !*k.Recall
	}
	if err := o.setNotify(k.Notify); err != nil {
		return err
	}
	if err := o.setOthers(k.Others); err != nil {
		return err
	}
	if k.History != nil {
		if *k.History < 0 || *k.History > maxHistory {
			return fmt.Errorf("history: %d is not between 0 and %d", *k.History, maxHistory)
		}
		o.History = *k.History
	}
	return nil
}

// applyFlag does what flag would with a value from the file.
func (o *Options) applyFlag(name string, value *string) error {
	if value == nil || o.isGiven(name) {
		return nil
	}
	f, err := findFlag(name)
	if err != nil {
		return err
	}
	if err := f.set(o, *value); err != nil {
		return fmt.Errorf("%s: %w", name[2:], err)
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
