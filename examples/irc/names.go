package main

import (
	"maps"
	"strconv"

	"github.com/ergochat/irc-go/ircmsg"
)

// name is what somebody, or a round, is called in IRC: Base, or Base and a part of its id where another is called so.
type name struct {
	Base string `json:"base"`
	Name string `json:"name"`
}

// names are those of one kind of things, each unique, and as stable as their bases are: whoever had a name first keeps it, and
// what was added to that of another is remembered beyond the end of the plugin.
type names struct {
	limit int // bytes
	by    map[string]name
	taken map[string]string // folded, to ids
	kept  map[string]name   // from earlier
	dirty bool              // what is to be kept has changed
}

func newNames(limit int) *names {
	return &names{limit: limit, by: map[string]name{}, taken: map[string]string{}, kept: map[string]name{}}
}

// keep takes what was saved.
func (n *names) keep(saved map[string]name) {
	maps.Copy(n.kept, saved)
	for id, was := range n.kept {
		n.taken[fold(was.Name)] = id
	}
}

// saved returns what is to be kept: of whoever is not called as they would be at first sight.
func (n *names) saved() map[string]name {
	saved := maps.Clone(n.kept)
	for id, now := range n.by {
		if now.Name != now.Base {
			saved[id] = now
		} else {
			delete(saved, id)
		}
	}
	return saved
}

// give returns the name of an id that would like to be called base.
func (n *names) give(id, base string) string {
	if now, ok := n.by[id]; ok && now.Base == base {
		return now.Name
	}
	given := name{Base: base, Name: base}
	if was := n.kept[id]; was.Base == base {
		given = was
	} else {
		n.drop(id)
		n.dirty = n.dirty || was.Name != ""
		for i := 1; !n.free(given.Name, id); i++ {
			suffix := "_" + id[:min(4, len(id))]
			if i > 1 {
				suffix += "_" + strconv.Itoa(i)
			}
			given.Name, n.dirty = ircmsg.TruncateUTF8Safe(base, n.limit-len(suffix))+suffix, true
		}
	}
	n.by[id], n.taken[fold(given.Name)] = given, id
	return given.Name
}

func (n *names) free(name, id string) bool {
	holder, taken := n.taken[fold(name)]
	return !taken || holder == id
}

// drop forgets what an id is called, so that another may be called so.
func (n *names) drop(id string) {
	for _, was := range []name{n.by[id], n.kept[id]} {
		if n.taken[fold(was.Name)] == id {
			delete(n.taken, fold(was.Name))
		}
	}
	delete(n.by, id)
	delete(n.kept, id)
}

// id returns whose name this is, "" if it is nobody's.
func (n *names) id(name string) string {
	id := n.taken[fold(name)]
	if _, here := n.by[id]; !here {
		return ""
	}
	return id
}
