//go:build race

package engine

// defaultSeeds are few where the race detector watches: a simulation is one goroutine.
const defaultSeeds = 20
