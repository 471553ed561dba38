//go:build unix

package plugins

import (
	"os"
	"os/exec"
	"syscall"
)

// setSession gives the child a session of its own, without a terminal.
func setSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	endWithParent(cmd.SysProcAttr)
}

func attach(*os.Process) {}

// killGroup ends the process, if it still runs, and all of its group.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
