package shell

import (
	"slices"
	"strings"
	"sync/atomic"

	"opentalk/shell/term"
)

// names is what Tab completes from. It does not change once it is made.
type names struct {
	rounds []string
	people []string
}

func (n names) ofRounds() []string { return n.rounds }

func (n names) ofCommands() []string {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

func (n names) ofKeys() []string {
	var all []string
	for _, o := range options() {
		if o.key != "" {
			all = append(all, o.key)
		}
	}
	return all
}

// complete returns what may stand in place of line[from:pos]: commands, what a command takes, and in a message the handles
// of others.
func (n names) complete(line string, pos int) (from int, candidates []string) {
	before := line[:pos]
	from = strings.LastIndexAny(before, " \n\t") + 1
	word := before[from:]
	name, _, isCommand := splitCommand(before)
	switch c := lookup(name); {
	case isCommand && from == 0:
		return from, matching("/", n.ofCommands(), word, " ")
	case isCommand && c != nil && c.complete != nil:
		return from, matching("", c.complete(n), word, " ")
	case isCommand && (c == nil || !c.text), word == "":
		return from, nil
	case from == 0:
		return from, matching("", n.people, word, ": ")
	}
	return from, matching("", n.people, word, " ")
}

// matching returns prefix + name + suffix for the names that go on from word, whatever the case.
func matching(prefix string, names []string, word, suffix string) (found []string) {
	for _, name := range names {
		if full := prefix + name; len(full) >= len(word) && strings.EqualFold(full[:len(word)], word) {
			found = append(found, full+suffix)
		}
	}
	slices.Sort(found)
	return found
}

// completer is asked by the line editor, on a goroutine of its own, and told by the loop.
type completer struct{ now atomic.Pointer[names] }

func (c *completer) find(line string, pos int) (from int, candidates []string) {
	if n := c.now.Load(); n != nil {
		return n.complete(line, pos)
	}
	return names{}.complete(line, pos)
}

func (c *completer) set(b *book) {
	n := &names{}
	for _, r := range b.rounds {
		n.rounds = append(n.rounds, term.CleanHandle(r.Name).String())
	}
	for _, handle := range b.people {
		n.people = append(n.people, term.CleanHandle(handle).String())
	}
	c.now.Store(n)
}
