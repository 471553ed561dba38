//go:build !linux

package store

// unmapPages is left to the system, which takes back what it needs.
func unmapPages(at, size uintptr) {}
