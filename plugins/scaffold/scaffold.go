// Package scaffold lays out a new plugin in Go: a command, a handler of an event, their test and the manifest, which build at once
// and with nothing but what the source tree of opentalk needs itself.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"

	"opentalk/plugins/hook"
)

// module is the path of the source tree's module.
const module = "opentalk"

//go:embed template
var files embed.FS

// New makes the folder dir with a plugin named as its last part. It uses the source tree of opentalk in sdk, of which it
// takes over the versions of everything that plugins are built with, so that nothing has to be looked for elsewhere. The
// folder must not be there yet.
func New(dir, sdk string) error {
	name := filepath.Base(dir)
	if err := (hook.Extension{Name: name}).Check(); err != nil {
		return err
	}
	sdk, err := filepath.Abs(sdk)
	if err != nil {
		return err
	}
	mod, err := goMod(name, sdk)
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(sdk, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already", dir)
		}
		return err
	}
	if err := fill(dir, name); err != nil {
		return err
	}
	return errors.Join(write(dir, "go.mod", mod), write(dir, "go.sum", sum))
}

// goMod returns a go.mod with all that the source tree in sdk requires.
func goMod(name, sdk string) ([]byte, error) {
	file := filepath.Join(sdk, "go.mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the source tree of opentalk: %w", err)
	}
	theirs, err := modfile.Parse(file, text, nil)
	if err != nil {
		return nil, err
	}
	if theirs.Module == nil || theirs.Module.Mod.Path != module || theirs.Go == nil {
		return nil, fmt.Errorf("%s is not the go.mod of opentalk", file)
	}
	var ours modfile.File
	if err := errors.Join(ours.AddModuleStmt(name), ours.AddGoStmt(theirs.Go.Version), ours.AddRequire(module, "v0.0.0"),
		ours.AddReplace(module, "", sdk, "")); err != nil {
		return nil, err
	}
	for _, r := range theirs.Require {
		ours.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
	}
	ours.Cleanup()
	return ours.Format()
}

// fill writes the files of the template.
func fill(dir, name string) error {
	all, err := template.New("").Delims("<<", ">>").ParseFS(files, "template/*")
	if err != nil {
		return err
	}
	for _, t := range all.Templates() {
		var text strings.Builder
		err := t.Execute(&text, map[string]any{"Name": name, "Version": hook.Version})
		if err != nil {
			return err
		}
		if err := write(dir, strings.TrimSuffix(t.Name(), ".tmpl"), []byte(text.String())); err != nil {
			return err
		}
	}
	return nil
}

func write(dir, name string, text []byte) error {
	return os.WriteFile(filepath.Join(dir, name), text, 0o644)
}
