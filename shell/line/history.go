package line

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	maxHistory     = 500     // entries
	maxHistoryFile = 1 << 20 // bytes read at opening, from the end
)

// history is the lines entered before, oldest first. readline's own saves every line, to a file that all may read, and
// races with the keys.
type history struct {
	entries []string
	at      int    // entry shown; len(entries) is the line being typed
	draft   string // the line being typed, while an entry is shown
	file    *os.File
}

var (
	entryEscaper   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	entryUnescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
)

// openHistory reads the file at path and keeps it open for lines to come: one a line, with newlines and backslashes escaped.
// A file that has grown to more than twice the entries that are kept is written anew.
func openHistory(path string) (*history, error) {
	h := &history{}
	if path == "" {
		return h, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", err)
	}
	if err := f.Chmod(0o600); err != nil {
		f.Close()
		return nil, fmt.Errorf("protecting history: %w", err)
	}
	h.file = f
	total, err := h.load()
	if err == nil && total > 2*maxHistory {
		err = h.rewrite()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading history: %w", err)
	}
	return h, nil
}

// load reads the last entries and returns how many there were.
func (h *history) load() (int, error) {
	size, err := h.file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if _, err := h.file.Seek(max(0, size-maxHistoryFile), io.SeekStart); err != nil {
		return 0, err
	}
	total := 0
	lines := bufio.NewScanner(h.file)
	lines.Buffer(nil, maxHistoryFile+1)
	for lines.Scan() {
		if entry := entryUnescaper.Replace(lines.Text()); entry != "" {
			h.add(entry)
			total++
		}
	}
	return total, lines.Err()
}

// rewrite shortens the file to the entries kept, in place: one process has it open.
func (h *history) rewrite() error {
	if err := h.file.Truncate(0); err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range h.entries {
		b.WriteString(entryEscaper.Replace(e) + "\n")
	}
	_, err := h.file.WriteString(b.String())
	return err
}

// add makes line the newest entry, unless it is so already, and forgets the oldest above the limit.
func (h *history) add(line string) {
	if n := len(h.entries); n == 0 || h.entries[n-1] != line {
		h.entries = append(h.entries, line)
	}
	if len(h.entries) > maxHistory {
		h.entries = h.entries[1:]
	}
	h.rewind()
}

// record writes line to the file, if there is one.
func (h *history) record(line string) error {
	if h.file == nil {
		return nil
	}
	if _, err := h.file.WriteString(entryEscaper.Replace(line) + "\n"); err != nil {
		return fmt.Errorf("writing history: %w", err)
	}
	return nil
}

// rewind goes back to the line being typed.
func (h *history) rewind() { h.at, h.draft = len(h.entries), "" }

// move returns the entry that is by steps newer, given the line that is shown now, and false if there is none.
func (h *history) move(by int, shown string) (string, bool) {
	to := h.at + by
	if to < 0 || to > len(h.entries) {
		return "", false
	}
	if h.at == len(h.entries) {
		h.draft = shown
	}
	h.at = to
	if to == len(h.entries) {
		return h.draft, true
	}
	return h.entries[to], true
}

// find returns the index of the newest entry before (or, with by 1, the oldest after) from that holds query, case ignored,
// or -1.
func (h *history) find(query string, from, by int) int {
	query = strings.ToLower(query)
	for i := from + by; i >= 0 && i < len(h.entries); i += by {
		if strings.Contains(strings.ToLower(h.entries[i]), query) {
			return i
		}
	}
	return -1
}

func (h *history) close() {
	if h.file != nil {
		h.file.Close()
		h.file = nil
	}
}
