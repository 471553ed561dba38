package shell

import (
	"time"

	"opentalk/shell/line"
	"opentalk/shell/term"
)

const (
	printRate, printBurst = 20, 100 // writes to the terminal, a second and at once: what comes faster is printed together
	printWait             = 50 * time.Millisecond
	ringPause             = 2 * time.Second // between two bells
	ringCols              = 100             // of what a notification says
)

// sheet is a paper that a line editor prints on. However much comes, it draws a few times a second only, so that the terminal
// and whoever types are not kept busy.
type sheet struct {
	editor line.Editor
	later  later

	drawn  level
	text   []term.Text // not drawn yet
	prompt term.Text
	shown  string // the prompt that the editor has
	armed  bool
	rang   time.Time
}

func (s *sheet) print(t term.Text)    { s.put(t.Wrap(s.editor.Columns(), indent)) }
func (s *sheet) raw(t term.Text)      { s.put(t) }
func (s *sheet) complain(t term.Text) { s.print(t) }

func (s *sheet) put(t term.Text) {
	s.text = append(s.text, t)
	s.soon()
}

// setPrompt changes the prompt, soon.
func (s *sheet) setPrompt(t term.Text) {
	s.prompt = t
	if t.String() != s.shown {
		s.soon()
	}
}

// soon draws at once, or in a moment if much has been drawn just now.
func (s *sheet) soon() {
	if s.armed {
		return
	}
	if s.drawn.drain(printRate); s.drawn.full < printBurst {
		s.drawn.full++
		s.flush()
		return
	}
	s.armed = true
	s.later(printWait, func() {
		s.armed = false
		s.drawn.drain(printRate)
		s.drawn.full++
		s.flush()
	})
}

func (s *sheet) flush() {
	if len(s.text) > 0 {
		s.editor.Print(term.Join(s.text, term.Literal("\n")))
		s.text = nil
	}
	if t := s.prompt.String(); t != s.shown {
		s.shown = t
		s.editor.SetPrompt(s.prompt)
	}
}

func (s *sheet) clear() {
	s.flush()
	s.editor.Clear()
}

// ring draws attention: to what, in the way of OSC 9, or with the bell alone if that is empty.
func (s *sheet) ring(what term.Text) {
	if !s.rang.IsZero() && time.Since(s.rang) < ringPause {
		return
	}
	s.rang = time.Now()
	if what.Empty() {
		s.editor.Bell()
	} else {
		s.editor.Notify(what.Truncate(ringCols))
	}
}
