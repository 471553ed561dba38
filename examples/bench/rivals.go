package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Other systems at the same work, by small programs that are here for it. Each has a module of its own, which `make
// bench-compare` builds; one that could not be built is left out with a word.

const (
	gossipsubEd25519 = "gossipsub, Ed25519"
	gossipsubRSA     = "gossipsub, RSA-2048"
	hypercores       = "hypercore"
)

// besides are the systems that talk is measured beside: the floor, or what is there of the others.
func (r *runner) besides() []system {
	if !r.compare {
		return []system{r.floor()}
	}
	var all []system
	if gossipsub := filepath.Join(r.cache, "gossipsub"); r.there(gossipsub, "gossipsub") {
		with := func(key string) func(string) *exec.Cmd {
			return func(string) *exec.Cmd { return exec.Command(gossipsub, "-key", key) }
		}
		all = append(all, system{name: gossipsubEd25519, wholly: true, command: with("ed25519")},
			system{name: gossipsubRSA, wholly: true, command: with("rsa")})
	}
	if r.there(hypercoreModules, hypercores) {
		all = append(all, r.hypercore())
	}
	return all
}

const (
	hypercoreMember  = "examples/bench/hypercore/member.mjs"
	hypercoreModules = "examples/bench/hypercore/node_modules"
)

func (r *runner) hypercore() system {
	return system{name: hypercores, wholly: true, command: func(home string) *exec.Cmd { return exec.Command("node", hypercoreMember, home) }}
}

func (r *runner) there(path, what string) bool {
	_, err := os.Stat(path)
	if err != nil {
		fmt.Fprintf(os.Stderr, "skipped: %s is not there: %v\n", what, err)
	}
	return err == nil
}

// hypercoreCatchUp starts a chat of hypercores with a long round, and gives what measures a newcomer to it.
func (r *runner) hypercoreCatchUp() (newcomer func(name string) (time.Duration, error), end func(), err error) {
	s := r.hypercore()
	server, err := s.start("filled", filepath.Join(r.dir, "filled"))
	if err != nil {
		return nil, nil, err
	}
	end = func() { leave([]*member{server}) }
	_, err = server.ask(fmt.Sprintf("/fill %d", r.blocks), event("reply"))
	invite := ""
	if err == nil {
		invite, err = server.invite()
	}
	return func(name string) (time.Duration, error) {
		m, err := s.start(name, filepath.Join(r.dir, "hypercore-"+name))
		if err != nil {
			return 0, err
		}
		defer leave([]*member{m})
		caught, began := m.expect(caughtUp), time.Now()
		if err := m.say("/join " + invite); err != nil {
			return 0, err
		}
		at, err := m.until(caught)
		return at.Sub(began), err
	}, end, err
}
