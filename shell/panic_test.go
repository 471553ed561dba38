package shell

import (
	"context"
	"net"
	"strings"

	"opentalk/engine"
	"opentalk/engine/socket"
	"opentalk/shell/line"
)

// panics is the variable that makes the test binary a program with a bug: the part that has it, and a home.
const panics = "SHELL_TEST_PANICS"

// panicking are the parts that have a bug, each with the line that brings it about.
var panicking = map[string]struct {
	run  func(*Shell) int
	line string
}{
	"shell":  {panickingShell, "/new a"},
	"line":   {panickingLine, "/n\t"},
	"engine": {panickingEngine, "/join " + (&fake{}).invite().Token()},
}

type brokenEngine struct{ *fake }

func (brokenEngine) New(string) (engine.Round, error) { panic("as told") }

func panickingShell(s *Shell) int { return s.Run(brokenEngine{newFake()}, nil) }

// panickingLine panics on a goroutine of the line editor.
func panickingLine(s *Shell) int {
	edit := s.streams.Edit
	s.streams.Edit = func(cfg line.Config) (line.Editor, error) {
		cfg.Complete = func(string, int) (int, []string) { panic("as told") }
		return edit(cfg)
	}
	return s.Run(newFake(), nil)
}

type brokenNetwork struct{ socket.System }

func (*brokenNetwork) Dial(context.Context, string) (net.Conn, error) { panic("as told") }

func panickingEngine(s *Shell) int {
	cfg := s.EngineConfig()
	cfg.Network = &brokenNetwork{}
	chat, err := engine.Open(cfg)
	if err != nil {
		return s.Fail(err)
	}
	return s.Run(chat, nil)
}

func panickingProgram(told string) int {
	part, home, _ := strings.Cut(told, " ")
	opts, err := Parse([]string{"--home", home, "--listen", "none"})
	if err != nil {
		panic(err)
	}
	shell, err := New(opts, Standard())
	if err != nil {
		panic(err)
	}
	return panicking[part].run(shell)
}
