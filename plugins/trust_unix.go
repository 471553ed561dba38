//go:build unix

package plugins

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// checkOwner returns an error if somebody else than the person and root could have written what info tells of.
func checkOwner(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("can be written by others")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Getuid() {
		return errors.New("belongs to somebody else")
	}
	return nil
}
