package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"opentalk/engine"
	"opentalk/shell/line"
)

// maxInput bounds a line of piped input: above the longest message and the longest invite.
const maxInput = 64 << 10

// input is what comes from whoever gives the lines. With err set there is no line.
type input struct {
	text   string
	number int // from 1; 0 for those of -e
	err    error

	sifted     bool // it has passed its filters
	asked      bool // for a passphrase
	passphrase []byte
}

// What an input says instead of a line.
var (
	errEnd       = errors.New("end of input")
	errLeave     = errors.New("ctrl-d")
	errInterrupt = errors.New("ctrl-c")
)

// readPipe gives the lines of r and then errEnd. It reads no further ahead than they are taken. What is read
// of a line that is too long, but for an error, is nothing.
func readPipe(r io.Reader, give func(input) bool) {
	b := bufio.NewReaderSize(r, maxInput)
	for n := 1; ; n++ {
		text, err := b.ReadSlice('\n')
		in := input{text: string(text), number: n}
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = b.ReadSlice('\n')
			}
			in.text, in.err = "", fmt.Errorf("%w: the line exceeds the limit of %d bytes", engine.ErrTooLong, maxInput)
		}
		if n == 1 {
			in.text = strings.TrimPrefix(in.text, "\ufeff")
		}
		in.text = strings.TrimSuffix(strings.TrimSuffix(in.text, "\n"), "\r")
		if (in.text != "" || in.err != nil) && !give(in) {
			return
		}
		if err != nil {
			give(input{number: n, err: errEnd})
			return
		}
	}
}

// readEditor gives the lines that a person types, and then errEnd.
func readEditor(e line.Editor, give func(input) bool) {
	for n := 1; ; n++ {
		text, err := e.ReadLine()
		in := input{text: text, number: n}
		switch {
		case errors.Is(err, line.ErrInterrupt):
			in.err = errInterrupt
		case errors.Is(err, line.ErrEnd):
			in.err = errLeave
		case errors.Is(err, line.ErrDropped):
			continue
		case err != nil:
			in.err = errEnd
		case strings.TrimSpace(text) == "":
			continue
		default:
			if c, _, err := parse(text); err == nil && c.name == "passphrase" {
				in.asked = true
				in.passphrase, in.err = askPassphrase(e)
			}
		}
		if !give(in) || in.err == errEnd {
			return
		}
	}
}
