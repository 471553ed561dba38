package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// logFile is the log of one extension: what its process wrote to its outputs, and what it logged. It is begun anew at
// maxLog, the old one kept beside it, and takes no more than logRate: what is above is counted and thrown away.
type logFile struct {
	path  string
	limit *rate.Limiter

	mu   sync.Mutex
	file *os.File // nil until something is written
	size int64
	lost int // bytes
}

func newLog(dir, name string) *logFile {
	return &logFile{path: filepath.Join(dir, "logs", name+".log"), limit: rate.NewLimiter(logRate, logBurst)}
}

// line writes a line, whose origin and level what tells. Errors are swallowed: there is nowhere to write them.
func (l *logFile) line(what, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(text) > maxLogLine {
		text = text[:maxLogLine] + " …"
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\n", "\\n"), "\ufffd")
	now := time.Now()
	if !l.limit.AllowN(now, len(text)) {
		l.lost += len(text)
		return
	}
	var lost string
	if l.lost > 0 {
		lost = fmt.Sprintf("%s %s %d bytes came too fast and are lost\n", stamp(now), "log", l.lost)
		l.lost = 0
	}
	l.write(fmt.Sprintf("%s%s %s %s\n", lost, stamp(now), what, text))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (l *logFile) write(text string) {
	if l.file != nil && l.size+int64(len(text)) > maxLog {
		l.file.Close()
		l.file = nil
		os.Rename(l.path, l.path+".old")
	}
	if l.file == nil && l.open() != nil {
		return
	}
	n, _ := l.file.WriteString(text)
	l.size += int64(n)
}

func (l *logFile) open() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// tail returns the last n lines, foreign text.
func (l *logFile) tail(n int) ([]string, error) {
	text, err := readBounded(l.path, 2*maxLog)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return lines[max(0, len(lines)-n):], nil
}

// lines is a writer that logs each line that is written to it.
type lines struct {
	log  *logFile
	what string

	mu   sync.Mutex
	rest []byte
}

func (w *lines) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, part := range bytes.SplitAfter(p, []byte("\n")) {
		w.rest = append(w.rest, part[:min(len(part), maxLogLine+1)]...)
		if bytes.HasSuffix(part, []byte("\n")) || len(w.rest) > maxLogLine {
			w.flush()
		}
	}
	return len(p), nil
}

func (w *lines) flush() {
	if text := strings.TrimRight(string(w.rest), "\r\n"); text != "" {
		w.log.line(w.what, text)
	}
	w.rest = w.rest[:0]
}
