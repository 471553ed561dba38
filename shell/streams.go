package shell

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	xterm "golang.org/x/term"

	"opentalk/shell/line"
)

// Streams is where a shell reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer

	Person  bool       // who types is at a terminal
	OutTerm bool       // Out is a terminal
	ErrTerm bool       // Err is one
	Columns func() int // of Out; 0 if it has none
	Edit    func(line.Config) (line.Editor, error)
}

// Standard returns the process's own.
func Standard() Streams {
	s := Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Person:  line.Interactive(os.Stdin, os.Stdout),
		OutTerm: isatty.IsTerminal(os.Stdout.Fd()) || isatty.IsCygwinTerminal(os.Stdout.Fd()),
		ErrTerm: isatty.IsTerminal(os.Stderr.Fd()) || isatty.IsCygwinTerminal(os.Stderr.Fd()),
		Columns: func() int { return 0 },
		Edit: func(c line.Config) (line.Editor, error) {
			c.In, c.Out = os.Stdin, os.Stdout
			if line.Dumb() {
				return line.OpenPlain(c)
			}
			return line.Open(c)
		},
	}
	if s.OutTerm {
		s.Columns = func() int {
			columns, _, err := xterm.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return 0
			}
			return columns
		}
	}
	return s
}

// output is a writer whose first failure is kept, and is the end of the shell if it is stdout's. What is written to one that
// gathers leaves with flush, or when it is much.
type output struct {
	to      io.Writer
	gathers bool
	kept    []byte
	err     error
}

// gathered bounds what an output keeps, in bytes: what a pipe holds.
const gathered = 64 << 10

func (o *output) write(text string) {
	if o.kept = append(o.kept, text...); !o.gathers || len(o.kept) >= gathered {
		o.flush()
	}
}

func (o *output) flush() {
	if o.err == nil && len(o.kept) > 0 {
		_, o.err = o.to.Write(o.kept)
	}
	o.kept = o.kept[:0]
}
