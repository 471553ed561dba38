// Package vt is a terminal for tests: what is written to it becomes a grid of cells that a test compares as text.
//
// It knows the few sequences that opentalk means to send: colours, bracketed paste, moves and erasing of the line editor, the
// bell, and OSC 9. Any other control character or sequence, whatever a real terminal would make of it, is a fault, and so are
// bytes that are not UTF-8 and characters that are invisible or change the direction of text. Nothing but tests imports it.
package vt

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Terminal is a grid of cells, what scrolled off its top, and a cursor. Its methods may be called from any goroutine. Use [New].
type Terminal struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each write
	cols    int
	height  int
	scroll  []string   // rows that have left at the top
	grid    [][]string // a cell's cluster; "" is blank, wideTail the right half of a wide one
	row     int
	col     int // == cols after the last column has been written
	rest    []byte
	paste   bool // bracketed paste is on
	pastes  int
	styles  int
	bells   int
	notices []string
	faults  []string
}

const (
	wideTail  = "\x00"
	maxScroll = 20000 // rows kept above the top; then the older half is forgotten
)

// New returns an empty terminal.
func New(cols, rows int) *Terminal {
	v := &Terminal{cols: cols, height: rows, changed: make(chan struct{})}
	for range rows {
		v.grid = append(v.grid, make([]string, cols))
	}
	return v
}

// Wait returns whether condition, which is tried after each write and may call the terminal's other methods, has become true.
func (v *Terminal) Wait(patience time.Duration, condition func() bool) bool {
	for late := time.After(patience); ; {
		v.mu.Lock()
		changed := v.changed
		v.mu.Unlock()
		if condition() {
			return true
		}
		select {
		case <-changed:
		case <-late:
			return false
		}
	}
}

// Bells returns how often the bell rang.
func (v *Terminal) Bells() int { v.mu.Lock(); defer v.mu.Unlock(); return v.bells }

// Styles returns how many sequences changed colour or style.
func (v *Terminal) Styles() int { v.mu.Lock(); defer v.mu.Unlock(); return v.styles }

// Notices returns the texts of the notifications that were asked for by OSC 9.
func (v *Terminal) Notices() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.notices)
}

// Paste returns whether bracketed paste is on, and how often it was switched on.
func (v *Terminal) Paste() (on bool, times int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.paste, v.pastes
}

// Faults returns what came that a terminal must not be sent.
func (v *Terminal) Faults() []string { v.mu.Lock(); defer v.mu.Unlock(); return slices.Clone(v.faults) }

// Write takes output, which may be cut anywhere. It never fails.
func (v *Terminal) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rest = append(v.rest, p...)
	for len(v.rest) > 0 {
		n := v.step(v.rest)
		if n == 0 {
			break
		}
		v.rest = v.rest[n:]
	}
	close(v.changed)
	v.changed = make(chan struct{})
	return len(p), nil
}

// Follow writes to the terminal what r gives, until that ends.
func (v *Terminal) Follow(r io.Reader) {
	buf := make([]byte, 1000) // small and odd, so that sequences are cut
	for {
		n, err := r.Read(buf)
		v.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

// step carries out what b begins with and returns its length, or 0 if it is incomplete.
func (v *Terminal) step(b []byte) int {
	switch {
	case b[0] == 0x1b:
		return v.escape(b)
	case b[0] == '\r':
		v.col = 0
	case b[0] == '\n':
		v.lineFeed()
	case b[0] == '\a':
		v.bells++
	case b[0] < 0x20 || b[0] == 0x7f:
		v.fault("control %#x", b[0])
	default:
		if !utf8.FullRune(b) {
			return 0
		}
		r, n := utf8.DecodeRune(b)
		v.check(r, n)
		v.put(string(r))
		return n
	}
	return 1
}

// check finds fault with what a terminal might obey, or a person not see.
func (v *Terminal) check(r rune, n int) {
	switch {
	case r == utf8.RuneError && n == 1:
		v.fault("a byte that is not UTF-8")
	case unicode.Is(unicode.Cc, r), unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control):
		v.fault("control %U", r)
	}
}

func (v *Terminal) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func (v *Terminal) lineFeed() {
	v.col = min(v.col, v.cols-1)
	if v.row++; v.row < v.height {
		return
	}
	v.row--
	if len(v.scroll) == maxScroll {
		v.scroll = append(v.scroll[:0], v.scroll[maxScroll/2:]...)
	}
	v.scroll = append(v.scroll, rowText(v.grid[0]))
	v.grid = append(v.grid[1:], make([]string, v.cols))
}

// put shows a rune at the cursor, or adds it to the cluster before.
func (v *Terminal) put(r string) {
	// Half-width voicing marks belong to the cluster before, yet terminals give them a cell.
	if at := v.col - 1; at >= 0 && r != "\uff9e" && r != "\uff9f" {
		if v.grid[v.row][at] == wideTail {
			at--
		}
		if before := v.grid[v.row][at]; before != "" && !ascii(before, r) && uniseg.GraphemeClusterCount(before+r) == 1 {
			v.grid[v.row][at] = before + r
			if width := cellWidth(before + r); at+width > v.col && v.col < v.cols {
				v.grid[v.row][v.col] = wideTail
				v.col++
			}
			return
		}
	}
	width := cellWidth(r)
	if v.col+width > v.cols {
		v.col = 0
		v.lineFeed()
	}
	v.grid[v.row][v.col] = r
	for i := 1; i < width && v.col+i < v.cols; i++ {
		v.grid[v.row][v.col+i] = wideTail
	}
	v.col += max(1, width)
}

// ascii reports whether two clusters are plain characters, which never become one.
func ascii(a, b string) bool {
	return len(a) == 1 && len(b) == 1 && a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf
}

func cellWidth(s string) int {
	return uniseg.StringWidth(s) + strings.Count(s, "\uff9e") + strings.Count(s, "\uff9f")
}

func (v *Terminal) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case ']':
		end := slices.Index(b, 7)
		if end < 0 {
			return 0
		}
		v.osc(string(b[2:end]))
		return end + 1
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				v.csi(string(b[2:i]), b[i])
				return i + 1
			}
		}
		return 0
	}
	v.fault("escape %q", b[:2])
	return 2
}

func (v *Terminal) osc(text string) {
	notice, ok := strings.CutPrefix(text, "9;")
	if !ok || !utf8.ValidString(notice) || strings.ContainsFunc(notice, unicode.IsControl) {
		v.fault("OSC %q", text)
		return
	}
	v.notices = append(v.notices, notice)
}

// style is what package term sends, and nothing else: text may be dim, but not hidden, and a reset is a reset.
var style = regexp.MustCompile(`^(0|(1;?)?(2;?)?(7;?)?(38;5;[0-9]+)?)$`)

func (v *Terminal) csi(arg string, final byte) {
	n, _ := strconv.Atoi(arg)
	switch {
	case final == 'A' && n > 0:
		if n > v.row {
			v.fault("cursor moved up by %d from row %d", n, v.row)
		}
		v.row = max(0, v.row-n)
		v.col = min(v.col, v.cols-1)
	case final == 'C' && n > 0:
		v.col = min(v.col+n, v.cols-1)
	case final == 'H' && arg == "":
		v.row, v.col = 0, 0
	case final == 'K' && arg == "":
		clear(v.grid[v.row][min(v.col, v.cols):])
	case final == 'J' && arg == "":
		if v.row == 0 && v.col == 0 {
			v.keep()
		}
		clear(v.grid[v.row][min(v.col, v.cols):])
		for _, row := range v.grid[v.row+1:] {
			clear(row)
		}
	case final == 'J' && arg == "2":
		for _, row := range v.grid {
			clear(row)
		}
	case final == 'm' && arg != "" && style.MatchString(arg):
		v.styles++
	case arg == "?2004" && (final == 'h' || final == 'l'):
		if v.paste = final == 'h'; v.paste {
			v.pastes++
		}
	default:
		v.fault("CSI %s %c", arg, final)
	}
}

// keep moves what is on the grid above the top, as tmux does when all is erased at once.
func (v *Terminal) keep() {
	used := v.height
	for used > 0 && rowText(v.grid[used-1]) == "" {
		used--
	}
	for _, row := range v.grid[:used] {
		v.scroll = append(v.scroll, rowText(row))
	}
}

// Resize changes the size. It reflows as most terminals do: what is in a row that has become too long goes on in the next.
func (v *Terminal) Resize(cols, height int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.grid[:v.row+1]
	row, col := v.row, v.col
	v.cols, v.height, v.grid, v.row, v.col = cols, height, nil, 0, 0
	for range height {
		v.grid = append(v.grid, make([]string, cols))
	}
	for i, cells := range old {
		if i > 0 {
			v.col = 0
			v.lineFeed()
		}
		used := len(cells)
		for used > 0 && cells[used-1] == "" && !(i == row && used <= col) {
			used--
		}
		for _, c := range cells[:used] {
			switch c {
			case "":
				v.put(" ")
			case wideTail:
			default:
				v.put(c)
			}
		}
		if i == row && col < used { // the cursor stays with its character
			back := used - col
			for v.col -= back; v.col < 0; v.col += cols {
				v.row--
			}
		}
	}
}

func rowText(cells []string) string {
	var b strings.Builder
	for _, c := range cells {
		switch c {
		case "":
			b.WriteByte(' ')
		case wideTail:
		default:
			b.WriteString(c)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Screen returns the rows in use, with the cursor shown as ▮ before the character it is on.
func (v *Terminal) Screen() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var rows []string
	for i, cells := range v.grid {
		if i == v.row {
			at := min(v.col, len(cells))
			left := strings.ReplaceAll(rowText(append(append([]string(nil), cells[:at]...), "▮")), wideTail, "")
			rows = append(rows, strings.TrimRight(left+rowText(cells[at:]), " "))
			continue
		}
		rows = append(rows, rowText(cells))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// Rows returns every row, those scrolled off first.
func (v *Terminal) Rows() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows := append([]string(nil), v.scroll...)
	for _, cells := range v.grid {
		rows = append(rows, rowText(cells))
	}
	return rows
}
