package scaffold

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

const usage = "opentalk plugin new NAME --sdk DIR"

// Command runs "opentalk plugin" with the arguments behind that, and returns the exit status: 1 if it fails, 2 if it was called
// in a wrong way.
func Command(args []string, out, errs io.Writer) int {
	dir, sdk, err := parse(args)
	if err != nil {
		fmt.Fprintf(errs, "error: %v\nhint:  %s, where DIR is the source tree of opentalk\n", err, usage)
		return 2
	}
	if err := New(dir, sdk); err != nil {
		fmt.Fprintf(errs, "error: %v\n", err)
		return 1
	}
	name := filepath.Base(dir)
	fmt.Fprintf(out, "%s is laid out. Next:\n  cd %s && go test . && go build -o %s .\n"+
		"  then put the folder into plugins/ of opentalk's data, and in the chat: /plugin enable %s\n", name, dir, name, name)
	return 0
}

// parse takes the flag before or behind the name.
func parse(args []string) (dir, sdk string, err error) {
	if len(args) == 0 || args[0] != "new" {
		return "", "", errors.New("opentalk plugin has one command, new")
	}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		value, given := strings.CutPrefix(args[0], "--sdk=")
		switch {
		case given:
			sdk = value
		case args[0] == "--sdk" && len(args) > 1:
			sdk, args = args[1], args[1:]
		case strings.HasPrefix(args[0], "-"):
			return "", "", fmt.Errorf("unknown flag %q, or one without its value", args[0])
		case dir != "":
			return "", "", fmt.Errorf("%q is one argument too many", args[0])
		default:
			dir = args[0]
		}
	}
	switch {
	case dir == "":
		return "", "", errors.New("the plugin needs a name")
	case sdk == "":
		return "", "", errors.New("--sdk is missing")
	}
	return dir, sdk, nil
}
