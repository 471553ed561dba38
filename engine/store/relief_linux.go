package store

import "syscall"

// unmapPages lets go of a mapping's pages, which are of a file and never changed through it. It is a favour: if it fails,
// nothing is lost.
func unmapPages(at, size uintptr) {
	syscall.Syscall(syscall.SYS_MADVISE, at, size, syscall.MADV_DONTNEED)
}
