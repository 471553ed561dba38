package shell

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"opentalk/engine"
	"opentalk/shell/term"
)

// names is what Tab completes from: what there is, and what has been typed so far of a command.
type names struct {
	rounds []string
	people []string // who spoke last first
	round  string   // the current one
	ext    *extensions

	args []string // before the one that is being typed
	word string   // as far as it is typed
}

// source gives what may stand for one argument of a command. What does not begin with the word being typed is left out later.
type source func(names) []string

func (n names) ofRounds() []string { return n.rounds }

func (n names) ofCommands() (all []string) {
	for _, c := range commands() {
		all = append(all, c.name)
	}
	all = append(all, n.ext.names()...)
	slices.Sort(all)
	return all
}

func (n names) ofPlugins() []string { return n.ext.plugins() }

// maxEntries bounds how much of a folder is read while a person waits.
const maxEntries = 10000

// ofFiles are files and folders, these with a slash at the end. A name that can't be typed as one word is left out, and one that
// begins with a dot unless that is typed.
func (n names) ofFiles() (all []string) {
	folder, start := filepath.Split(n.word)
	f, err := os.Open(cmp.Or(folder, "."))
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxEntries)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && start == "" || strings.Contains(name, " ") || term.CleanLine(name).String() != name {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		all = append(all, folder+name)
	}
	slices.Sort(all)
	return all
}

// oneOf is a source of words that do not change, such as sub-commands.
func oneOf(words ...string) source { return func(names) []string { return words } }

func (n names) ofKeys() []string {
	var all []string
	for _, o := range options() {
		if o.key != "" {
			all = append(all, o.key)
		}
	}
	return all
}

// ofValues are those of the key that was typed.
func (n names) ofValues() []string {
	if o, err := findKey(n.args[0]); err == nil {
		return o.words
	}
	return nil
}

// complete returns what may stand in place of line[from:pos]: commands, what a command takes, and in a message the handles
// of others.
func (n names) complete(line string, pos int) (from int, candidates []string) {
	before := line[:pos]
	from = strings.LastIndexAny(before, " \n\t") + 1
	n.word = before[from:]
	name, rest, isCommand := splitCommand(before)
	switch c := cmp.Or(lookup(name), n.ext.extended(name)); {
	case isCommand && from == 0:
		n.word = n.word[1:]
		return from + 1, n.matching(n.ofCommands(), " ")
	case isCommand && (c == nil || !c.text):
		n.args = strings.Fields(strings.TrimSuffix(rest, n.word))
		return from, n.arguments(c)
	case n.word == "":
		return from, nil
	case from == 0:
		return from, n.matching(n.people, ": ")
	}
	return from, n.matching(n.people, " ")
}

// arguments are those that command c, if there is one, may take next.
func (n names) arguments(c *command) []string {
	switch {
	case c == nil:
		return nil
	case c.completeAny != nil:
		return n.matching(c.completeAny(n), " ")
	case len(n.args) >= len(c.complete):
		return nil
	}
	return n.matching(c.complete[len(n.args)](n), " ")
}

// matching returns those of all that go on from the word, whatever the case, with suffix, or as they are if they end in a slash.
func (n names) matching(all []string, suffix string) (found []string) {
	for _, full := range all {
		if len(full) < len(n.word) || !strings.EqualFold(full[:len(n.word)], n.word) {
			continue
		}
		if !strings.HasSuffix(full, "/") {
			full += suffix
		}
		found = append(found, full)
	}
	return found
}

// complete is [line.Config.Complete]: it asks the loop for what there is.
func (s *Shell) complete(line string, pos int) (from int, candidates []string) {
	n, err := ask(s.ctx, s, func() (names, error) { return s.book.names(), nil })
	if err != nil {
		return pos, nil // the chat ends
	}
	n.ext = s.ext
	return n.complete(line, pos)
}

// names are those that Tab completes from, but for what extensions add.
func (b *book) names() names {
	round, _ := b.round()
	n := names{round: round.Name}
	for _, r := range b.rounds {
		n.rounds = append(n.rounds, term.CleanHandle(r.Name).String())
	}
	slices.Sort(n.rounds)
	who := slices.Collect(maps.Keys(b.people))
	slices.SortFunc(who, func(x, y engine.Fingerprint) int {
		return cmp.Or(b.spoken[y]-b.spoken[x], strings.Compare(b.people[x], b.people[y]))
	})
	for _, f := range who {
		n.people = append(n.people, term.CleanHandle(b.people[f]).String())
	}
	return n
}
