package shell

import "opentalk/engine"

// panics is the variable that makes the test binary the program of [TestPanicGivesTheTerminalBack], with a home.
const panics = "SHELL_TEST_PANICS"

// panicking is an engine that has a bug.
type panicking struct{ *fake }

func (panicking) Peers(engine.Tag) ([]engine.Peer, error) { panic("as told") }

func panickingProgram(home string) {
	opts, _ := Parse([]string{"--home", home})
	shell, err := New(opts, Standard())
	if err != nil {
		panic(err)
	}
	defer shell.Close()
	f := newFake()
	f.add("friends")
	shell.Run(panicking{f}, nil)
}
