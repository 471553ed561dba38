package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"opentalk/engine/identity"
)

func init() {
	children["write"] = func(path string) {
		s, err := Open(path)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer s.Close()
		n, err := crashStep(s)
		for err == nil {
			if n, err = crashNext(s, n); err == nil {
				fmt.Println(n)
			}
		}
		fmt.Println(err)
	}
}

// crashStep returns how many steps of crashNext there were.
func crashStep(s *Store) (uint64, error) {
	value, ok, err := s.Setting(testTag, "step")
	if errors.Is(err, ErrNoRound) || err == nil && !ok {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

// crashNext is one Write of five blocks, a draft in and one out, and the number of the step.
func crashNext(s *Store, n uint64) (uint64, error) {
	return n + 1, s.Write(func(t Tx) error {
		if n == 0 {
			if err := t.AddRound(testTag, nil); err != nil {
				return err
			}
		}
		step := number(n + 1)
		var in, out [16]byte
		copy(in[:], step)
		copy(out[:], number(n))
		return errors.Join(
			addBlocks(t, int(5*n), int(5*n+5)),
			t.PutDraft(testTag, in, step), t.RemoveDraft(testTag, out),
			t.PutPeer(testTag, identity.Device{byte(n)}, step),
			t.PutSetting(testTag, "step", step),
		)
	})
}

// TestKill kills a writing process at random instants, counted from its start and from its first Write in turns. What its Write
// returned for is there, and no part of anything else.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	var last uint64
	for i := range *kills {
		cmd, out := child(t, "write", path)
		soon := time.Duration(5+rand.IntN(80)) * time.Millisecond
		kill := sync.OnceFunc(func() { time.AfterFunc(soon, func() { cmd.Process.Kill() }) })
		if i%2 == 1 {
			kill()
		}
		for out.Scan() {
			kill()
			n, err := strconv.ParseUint(out.Text(), 10, 64)
			if err != nil {
				t.Fatal(out.Text())
			}
			last = n
		}
		cmd.Wait()
		last = afterKill(t, path, last)
	}
	if last < uint64(*kills/2) {
		t.Errorf("only %d steps: the children did not come to writing", last)
	}
}

func afterKill(t *testing.T, path string, acknowledged uint64) uint64 {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	n, err := crashStep(s)
	if err != nil || n < acknowledged || n > acknowledged+1 {
		t.Fatalf("step %d after %d was acknowledged: %v", n, acknowledged, err)
	}
	if n == 0 {
		return 0
	}
	count, err := s.Count(testTag)
	if err != nil || count != 5*n {
		t.Fatalf("%d blocks in %d steps: %v", count, n, err)
	}
	drafts, err := s.Drafts(testTag)
	if err != nil || len(drafts) != 1 || binary.BigEndian.Uint64(drafts[0].Value) != n {
		t.Fatal(drafts, err)
	}
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.Doubt() != nil {
		t.Fatal(s.Doubt())
	}
	return n
}
