package scripts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"opentalk/plugins/hook"
)

const suffix = ".lua"

// shelf is the folder with the scripts. Nothing else is ever opened here, but for what a link in it leads to.
type shelf struct{ folder string }

func (s shelf) path(name string) string     { return filepath.Join(s.folder, name+suffix) }
func (s shelf) autoPath(name string) string { return filepath.Join(s.folder, "autoload", name+suffix) }

// checkName says why a script cannot be called this.
func checkName(name string) error {
	if name == "" || len(name) > hook.MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return hook.Errorf(hook.CodeInvalid, "a script's name has up to %d letters, digits, - and _, not %q", hook.MaxName, name)
	}
	if name == Manager {
		return hook.Errorf(hook.CodeInvalid, "the name %q is taken", name)
	}
	return nil
}

// names lists the scripts in a folder, by name.
func names(folder string) ([]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing scripts: %w", err)
	}
	var all []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), suffix); ok && checkName(name) == nil {
			all = append(all, name)
		}
	}
	return all, nil
}

// autoload lists what is to be loaded at the start.
func (s shelf) autoload() ([]string, error) { return names(filepath.Dir(s.autoPath(""))) }

// Wanted reports whether a folder holds scripts that are to be loaded at the start, or may do so.
func Wanted(folder string) bool {
	auto, err := shelf{folder}.autoload()
	return err != nil || len(auto) > 0
}

// all lists what can be loaded.
func (s shelf) all() []string {
	here, _ := names(s.folder)
	auto, _ := s.autoload()
	all := append(here, auto...)
	slices.Sort(all)
	return slices.Compact(all)
}

// where is the file of a script: what is in the folder itself goes before a file in autoload.
func (s shelf) where(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	for _, path := range []string{s.path(name), s.autoPath(name)} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", hook.Errorf(hook.CodeNotFound, "there is no %s in %s", name+suffix, s.folder)
}

// read returns the text of a script.
func (s shelf) read(name string) (string, error) {
	path, err := s.where(name)
	if err != nil {
		return "", err
	}
	return readSource(path)
}

func readSource(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSource {
		return "", fmt.Errorf("%s exceeds the limit of %d bytes", filepath.Base(path), maxSource)
	}
	return string(text), nil
}

// template is what /script new begins a script with.
const template = `-- %[1]s: what it does, in a line.
-- LUA.md describes everything in "ot".

ot.register { version = "0.1", description = "says hello", needs = {} }

ot.command {
  name = "%[2]s",
  usage = "[NAME]",
  help = "says hello",
  max = 1,
  run = function(call)
    return "hello " .. (call.args[1] or "there")
  end,
}
`

// create writes a script to begin with. One that is there stays.
func (s shelf) create(name string) (path string, err error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if there, err := s.where(name); err == nil {
		return "", hook.Errorf(hook.CodeInvalid, "%s is there already", there)
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(s.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, template, name+suffix, strings.ReplaceAll(strings.ToLower(name), "_", "-"))
	return s.path(name), errors.Join(err, f.Close())
}

// setAutoload has a script loaded at the start from now on, or not any more. It is a link beside the file; a file that
// somebody has put into autoload itself is moved out.
func (s shelf) setAutoload(name string, on bool) error {
	path, err := s.where(name)
	if err != nil {
		return err
	}
	auto := s.autoPath(name)
	info, err := os.Lstat(auto)
	there := err == nil
	switch {
	case on && !there:
		if err := os.MkdirAll(filepath.Dir(auto), 0o700); err != nil {
			return err
		}
		if os.Symlink(filepath.Join("..", name+suffix), auto) == nil {
			return nil
		}
		return os.Link(path, auto) // where a link takes leave
	case !on && there && path == auto && info.Mode().IsRegular():
		return os.Rename(auto, s.path(name))
	case !on && there:
		return os.Remove(auto)
	}
	return nil
}
