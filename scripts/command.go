package scripts

import (
	"fmt"
	"io"
)

// Command runs "opentalk script" with the arguments behind that, and returns the exit status: 1 if the script has a mistake in
// it or a test fails, 2 if it was called in a wrong way.
func Command(args []string, out, errs io.Writer) int {
	run := map[string]func(string, io.Writer) error{"check": Check, "test": Test}
	if len(args) != 2 || run[args[0]] == nil {
		fmt.Fprintln(errs, "error: opentalk script takes a command and a file\nhint:  opentalk script check FILE, or opentalk script test FILE")
		return 2
	}
	if err := run[args[0]](args[1], out); err != nil {
		fmt.Fprintf(errs, "error: %v\n", err)
		return 1
	}
	return 0
}
