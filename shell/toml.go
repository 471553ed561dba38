package shell

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// setting is a line of config.toml, or the lines of a long value, or those of a table, and where it stands.
type setting struct {
	key         string // of a table the first part of its name: "scripts" of [scripts.pomodoro]
	value       any
	first, last int  // lines, from 0, last included
	table       bool // it has a header
}

// configFault is something wrong in a file, which is told with it.
type configFault struct {
	file string
	line int // from 1
	err  error
}

func (f *configFault) Error() string { return fmt.Sprintf("%s:%d: %v", f.file, f.line, f.err) }
func (f *configFault) Unwrap() error { return f.err }

func (s setting) fault(err error) error { return &configFault{line: s.first + 1, err: err} }

// parseConfig takes a file apart. It knows no keys. In TOML a key and its value end where a line does, so that what has been
// read of a long value is no TOML before its end; and a line that begins with a bracket outside of a value begins a table,
// to which everything belongs up to the next one.
func parseConfig(content string) (all []setting, err error) {
	var whole map[string]any
	if err := toml.Unmarshal([]byte(content), &whole); err != nil {
		return nil, tomlFault(err)
	}
	lines := strings.SplitAfter(content, "\n")
	tables := false
	for first := 0; first < len(lines); {
		last := first
		values, err := parseLines(lines[first : last+1])
		for err != nil && last+1 < len(lines) {
			last++
			values, err = parseLines(lines[first : last+1])
		}
		header := strings.HasPrefix(strings.TrimLeft(lines[first], " \t"), "[")
		tables = tables || header
		if tables && !header {
			if table := len(all) - 1; len(values) > 0 {
				all[table].last = last
			}
			values = nil
		}
		for key, value := range values { // one, or none in a comment
			all = append(all, setting{key, value, first, last, header})
		}
		first = last + 1
	}
	return all, nil
}

// tables are what extensions are told of config.toml, whatever its keys are.
type tables struct {
	Scripts map[string]map[string]any `toml:"scripts"`
	Plugins map[string]map[string]any `toml:"plugins"`
}

// tableNames are what can stand before the dot in the header of a table.
var tableNames = []string{"scripts", "plugins"}

// parseTables returns the tables of a file that [parseConfig] has read.
func parseTables(content string) (t tables, err error) {
	err = toml.Unmarshal([]byte(content), &t)
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		return t, &configFault{line: line, err: faultf(errConfig, "%s is no table of an extension", strings.Join(bad.Key(), "."))}
	}
	return t, err
}

func parseLines(lines []string) (values map[string]any, err error) {
	err = toml.Unmarshal([]byte(strings.Join(lines, "")), &values)
	return values, err
}

func tomlFault(err error) error {
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		return &configFault{line: line, err: faultf(errConfig, "%s", strings.TrimPrefix(bad.Error(), "toml: "))}
	}
	return faultf(errConfig, "%v", err)
}

// editConfig gives a key another value, or takes it out if value is nil. Everything else in the file stays as it is, the
// comment behind the value, too.
func editConfig(content, key string, value any) (string, error) {
	settings, err := parseConfig(content)
	if err != nil {
		return "", err
	}
	written := ""
	if value != nil {
		line, err := toml.Marshal(map[string]any{key: value})
		if err != nil {
			return "", err
		}
		written = strings.TrimSuffix(string(line), "\n")
	}
	lines := strings.SplitAfter(content, "\n")
	for _, s := range settings {
		if s.key != key || s.table {
			continue
		}
		old := strings.Join(lines[s.first:s.last+1], "")
		end := strings.TrimRight(commentOf(old), "\r\n")
		if written == "" {
			end = strings.TrimLeft(end, " \t")
		}
		if written+end != "" {
			end += "\n"
		}
		return strings.Join(lines[:s.first], "") + written + end + strings.Join(lines[s.last+1:], ""), nil
	}
	if written == "" {
		return content, nil
	}
	at := endOfKeys(lines, settings)
	head, tail := strings.Join(lines[:at], ""), strings.Join(lines[at:], "")
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	if head == "" && tail != "" {
		tail = "\n" + tail
	}
	return head + written + "\n" + tail, nil
}

// endOfKeys returns the line before which a new key goes: the end of the file, or the first table and what is written over it.
func endOfKeys(lines []string, settings []setting) int {
	start := 0 // of what may be written over the first table
	for _, s := range settings {
		if !s.table {
			start = s.last + 1
			continue
		}
		at := s.first
		for at > start && strings.HasPrefix(strings.TrimSpace(lines[at-1]), "#") {
			at--
		}
		for at > start && strings.TrimSpace(lines[at-1]) == "" {
			at--
		}
		return at
	}
	return len(lines)
}

// commentOf returns what is behind a value: blanks and a comment. A # begins one where what is before it says the same.
func commentOf(text string) string {
	var whole, head map[string]any
	if toml.Unmarshal([]byte(text), &whole) != nil {
		return ""
	}
	for i := range len(text) {
		head = nil
		if text[i] == '#' && toml.Unmarshal([]byte(text[:i]), &head) == nil && reflect.DeepEqual(head, whole) {
			return text[len(strings.TrimRight(text[:i], " \t")):]
		}
	}
	return ""
}

// writeFile puts a file in the place of the one before, all of it or nothing, for its owner alone if there was none. Behind a
// symbolic link it is what that leads to.
func writeFile(file string, content []byte) (err error) {
	mode := os.FileMode(0o600)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = bytes.NewReader(content).WriteTo(tmp)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
