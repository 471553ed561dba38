//go:build !linux

package plugins

func surviveParent() {}
