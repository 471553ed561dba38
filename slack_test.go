//go:build !race

package main

// growth is by how many bytes the memory of a process may come and go.
const growth = 16 << 20
