package engine_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"opentalk/engine"
	"opentalk/engine/enginetest"
)

// longRound is the home of a round with a long history. It is made once for each length and copied.
type longRound struct {
	dir    string
	tag    engine.Tag
	blocks int // with genesis
	lines  int // messages
}

var (
	longMu     sync.Mutex
	longRounds = map[int]*longRound{}
	longDir    string // made by the first, removed by TestMain
)

// longHistory gives a round with n messages, one to a block.
func longHistory(t testing.TB, n int) *longRound {
	t.Helper()
	longMu.Lock()
	defer longMu.Unlock()
	if r := longRounds[n]; r != nil {
		return r
	}
	if longDir == "" {
		var err error
		if longDir, err = os.MkdirTemp("", "opentalk-history"); err != nil {
			t.Fatal(err)
		}
	}
	r := &longRound{dir: filepath.Join(longDir, fmt.Sprint(n)), lines: n, blocks: enginetest.Authors + n}
	var err error
	if r.tag, err = enginetest.History(r.dir, n); err != nil {
		t.Fatal(err)
	}
	longRounds[n] = r
	return r
}

// home gives a copy of the home.
func (l *longRound) home(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"secrets", "rounds.db"} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
