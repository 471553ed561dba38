//go:build !linux

package plugins

import "os/exec"

func surviveParent() {}

func ownSession(*exec.Cmd) {}

func session() string { return "a session of its own" } // or so one must hope
