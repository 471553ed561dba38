// Opentalk is a group chat for the terminal that needs no server.
//
// This package only puts the parts together: flags and files are read, the screen is kept and lines are run by package
// shell; rounds, keys and links are package engine's.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"opentalk/engine"
	"opentalk/plugins/scaffold"
	"opentalk/scripts"
	"opentalk/shell"
)

func main() { os.Exit(run(os.Args[1:])) }

// scriptsHost is the argument with which the chat starts this program again, to run the scripts.
const scriptsHost = "scripts-host"

// gcPercent keeps the memory of catching up on a million blocks below 100 MiB, on a machine that is busy too: it is the
// bodies of blocks that come and go then.
const gcPercent = 50

// run returns the exit status.
func run(args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case scriptsHost:
			scripts.Serve()
			return 0
		case "plugin":
			return scaffold.Command(args[1:], os.Stdout, os.Stderr)
		case "script":
			return scripts.Command(args[1:], os.Stdout, os.Stderr)
		}
	}
	opts, err := shell.Parse(args)
	if err != nil {
		return shell.Refuse(os.Stderr, err)
	}
	if text, done := opts.Answer(); done {
		fmt.Print(text)
		return 0
	}
	noCoreDumps()
	debug.SetGCPercent(gcPercent)
	streams := shell.Standard()
	front, err := shell.New(opts, streams)
	if err != nil {
		return streams.Fail(opts, err)
	}
	defer front.Close()
	if self, err := os.Executable(); err == nil {
		front.Extend(shell.Child{Exec: self, Args: []string{scriptsHost}, Manager: scripts.Manager, Wanted: scripts.Wanted})
	}
	ending := signals()
	chat, err := engine.Open(front.EngineConfig())
	if err != nil {
		return front.Fail(err)
	}
	defer chat.Close()
	status := front.Run(chat, ending)
	go func() { // closing may take a moment
		<-ending
		os.Exit(statusInterrupted)
	}()
	return status
}

// statusInterrupted is the exit status after a signal that nobody waits for.
const statusInterrupted = 130

// oneSignal is how close signals follow each other that mean one: timeout(1) sends its own twice, to the program and to its group.
const oneSignal = 100 * time.Millisecond

// signals gives the signals that are to end the program. One that comes while nobody has taken the one before ends it at once.
func signals() <-chan os.Signal {
	all := make(chan os.Signal, 4)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // under nohup, or in the background of a script
			signal.Notify(all, sig)
		}
	}
	apart, taken := make(chan os.Signal), make(chan os.Signal)
	go func() {
		var last time.Time
		for sig := range all {
			if time.Since(last) > oneSignal {
				last = time.Now()
				apart <- sig
			}
		}
	}()
	go func() {
		for sig := range apart {
			select {
			case taken <- sig:
			case <-apart:
				os.Exit(statusInterrupted)
			}
		}
	}()
	return taken
}
