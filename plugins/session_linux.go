package plugins

import "syscall"

// endWithParent has the system end the child when the thread that starts it ends, which is when this program does.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
