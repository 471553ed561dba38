package shell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"opentalk/engine"
	"opentalk/shell/term"
)

const (
	historyUsual = 20     // messages of /history
	historyMost  = 10_000 // that it shows at once: more is for /export
	searchPage   = 100    // what /search finds before a person is asked whether to go on
	dateFormat   = "2006-01-02"
)

// page is where reading the past was left, for what goes on from there.
type page struct {
	round       engine.Tag // that /history showed
	first, last engine.Position
	search      search
}

func readCommands() []command {
	return []command{
		{name: "history", args: "[N|DATE|more|next] [N]", max: 2, run: runHistory,
			help: "shows messages again",
			more: "The last 20 or N; those from a day on, up to 20 or N; with more those before what was shown last, with next those after it.", example: "/history 2026-11-20"},
		{name: "search", args: "[-a] [TEXT]", max: 1, text: true, long: true, run: runSearch,
			help:    "finds messages, the newest first",
			more:    "In this round, or with -a in all of them. Case makes no difference. After a hundred, and without TEXT, it goes on with the search before; ctrl-c gives it up.",
			example: "/search tonight"},
		{name: "export", args: "FILE", min: 1, max: 1, long: true, run: runExport, complete: []source{names.ofFiles},
			help: "writes the messages of this round to a file",
			more: "Text, or JSON Lines if FILE ends in .jsonl. FILE is new, in the folder that opentalk was started in. What was interrupted goes on with the same command.", example: "/export friends.jsonl"},
	}
}

// show tells a message out of the past, and returns how many that were: none, if a filter drops it.
func (c *call) show(p past) int {
	p.line = c.line
	seen := c.ext.past(c, p.message)
	for _, m := range seen {
		p.message = m
		c.tell(func(v view) { v.past(p) })
	}
	return len(seen)
}

func runHistory(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	messages, rest, err := pick(c, round)
	switch {
	case err != nil:
		return err
	case len(messages) == 0:
		c.say(term.Literal("there is nothing more to show"))
		return nil
	case rest:
		c.say(dim(term.Literal("(/history next shows those after)")))
	}
	days := c.look.days()
	for _, m := range messages {
		c.show(past{message: m, days: days})
	}
	p := c.page
	p.round, p.first, p.last = round.Tag, messages[0].At, messages[len(messages)-1].At
	c.then = func(s *Shell) { s.page = p }
	return nil
}

// pick returns the messages that /history is asked for, oldest first; rest tells that some after them were asked for, too, and
// were too many.
func pick(c *call, round engine.Round) (all []engine.Message, rest bool, err error) {
	what, n := "", historyUsual
	if len(c.args) > 0 {
		what = c.args[0]
	}
	counted := c.args
	if what == "more" || what == "next" || strings.Contains(what, "-") {
		counted = c.args[1:]
	} else if what = ""; len(c.args) == 2 {
		return nil, false, faultf(errArity, "usage: %s", c.command.usage())
	}
	if len(counted) > 0 {
		if n, err = number(counted[0], historyMost); err != nil && what == "" {
			return nil, false, faultf(errValue, "%v, nor a day", err).but("for example: /history 50, or %s", c.command.example)
		} else if err != nil {
			return nil, false, err
		}
	}
	if (what == "more" || what == "next") && c.page.round != round.Tag {
		return nil, false, faultf(errValue, "nothing of %s has been shown yet", round.Name).but("/history shows the last messages; then /history more those before")
	}
	at := c.page.last
	switch what {
	case "":
		all, err = before(c, round, engine.Position{}, n)
		return all, false, err
	case "more":
		all, err = before(c, round, c.page.first, n)
		return all, false, err
	case "next":
	default:
		day, err := time.ParseInLocation(dateFormat, what, c.look.zone)
		if err != nil {
			return nil, false, faultf(errValue, "%q is no date", what).but("write it as %s", time.Now().Format(dateFormat))
		}
		at = engine.PositionAt(day)
	}
	all, err = after(c, round, at, n+1)
	return all[:min(n, len(all))], len(all) > n, err
}

// before returns the n messages before a position: a page of the engine's at a time.
func before(c *call, round engine.Round, at engine.Position, n int) (all []engine.Message, err error) {
	for len(all) < n {
		page, err := c.History(round.Tag, at, min(n, engine.MaxHistory))
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		at = page[0].At
		all = append(slices.DeleteFunc(page, c.hides), all...)
	}
	return all[max(0, len(all)-n):], nil
}

// hides reports whether a message is kept from a person. Programs are told of it as one that is ignored.
func (c *call) hides(m engine.Message) bool { return m.From.Ignored && !c.opts.JSON }

func after(c *call, round engine.Round, at engine.Position, n int) (all []engine.Message, err error) {
	among, err := c.Arrived(c, round.Tag)
	if err != nil {
		return nil, err
	}
	for m, err := range c.After(c, round.Tag, at, among) {
		if err != nil {
			return nil, err
		}
		if c.hides(m) {
			continue
		}
		if all = append(all, m); len(all) == n {
			break
		}
	}
	return all, nil
}

// search is what is still to be looked through.
type search struct {
	text   string
	rounds []engine.Round  // of the first only what is before at
	at     engine.Position // zero: all of it
}

func runSearch(c *call) error {
	s, err := newSearch(c)
	if err != nil {
		return err
	}
	found := 0
	for len(s.rounds) > 0 {
		round := s.rounds[0]
		for m, err := range c.Search(c, round.Tag, s.at, s.text) {
			switch {
			case errors.Is(err, context.Canceled):
				return faultf(context.Canceled, "the search was given up after %s", counted(found, "message"))
			case err != nil:
				return err
			case c.hides(m):
				continue
			case c.person && found == searchPage:
				c.say(dim(term.Sprintf("the newest %d are above; /search goes on", found)))
				c.leaveAt(s)
				return nil
			}
			s.at = m.At
			p := past{message: m}
			if !c.inRound || round.Tag != c.round.Tag {
				p.round = round.Name
			}
			found += c.show(p)
		}
		s.rounds, s.at = s.rounds[1:], engine.Position{}
	}
	c.say(dim(term.Sprintf("%s found", count(found, "message"))))
	c.leaveAt(search{})
	return nil
}

// leaveAt keeps where the next /search goes on.
func (c *call) leaveAt(s search) {
	c.then = func(sh *Shell) { sh.page.search = s }
}

// newSearch reads what to look for, and where. With -a the current round comes first, then the others by name.
func newSearch(c *call) (search, error) {
	text, everywhere := "", false
	if len(c.args) > 0 {
		text = strings.TrimSpace(c.args[0])
	}
	if rest, ok := strings.CutPrefix(text+" ", "-a "); ok {
		text, everywhere = strings.TrimSpace(rest), true
	}
	switch {
	case text == "" && !everywhere && len(c.page.search.rounds) > 0:
		return c.page.search, nil
	case text == "":
		return search{}, faultf(errArity, "usage: %s", c.command.usage()).but("there is no search to go on with; for example: %s", c.command.example)
	case !everywhere:
		round, err := c.current()
		return search{text: text, rounds: []engine.Round{round}}, err
	}
	rounds, err := c.Rounds()
	slices.SortStableFunc(rounds, func(a, b engine.Round) int {
		switch {
		case c.inRound && a.Tag == c.round.Tag:
			return -1
		case c.inRound && b.Tag == c.round.Tag:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return search{text: text, rounds: rounds}, err
}
