package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"opentalk/plugins/hook"
)

// Manifest is a plugin.toml.
type Manifest struct {
	Name         string            `toml:"name"` // that of the folder
	Version      string            `toml:"version"`
	API          int               `toml:"api"`  // of the contract, see [hook.Version]
	Exec         string            `toml:"exec"` // a file in the folder, with "/"
	Args         []string          `toml:"args"`
	MTLS         *bool             `toml:"mtls"` // nil is true
	Capabilities []hook.Capability `toml:"capabilities"`
	Config       map[string]any    `toml:"config"` // every key that there is, with its default
}

// manifestKeys lists the keys of plugin.toml.
var manifestKeys = []string{"name", "version", "api", "exec", "args", "mtls", "capabilities", "config"}

// UnknownKeyError is a key that means nothing. Known are those that do.
type UnknownKeyError struct {
	File  string
	Line  int // 0 if it is not known
	Key   string
	Known []string
}

func (e *UnknownKeyError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: unknown key %q", e.File, e.Key)
	}
	return fmt.Sprintf("%s:%d: unknown key %q", e.File, e.Line, e.Key)
}

// decodeTOML fills in v, strictly.
func decodeTOML(file string, text []byte, v any, known []string) error {
	err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(v)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := unknown.Errors[0]
		line, _ := first.Position()
		return &UnknownKeyError{File: file, Line: line, Key: first.Key()[len(first.Key())-1], Known: known}
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", file, line, column, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return err
}

// readManifest reads and checks the manifest of the plugin in dir, whose last part is its name. Nothing on the way to the
// manifest and the program may be a link, or be written to by others.
func readManifest(dir string) (Manifest, error) {
	var m Manifest
	name := filepath.Base(dir)
	if !validName(name) {
		return m, fmt.Errorf("folder %q is no name of a plugin", name)
	}
	if err := checkTrust(dir, "plugin.toml"); err != nil {
		return m, err
	}
	file := filepath.Join(dir, "plugin.toml")
	text, err := readBounded(file, maxManifest)
	if err != nil {
		return m, err
	}
	if err := decodeTOML(file, text, &m, manifestKeys); err != nil {
		return m, err
	}
	if err := m.check(name); err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	return m, checkTrust(dir, filepath.FromSlash(m.Exec))
}

func (m Manifest) check(name string) error {
	switch {
	case m.Name != name:
		return fmt.Errorf("name %q is not that of the folder, %q", m.Name, name)
	case m.API != hook.Version:
		return fmt.Errorf("api %d: this chat has version %d", m.API, hook.Version)
	case !filepath.IsLocal(filepath.FromSlash(m.Exec)) || m.Exec == ".":
		return fmt.Errorf("exec %q is no file in the folder", m.Exec)
	case len(m.Args) > maxArgs:
		return fmt.Errorf("%d args exceed the limit of %d", len(m.Args), maxArgs)
	}
	return checkCapabilities(m.Capabilities, hook.Capabilities())
}

// checkCapabilities returns an error if one of needs is not in granted.
func checkCapabilities(needs, granted []hook.Capability) error {
	for _, c := range needs {
		switch {
		case !slices.Contains(hook.Capabilities(), c):
			return hook.Errorf(hook.CodeInvalid, "unknown capability %q", c)
		case !slices.Contains(granted, c):
			return hook.Errorf(hook.CodeDenied, "capability %q is not granted", c)
		}
	}
	return nil
}

// settings returns the config of the plugin as it is handed to it: the defaults, with what the person has set. Only what has
// a default can be set.
func (m Manifest) settings(set map[string]any) (json.RawMessage, error) {
	all := map[string]any{}
	var known []string
	for key, value := range m.Config {
		all[key] = value
		known = append(known, key)
	}
	slices.Sort(known)
	for key, value := range set {
		if !slices.Contains(known, key) {
			return nil, &UnknownKeyError{File: "settings of " + m.Name, Key: key, Known: known}
		}
		all[key] = value
	}
	return json.Marshal(all)
}

// checkTrust looks at dir, the folder above it, and each part of the way from dir to a file in it.
func checkTrust(dir, file string) error {
	way := []string{filepath.Dir(dir), dir}
	at := dir
	for part := range strings.SplitSeq(filepath.Clean(file), string(filepath.Separator)) {
		at = filepath.Join(at, part)
		way = append(way, at)
	}
	for i, path := range way {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		last := i == len(way)-1
		switch {
		case info.Mode()&fs.ModeSymlink != 0 && i > 0:
			return fmt.Errorf("%s is a link", path)
		case last && !info.Mode().IsRegular():
			return fmt.Errorf("%s is no file", path)
		}
		if i == 0 {
			if info, err = os.Stat(path); err != nil { // the home itself may be elsewhere
				return err
			}
		}
		if err := checkOwner(info); err != nil {
			return fmt.Errorf("%s %w", path, err)
		}
	}
	return nil
}

// readBounded reads a file of at most limit bytes.
func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("%s exceeds the limit of %d bytes", file, limit)
	}
	return text, err
}

// checksum returns the SHA-256 of a program, hex.
func checksum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxExec+1))
	if err != nil {
		return "", err
	}
	if n > maxExec {
		return "", fmt.Errorf("%s exceeds the limit of %d bytes", file, maxExec)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// validName: letters, digits, "-" and "_".
func validName(name string) bool {
	return name != "" && len(name) <= hook.MaxName && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	})
}
