package plugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"opentalk/plugins/hook"
)

// pin is what was agreed to when a plugin was enabled.
type pin struct {
	Enabled      bool              `toml:"enabled"`
	Exec         string            `toml:"exec"`
	SHA256       string            `toml:"sha256"`
	Args         []string          `toml:"args"`
	MTLS         bool              `toml:"mtls"`
	Capabilities []hook.Capability `toml:"capabilities"`
	// Required: when it ran last it had a required filter. What is sent waits for it from the start.
	Required bool `toml:"required"`
}

var pinKeys = []string{"enabled", "exec", "sha256", "args", "mtls", "capabilities", "required"}

// newPin pins the plugin in dir as it is now.
func newPin(dir string, m Manifest) (pin, error) {
	sum, err := checksum(filepath.Join(dir, filepath.FromSlash(m.Exec)))
	return pin{
		Enabled: true, Exec: m.Exec, SHA256: sum, Args: m.Args, MTLS: m.MTLS == nil || *m.MTLS, Capabilities: m.Capabilities,
	}, err
}

// changed says what is not as it was pinned, "" if all is.
func (p pin) changed(now pin) string {
	switch {
	case p.SHA256 != now.SHA256 || p.Exec != now.Exec:
		return "program"
	case !slices.Equal(p.Args, now.Args):
		return "arguments"
	case p.MTLS != now.MTLS:
		return "encryption"
	case !slices.Equal(p.Capabilities, now.Capabilities):
		return "capabilities"
	}
	return ""
}

// lockFile is plugins.lock.
type lockFile struct {
	path string

	mu   sync.Mutex
	pins map[string]pin
}

// openLock reads plugins.lock, which need not exist.
func openLock(path string) (*lockFile, error) {
	l := &lockFile{path: path, pins: map[string]pin{}}
	text, err := readBounded(path, maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	info, err := os.Stat(path)
	if err == nil {
		err = checkOwner(info)
	}
	if err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	return l, decodeTOML(path, text, &l.pins, pinKeys)
}

func (l *lockFile) get(name string) pin {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pins[name]
}

// set changes what is written about a plugin, durably.
func (l *lockFile) set(name string, change func(*pin)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, had := l.pins[name]
	p := old
	change(&p)
	l.pins[name] = p
	err := l.write()
	if err != nil && had {
		l.pins[name] = old
	} else if err != nil {
		delete(l.pins, name)
	}
	return err
}

func (l *lockFile) write() error {
	text, err := toml.Marshal(l.pins)
	if err != nil {
		return err
	}
	return writeFile(l.path, text)
}

// writeFile replaces a file as a whole and durably, for its owner only.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
