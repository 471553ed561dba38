//go:build race

package main

// growth is by how many bytes the memory of a process may come and go, with what the race detector keeps.
const growth = 128 << 20
