package plugins

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// leftovers is the file that tells the next start what to clear away if this one has no end: the processes of plugins and
// the folder of their sockets. A process is known by its number and by when it started, since numbers come again.
type leftovers struct {
	path string

	mu      sync.Mutex
	Sockets string         `json:"sockets"`
	Started map[int]string `json:"started"` // when, by process id
}

const socketsPrefix = "ot-"

// clearLeftovers ends what an earlier run has left and makes a folder for sockets. The home must be held by this process.
func clearLeftovers(path string) (*leftovers, error) {
	var old leftovers
	text, err := readBounded(path, maxLock)
	if err == nil {
		err = json.Unmarshal(text, &old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		old = leftovers{} // not whole: what it told of is lost
	}
	for pid, started := range old.Started {
		if p, err := os.FindProcess(pid); err == nil && started != "" && startOf(pid) == started {
			killGroup(p)
		}
	}
	if strings.HasPrefix(filepath.Base(old.Sockets), socketsPrefix) {
		if info, err := os.Lstat(old.Sockets); err == nil && info.IsDir() && checkOwner(info) == nil {
			os.RemoveAll(old.Sockets)
		}
	}
	l := &leftovers{path: path, Started: map[int]string{}}
	if l.Sockets, err = os.MkdirTemp(socketsRoot(), socketsPrefix); err != nil { // 0700
		return nil, err
	}
	return l, l.write()
}

// socketsRoot is where the folder of the sockets is made. Their whole path must fit in 104 bytes.
func socketsRoot() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && len(dir) < 40 {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && checkOwner(info) == nil {
			return dir
		}
	}
	if dir := os.TempDir(); len(dir) < 52 {
		return dir
	}
	return "/tmp"
}

func (l *leftovers) write() error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return writeFile(l.path, text)
}

func (l *leftovers) add(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Started[pid] = startOf(pid)
	l.write()
}

func (l *leftovers) remove(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.Started, pid)
	l.write()
}

// close leaves nothing behind. Every process must have ended.
func (l *leftovers) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	os.RemoveAll(l.Sockets)
	os.Remove(l.path)
}
