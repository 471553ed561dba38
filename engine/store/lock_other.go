//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package store

import "os"

// lock does nothing: what salvages is kept apart by the new store, which bbolt locks.
func lock(*os.File) error { return nil }

// unlock does nothing: closing the file is enough.
func unlock(*os.File) error { return nil }
