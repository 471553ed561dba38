//go:build !linux

package plugins

func surviveParent() {}

func session() string { return "a session of its own" } // or so one must hope
