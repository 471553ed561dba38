package line

import "opentalk/shell/term"

// search is Ctrl-R: the line shows the entry found, and the row below what is looked for.
type search struct {
	query  []rune
	at     int // entry found, len(entries) for none yet
	failed bool
	before buffer // the line to go back to
}

func (e *editor) startSearch() {
	e.search = &search{at: len(e.history.entries), before: e.buf.clone()}
}

// searchKey handles a key while searching. It reports false for a key that ends the search and then does what it always does.
func (e *editor) searchKey(k rune) bool {
	s := e.search
	switch {
	case k == keySearch:
		e.searchFrom(s.at, -1)
	case k == keySearchForward:
		e.searchFrom(s.at, 1)
	case k == keyBackspace:
		if len(s.query) > 0 {
			s.query = s.query[:len(s.query)-1]
		}
		e.searchFrom(len(e.history.entries), -1)
	case k == keyEscape:
		e.buf, e.search = s.before, nil
	case typable(k):
		s.query = append(s.query, k)
		e.searchFrom(min(s.at+1, len(e.history.entries)), -1)
	default:
		e.search = nil
		return false
	}
	return true
}

// searchFrom looks for the query before or after an entry and shows what it finds.
func (e *editor) searchFrom(from, by int) {
	s := e.search
	if len(s.query) == 0 {
		s.failed, s.at = false, len(e.history.entries)
		e.buf = s.before.clone()
		return
	}
	i := e.history.find(string(s.query), from, by)
	if s.failed = i < 0; s.failed {
		e.screen.bell()
		return
	}
	s.at = i
	text := held(e.history.entries[i])
	e.buf = buffer{text, len(text)}
}

func (s *search) row() term.Text {
	if s.failed {
		return term.Sprintf("search: %s (not found)", string(s.query))
	}
	return term.Sprintf("search: %s", string(s.query))
}
