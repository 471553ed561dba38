package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"opentalk/engine/skiptest"
)

// answers is what every kind of read returns, by name; an error that is ErrDamaged stands for itself.
type answers map[string]any

func ask(s *Store, blocks int) answers {
	all := answers{}
	put := func(what string, v any, err error) {
		if errors.Is(err, ErrDamaged) {
			all[what] = ErrDamaged
		} else {
			all[what] = []any{v, err}
		}
	}
	rounds, err := s.Rounds()
	put("rounds", rounds, err)
	value, err := s.Round(testTag)
	put("round", value, err)
	count, err := s.Count(testTag)
	put("count", count, err)
	for n := range blocks {
		e, _, _ := testBlock(n)
		got, ok, err := s.Entry(testTag, e.ID)
		put(fmt.Sprint("entry ", n), []any{got, ok}, err)
		b, ok, err := s.Block(testTag, e.ID)
		put(fmt.Sprint("block ", n), []any{b, ok}, err)
	}
	lists := map[string]func() ([]Block, error){
		"before": func() ([]Block, error) { return s.Before(testTag, End, Limit{}) },
		"after":  func() ([]Block, error) { return s.After(testTag, Position{}, Limit{}) },
		"since":  func() ([]Block, error) { return s.Since(testTag, 0, Limit{}) },
		"line":   func() ([]Block, error) { return s.Line(testTag, [32]byte{2}, 0, 1000, Limit{}) },
	}
	for what, fn := range lists {
		list, err := fn()
		put(what, list, err)
	}
	frontier, err := s.Frontier(testTag)
	put("frontier", frontier, err)
	heads, err := s.Heads(testTag)
	put("heads", heads, err)
	drafts, err := s.Drafts(testTag)
	put("drafts", drafts, err)
	peers, err := s.Peers(testTag)
	put("peers", peers, err)
	for n := range 41 {
		v, ok, err := s.Setting(testTag, fmt.Sprint("name", n))
		put(fmt.Sprint("setting ", n), []any{v, ok}, err)
	}
	return all
}

// harm is one way to damage a file.
type harm struct {
	what  string
	apply func([]byte) []byte
}

func harms(r *rand.Rand, size, n int) []harm {
	var all []harm
	cut := func(to int) {
		all = append(all, harm{fmt.Sprintf("cut to %d", to), func(b []byte) []byte { return b[:to] }})
	}
	for _, to := range []int{1, 15, 4095, 4096, 8191, 8192, 12288, 16384, 20000, size - 1, size - 4096} {
		cut(to)
	}
	for range n / 6 {
		cut(r.IntN(size))
	}
	for len(all) < n {
		at, bit := r.IntN(size), byte(1)<<r.IntN(8)
		if r.IntN(2) == 0 {
			at = at&^4095 + r.IntN(600) // the beginnings of pages, where structure is
		}
		switch r.IntN(6) {
		case 0:
			length := 1 + r.IntN(4096)
			all = append(all, harm{fmt.Sprintf("zero %d at %d", length, at), func(b []byte) []byte {
				clear(b[at:min(at+length, len(b))])
				return b
			}})
		case 1:
			from := r.IntN(size) &^ 4095
			all = append(all, harm{fmt.Sprintf("page at %d to %d", from, at&^4095), func(b []byte) []byte {
				copy(b[at&^4095:min(at&^4095+4096, len(b))], b[from:])
				return b
			}})
		case 2:
			at = at&^4095 + 8 + r.IntN(8) // kind, count, overflow
			fallthrough
		default:
			all = append(all, harm{fmt.Sprintf("flip %#x at %d", bit, at), func(b []byte) []byte { b[at] ^= bit; return b }})
		}
	}
	return all
}

// TestDamage damages a real file in many ways. Whatever is read is right or an error, and nothing panics. What is missing
// and is not noticed by the read, Check notices.
func TestDamage(t *testing.T) {
	const blocks = 260
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, blocks)
	if err := s.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := ask(s, blocks)
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := olderState(t, path, good, blocks)
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-store.seed %d", seed)
	tally := map[string]int{}
	root, _ := parseRoot(good)
	used := int(root.pages * root.pageSize)
	for _, h := range harms(rand.New(rand.NewPCG(seed, 1)), used, *damageStates) {
		if err := os.WriteFile(path, h.apply(append([]byte(nil), good...)), 0o600); err != nil {
			t.Fatal(err)
		}
		verdict, err := tryDamaged(path, blocks, want, old)
		if err != nil {
			t.Errorf("%s: %v", h.what, err)
		}
		if info, _ := os.Stat(path); strings.HasPrefix(h.what, "cut") && int(info.Size()) < used && verdict != "refused" {
			t.Errorf("%s: %s", h.what, verdict)
		}
		tally[verdict]++
	}
	t.Log(tally)
}

// olderState is what the file says when its newer root is lost: the state before the last Write.
func olderState(t *testing.T, path string, good []byte, blocks int) answers {
	t.Helper()
	first, ok := parseRoot(good)
	second, ok2 := parseRoot(good[4096:])
	if !ok || !ok2 {
		skiptest.Because(t, "another page size")
	}
	b := append([]byte(nil), good...)
	newer := 0
	if second.txid > first.txid {
		newer = 4096
	}
	b[newer+pageHeader] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	defer s.Close()
	if s.Doubt() == nil {
		t.Error("a lost root goes unsaid")
	}
	return ask(s, blocks)
}

// TestCutFreePages cuts off what is free, which no read would miss before it is used again.
func TestCutFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, 300)
	write(t, s, func(t Tx) error { return t.RemoveRound(testTag) })
	write(t, s, func(t Tx) error { return nil })
	s.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := parseRoot(b)
	if err := os.Truncate(path, int64(root.pages*root.pageSize)-1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// TestLeafHeader changes the numbers of records and of pages in every leaf of the order and the lines.
func TestLeafHeader(t *testing.T) {
	const blocks = 260
	path := filepath.Join(t.TempDir(), "store")
	s := fill(t, path, blocks)
	want := ask(s, blocks)
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for at := 8192; at < len(good); at += 4096 {
		p := page{b: good[at : at+4096]}
		elems, err := p.elems(nil, nil)
		if p.kind() != leafPage || err != nil || len(elems) == 0 || len(elems[0].key) != 40 && len(elems[0].key) != 72 {
			continue
		}
		for _, flip := range []struct{ offset, bit int }{{10, 0}, {12, 0}, {14, 4}} {
			b := append([]byte(nil), good...)
			b[at+flip.offset] ^= 1 << flip.bit
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			verdict, err := tryDamaged(path, blocks, want, want)
			if err != nil || strings.Contains(verdict, "Check only") {
				t.Error(at, flip, verdict, err)
			}
			if verdict == "noticed" || verdict == "refused" {
				tried++
			}
		}
	}
	if tried < 20 {
		t.Errorf("%d leaves were noticed", tried) // those that are not are free
	}
}

func tryDamaged(path string, blocks int, want, old answers) (verdict string, err error) {
	os.Remove(path + suspectSuffix) // or Open would find everything
	s, err := Open(path)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			return "", fmt.Errorf("opening: %w", err)
		}
		return "refused", nil
	}
	defer s.Close()
	got := ask(s, blocks)
	if s.Doubt() != nil && reflect.DeepEqual(got["drafts"], old["drafts"]) {
		want = old
	}
	verdict = "unharmed"
	silent := ""
	for what, v := range got {
		switch {
		case v == ErrDamaged:
			verdict = "noticed"
		case !reflect.DeepEqual(v, want[what]):
			silent = what
		}
	}
	check := s.Check(context.Background())
	if silent != "" {
		if check == nil {
			return "", fmt.Errorf("%s is wrong and nothing notices", silent)
		}
		verdict = "noticed by Check only: " + silent
	}
	if verdict == "unharmed" && check != nil {
		verdict = "noticed by Check before it matters"
	}
	err = s.Write(func(t Tx) error { return addBlocks(t, blocks, blocks+20) })
	if err != nil && !errors.Is(err, ErrReadOnly) {
		return verdict, fmt.Errorf("writing: %w", err)
	}
	return verdict, nil
}
