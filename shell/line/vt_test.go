package line

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// vt is a model of a terminal: a grid of cells, what scrolled off its top, and a cursor. It knows the sequences that the editor
// may emit, and records any other as a fault.
type vt struct {
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
	pastes  int  // how often it was switched on
	bells   int
	osc     []string
	faults  []string
}

const wideTail = "\x00"

func newVT(cols, height int) *vt {
	v := &vt{cols: cols, height: height, changed: make(chan struct{})}
	for range height {
		v.grid = append(v.grid, make([]string, cols))
	}
	return v
}

// Write takes output of the editor, which a read may have cut anywhere.
func (v *vt) Write(p []byte) (int, error) {
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

// step carries out what b begins with and returns its length, or 0 if it is incomplete.
func (v *vt) step(b []byte) int {
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
		v.put(string(r))
		return n
	}
	return 1
}

func (v *vt) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func (v *vt) lineFeed() {
	v.col = min(v.col, v.cols-1)
	if v.row++; v.row < v.height {
		return
	}
	v.row--
	v.scroll = append(v.scroll, rowText(v.grid[0]))
	v.grid = append(v.grid[1:], make([]string, v.cols))
}

// put shows a rune at the cursor, or adds it to the cluster before.
func (v *vt) put(r string) {
	// Half-width voicing marks belong to the cluster before, yet terminals give them a cell.
	if at := v.col - 1; at >= 0 && r != "\uff9e" && r != "\uff9f" {
		if v.grid[v.row][at] == wideTail {
			at--
		}
		if before := v.grid[v.row][at]; before != "" && uniseg.GraphemeClusterCount(before+r) == 1 {
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

func cellWidth(s string) int {
	return uniseg.StringWidth(s) + strings.Count(s, "\uff9e") + strings.Count(s, "\uff9f")
}

func (v *vt) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case ']':
		if end := strings.IndexByte(string(b), 7); end > 0 {
			v.osc = append(v.osc, string(b[2:end]))
			return end + 1
		}
		return 0
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

func (v *vt) csi(arg string, final byte) {
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
	case final == 'J' && arg == "":
		clear(v.grid[v.row][min(v.col, v.cols):])
		for _, row := range v.grid[v.row+1:] {
			clear(row)
		}
	case final == 'J' && arg == "2":
		for _, row := range v.grid {
			clear(row)
		}
	case final == 'm':
	case arg == "?2004" && (final == 'h' || final == 'l'):
		if v.paste = final == 'h'; v.paste {
			v.pastes++
		}
	default:
		v.fault("CSI %s %c", arg, final)
	}
}

// resize reflows as most terminals do: what is in a row that has become too long goes on in the next.
func (v *vt) resize(cols, height int) {
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

// view returns the rows in use, with the cursor shown as ▮ before the character it is on.
func (v *vt) view() string {
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

// all returns every row, those scrolled off first.
func (v *vt) all() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows := append([]string(nil), v.scroll...)
	for _, cells := range v.grid {
		rows = append(rows, rowText(cells))
	}
	return rows
}
