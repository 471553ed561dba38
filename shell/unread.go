package shell

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"opentalk/engine"
	"opentalk/shell/term"
)

const (
	maxUnread   = 200 // unread messages that are shown on entering a round: the rest is for /history
	maxCounted  = 999 // unread messages that the prompt counts
	maxActivity = 3   // rounds that the prompt names
	maxNameCols = 12  // of each of these
)

// place is how far one has read in a round, and what has come since while one was in another.
type place struct {
	read               engine.Position // of the newest message that was on the screen; zero before the first
	messages, mentions int
}

func (b *book) place(tag engine.Tag) *place {
	p := b.places[tag]
	if p == nil {
		p = &place{}
		b.places[tag] = p
	}
	return p
}

// read notes that a message was on the screen.
func (b *book) read(m engine.Message) {
	if p := b.place(m.Round); m.At.Compare(p.read) > 0 {
		p.read = m.At
	}
}

// missed counts a message of a round that is not on the screen.
func (b *book) missed(m engine.Message, mention bool) {
	if m.Own || m.From.Ignored {
		return
	}
	p := b.place(m.Round)
	p.messages = min(p.messages+1, maxCounted+1)
	if mention {
		p.mentions = min(p.mentions+1, maxCounted+1)
	}
}

// here reports whether what happens in a round belongs on the screen: in the current one, and in one that is being joined,
// which has no name yet.
func (b *book) here(tag engine.Tag) bool {
	return b.inRound && tag == b.current || b.rounds[tag].Name == ""
}

// prompt names the round that lines go to, what one misses in others, and what waits: "friends [ops 1!, work 3] (2 waiting)> ".
func (b *book) prompt() term.Text {
	round, ok := b.round()
	if !ok {
		return term.Concat(b.activity(), term.Literal("> "))
	}
	t := term.Concat(term.CleanHandle(round.Name), b.activity())
	if n := b.waiting[round.Tag]; n > 0 {
		t = term.Sprintf("%s (%s waiting)", t, bounded(n))
	}
	return term.Sprintf("%s> ", t)
}

// label is a prompt without what changes by itself, for lines that stay on the screen.
func (b *book) label() term.Text {
	round, _ := b.round()
	return term.Sprintf("%s> ", term.CleanHandle(round.Name))
}

// activity lists the rounds with something unread, those with a mention first.
func (b *book) activity() term.Text {
	var tags []engine.Tag
	for tag, p := range b.places {
		if p.messages > 0 && !b.here(tag) {
			tags = append(tags, tag)
		}
	}
	slices.SortFunc(tags, func(x, y engine.Tag) int {
		return cmp.Or(-cmp.Compare(min(1, b.places[x].mentions), min(1, b.places[y].mentions)),
			cmp.Compare(b.rounds[x].Name, b.rounds[y].Name))
	})
	var parts []term.Text
	for i, tag := range tags {
		if i == maxActivity {
			parts = append(parts, term.Sprintf("+%d", len(tags)-i))
			break
		}
		p := b.places[tag]
		part := term.Sprintf("%s %s", term.CleanHandle(b.rounds[tag].Name).Truncate(maxNameCols), bounded(p.messages))
		if p.mentions > 0 {
			part = term.Style{Bold: true}.Apply(term.Sprintf("%s!", part))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return term.Text{}
	}
	return term.Sprintf(" [%s]", term.Join(parts, term.Literal(", ")))
}

func bounded(n int) string {
	if n > maxCounted {
		return fmt.Sprintf("%d+", maxCounted)
	}
	return fmt.Sprint(n)
}

// mentions reports whether a message of somebody else names the person here.
func (b *book) mentions(m engine.Message) bool {
	return !m.Own && m.Problem == "" && (hasWord(m.Text, b.self.Handle) || hasWord(m.Text, b.own[m.Round]))
}

// called is the own handle in a round.
func (b *book) called(tag engine.Tag) string { return cmp.Or(b.own[tag], b.self.Handle) }

// hasWord reports whether text has a handle in it as a word, whatever the case.
func hasWord(text, handle string) bool {
	text, handle = strings.ToLower(text), strings.ToLower(handle)
	for from := 0; handle != ""; {
		i := strings.Index(text[from:], handle)
		if i < 0 {
			break
		}
		start, end := from+i, from+i+len(handle)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !inWord(before) && !inWord(after) {
			return true
		}
		from = end
	}
	return false
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_')
}

// unread splits what was said last into the lines that one has seen, of which n are kept, and those that one has not, and
// tells whether some of these are left out. Of a round that one never was in, what has come meanwhile is unread.
func (p place) unread(all []engine.Message, n int) (seen, news []engine.Message, more bool) {
	first := len(all)
	if p.read == (engine.Position{}) {
		first = max(0, len(all)-p.messages)
	} else if i := slices.IndexFunc(all, func(m engine.Message) bool { return m.At.Compare(p.read) > 0 && !m.Own }); i >= 0 {
		first = i
	}
	seen, news = all[:first], all[first:]
	return seen[max(0, len(seen)-n):], news, first == 0 && len(all) >= maxUnread
}

// positions are those that are kept for the next start.
func (b *book) positions() map[string]engine.Position {
	kept := map[string]engine.Position{}
	for tag := range b.rounds {
		if p := b.places[tag]; p != nil && p.read != (engine.Position{}) {
			kept[tag.String()] = p.read
		}
	}
	return kept
}
