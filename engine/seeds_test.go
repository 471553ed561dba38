//go:build !race

package engine

// defaultSeeds is as many as fit into half a minute of one core.
const defaultSeeds = 500
