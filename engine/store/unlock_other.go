//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package store

import "os"

// unlock does nothing: closing the file is enough.
func unlock(*os.File) error { return nil }
