//go:build unix

package line

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"opentalk/engine/skiptest"
	"opentalk/shell/term"
	"opentalk/shell/term/vt"
)

// The test binary is also a program with an editor, and a shell that runs it as a job.
func TestMain(m *testing.M) {
	switch os.Getenv("LINE_TEST_PROGRAM") {
	case "editor":
		editorProgram()
	case "shell":
		shellProgram()
	default:
		os.Exit(m.Run())
	}
}

// editorProgram prints each line it reads. It panics at the line "panic", and closes the editor at SIGTERM and when the terminal
// is gone, also where SIGHUP was ignored.
func editorProgram() {
	e, err := Open(Config{In: os.Stdin, Out: os.Stdout, Prompt: term.Literal("> ")})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer e.Close()
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-terminated
		e.Close()
	}()
	for {
		l, err := e.ReadLine()
		if err != nil {
			return
		}
		if l == "panic" {
			panic("as told")
		}
		e.Print(term.CleanLine("got " + l))
	}
}

// shellProgram runs the editor as the foreground job of the terminal, says how it finds the terminal when the job has stopped or
// ended, and lets a stopped one go on.
func shellProgram() {
	signal.Ignore(syscall.SIGTTOU) // taking the terminal back from the job would stop the shell
	job := exec.Command(os.Args[0])
	job.Env = append(os.Environ(), "LINE_TEST_PROGRAM=editor")
	job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, nil
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}
	before, _ := xterm.GetState(0)
	if err := job.Start(); err != nil {
		fmt.Println(err)
		return
	}
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(job.Process.Pid, &status, syscall.WUNTRACED, nil); err == syscall.EINTR {
			continue
		} else if err != nil {
			fmt.Println(err)
			return
		}
		after, _ := xterm.GetState(0)
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
		how := "cooked"
		if *before != *after {
			how = "raw"
		}
		xterm.Restore(0, before)
		if !status.Stopped() {
			fmt.Printf("ended, %s\n", how)
			return
		}
		fmt.Printf("stopped, %s\n", how)
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, job.Process.Pid)
		syscall.Kill(-job.Process.Pid, syscall.SIGCONT)
	}
}

// newJob runs one of the programs on a pseudo-terminal.
func newJob(t *testing.T, program string) *session {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "LINE_TEST_PROGRAM="+program)
	master, err := pty.StartWithSize(command, &pty.Winsize{Cols: 20, Rows: 6})
	if err != nil {
		skiptest.Because(t, "no pseudo-terminal: %v", err)
	}
	s := &session{t: t, vt: vt.New(20, 6), master: master}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		s.vt.Follow(master)
	}()
	t.Cleanup(func() {
		command.Process.Kill() // the hangup ends the editor
		command.Wait()
		<-copied
		master.Close()
		for _, f := range s.vt.Faults() {
			t.Errorf("the terminal was sent %s", f)
		}
	})
	s.see("> ▮")
	return s
}

func TestCtrlZ(t *testing.T) {
	s := newJob(t, "shell")
	s.press("hel")
	s.see("> hel▮")
	s.press("\x1a")
	s.see(rows("stopped, cooked", "> hel▮"))
	s.pasteIsOn(2)
	s.press("lo\r")
	s.see(rows("stopped, cooked", "got hello", "> ▮"))
	s.press("\x1a")
	s.see(rows("stopped, cooked", "got hello", "stopped, cooked", "> ▮"))
	s.press("a line that takes two rows")
	s.see(rows("stopped, cooked", "got hello", "stopped, cooked", "> a line that takes", "two rows▮"))
	s.press("\x1a")
	s.see(rows("stopped, cooked", "got hello", "stopped, cooked", "stopped, cooked", "> a line that takes", "two rows▮"))
	s.press("\x15\x04")
	s.see(rows("stopped, cooked", "got hello", "stopped, cooked", "stopped, cooked", "ended, cooked", "▮"))
}

// TestCtrlZWithoutAShell presses Ctrl-Z where nobody could let the program go on: it is not stopped, and goes on as it was.
func TestCtrlZWithoutAShell(t *testing.T) {
	s := newJob(t, "editor")
	s.press("a")
	s.see("> a▮")
	s.press("\x1a")
	s.pasteIsOn(2)
	s.press("b\x1b[Dc")
	s.see("> ac▮b")
}

func TestPanicOfTheProgram(t *testing.T) {
	s := newJob(t, "shell")
	s.press("panic\r")
	s.see(rows("ended, cooked", "▮"))
	s.pasteIsOff()
}

func TestSIGTERM(t *testing.T) {
	s := newJob(t, "shell")
	s.press("typed")
	s.see("> typed▮")
	s.signal(syscall.SIGTERM)
	s.see(rows("ended, cooked", "▮"))
	s.pasteIsOff()
}

// TestSIGSTOP stops the editor without its knowing. The shell puts the terminal in order, and so does the editor afterwards.
func TestSIGSTOP(t *testing.T) {
	s := newJob(t, "shell")
	s.press("a")
	s.see("> a▮")
	s.signal(syscall.SIGSTOP)
	s.pasteIsOn(2)
	s.press("b\x1b[Dc")
	s.until("the line", func() bool { return strings.HasSuffix(s.vt.Screen(), "stopped, raw\n> ac▮b") })
}

// signal sends a signal to the program in the foreground.
func (s *session) signal(sig syscall.Signal) {
	s.t.Helper()
	var pid int
	err := withFd(s.master, func(fd int) { pid, _ = unix.IoctlGetInt(fd, unix.TIOCGPGRP) })
	if err != nil || pid <= 1 {
		s.t.Fatalf("no foreground job: %d, %v", pid, err)
	}
	syscall.Kill(pid, sig)
}

func (s *session) pasteIsOff() {
	s.t.Helper()
	s.until("an end of bracketed paste", func() bool { on, _ := s.vt.Paste(); return !on })
	if strings.Contains(s.vt.Screen(), ">") {
		s.t.Errorf("the prompt is left:\n%s", s.vt.Screen())
	}
}
