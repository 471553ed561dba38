package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"opentalk/engine/chain"
	"opentalk/engine/identity"
	"opentalk/engine/store"
)

// The files of a home.
const (
	secretsFile = "secrets"
	storeFile   = "rounds.db"
	handleFile  = "handle"

	salvageSuffix = ".salvage" // of a store that is to take a damaged one's place
)

// home is the folder that one engine owns while it runs.
type home struct {
	dir    string
	keys   *identity.Keyring
	store  *store.Store
	handle string
	rescue string // what became of a damaged store, empty if it was not
}

// openHome opens what is in a folder and makes what is missing. Opening the store comes first: it is the lock.
func openHome(cfg *Config) (h home, err error) {
	h.dir = cfg.Dir
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return h, fmt.Errorf("%w: %w", ErrHomeNotWritable, err)
	}
	damage := h.openStore()
	if damage == nil {
		damage = h.store.Doubt() // its last Write may be missing
	}
	if damage != nil && !errors.Is(damage, ErrStoreDamaged) {
		return h, damage
	}
	if err = h.openKeys(cfg); err == nil {
		err = h.openHandle(cfg)
	}
	if err == nil && damage != nil {
		err = h.replaceStore(cfg, damage)
	}
	if err != nil {
		h.closeStore()
	}
	return h, err
}

func (h *home) openStore() (err error) {
	if h.store, err = store.Open(filepath.Join(h.dir, storeFile)); err != nil {
		return h.refused(err)
	}
	return nil
}

// refused says why a file of the store cannot be opened.
func (h *home) refused(err error) error {
	var inUse *store.InUseError
	switch {
	case errors.As(err, &inUse):
		return fmt.Errorf("%w: %q by process %d", ErrHomeInUse, h.dir, inUse.PID)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrHomeNotWritable, err)
	}
	return fmt.Errorf("opening the store: %w", err)
}

func (h *home) closeStore() {
	if h.store != nil {
		h.store.Close()
	}
}

// replaceStore opens a store that has what is left of the damaged one.
func (h *home) replaceStore(cfg *Config, damage error) (err error) {
	h.closeStore()
	if h.rescue, err = h.salvageStore(cfg, damage); err != nil {
		return err
	}
	return h.openStore()
}

func (h *home) openKeys(cfg *Config) (err error) {
	path := filepath.Join(cfg.Dir, secretsFile)
	given := true
	ask := func() ([]byte, error) {
		p, err := cfg.Passphrase()
		given = err == nil
		return p, err
	}
	h.keys, err = identity.OpenKeyring(path, ask)
	for try := 1; try < cfg.Tries && given && errors.Is(err, ErrPassphrase); try++ {
		h.keys, err = identity.OpenKeyring(path, ask)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("opening secrets: %w", err)
		}
		return nil
	}
	// Making a new identity beside rounds would look as if nothing had happened, and nothing in the store could be read.
	if h.store == nil {
		return fmt.Errorf("%w: %q is missing, and the store is damaged", ErrSecretsDamaged, path)
	}
	if rounds, err := h.store.Rounds(); err != nil || len(rounds) > 0 {
		return fmt.Errorf("%w: %q is missing, while there are %d rounds", ErrSecretsDamaged, path, len(rounds))
	}
	cfg.Progress("making your identity")
	if h.keys, err = identity.NewKeyring(path, time.Now()); err != nil {
		return err
	}
	return nil
}

// openHandle reads the handle of this home, or writes it down at the first start. It is in no way secret.
func (h *home) openHandle(cfg *Config) error {
	path := filepath.Join(cfg.Dir, handleFile)
	kept, err := os.ReadFile(path)
	if err == nil && cfg.Handle == "" && chain.CheckName(string(kept)) == nil {
		h.handle = string(kept)
		return nil
	}
	if h.handle = cfg.Handle; h.handle == "" {
		h.handle = "anonymous"
	}
	if err := chain.CheckName(h.handle); err != nil {
		return fmt.Errorf("%w: %w", ErrName, err)
	}
	if string(kept) == h.handle {
		return nil
	}
	if err := os.WriteFile(path, []byte(h.handle), 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrHomeNotWritable, err)
	}
	return nil
}
