package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"opentalk/engine/identity"
	"opentalk/engine/store"
	"opentalk/engine/store/storetest"
)

// both is what the store and its double have in common.
type both interface {
	Write(func(store.Tx) error) error
	Close() error
	Check(context.Context) error

	Rounds() ([]store.Round, error)
	Round(identity.Tag) ([]byte, error)
	Count(identity.Tag) (uint64, error)
	Entry(identity.Tag, store.ID) (store.Entry, bool, error)
	Block(identity.Tag, store.ID) (store.Block, bool, error)
	Since(identity.Tag, uint64, store.Limit) ([]store.Block, error)
	Before(identity.Tag, store.Position, store.Limit) ([]store.Block, error)
	After(identity.Tag, store.Position, store.Limit) ([]store.Block, error)
	Line(tag identity.Tag, device identity.Device, from, to uint64, limit store.Limit) ([]store.Block, error)
	Frontier(identity.Tag) ([]store.Entry, error)
	Heads(identity.Tag) ([]store.Entry, error)
	Drafts(identity.Tag) ([]store.Draft, error)
	Peers(identity.Tag) ([]store.Peer, error)
	Setting(identity.Tag, string) ([]byte, bool, error)
}

var (
	_ both = (*store.Store)(nil)
	_ both = (*storetest.Memory)(nil)
)

// names are few, so that things meet.
func id(n int) (id store.ID)           { id[0], id[31] = byte(n*37), byte(n); return id }
func device(n int) (d identity.Device) { d[0], d[1] = byte(n/2), byte(n); return d }
func tag(n int) (t identity.Tag)       { t[15] = byte(n); return t }
func name(n int) string                { return fmt.Sprint("name", n) }
func short(t *rapid.T, label string) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, label)
}

const (
	tags    = 3
	ids     = 24
	devices = 4
)

// op is one call on a transaction. Its results are text, to be compared.
type op func(store.Tx) string

func drawOp(t *rapid.T) op {
	round := tag(rapid.IntRange(0, tags-1).Draw(t, "tag"))
	n := rapid.IntRange(0, ids-1).Draw(t, "n")
	value := short(t, "value")
	result := func(fn func(store.Tx) error) op {
		return func(tx store.Tx) string { return fmt.Sprint(fn(tx)) }
	}
	switch rapid.SampledFrom([]string{
		"block", "block", "block", "block", "block", "round", "round", "set", "remove", "draft", "draft", "undraft", "peer", "unpeer", "setting", "unset", "big",
		"head", "behead",
	}).Draw(t, "op") {
	case "round":
		return result(func(tx store.Tx) error { return tx.AddRound(round, value) })
	case "set":
		return result(func(tx store.Tx) error { return tx.SetRound(round, value) })
	case "remove":
		return result(func(tx store.Tx) error { return tx.RemoveRound(round) })
	case "draft":
		return result(func(tx store.Tx) error { return tx.PutDraft(round, [16]byte{byte(n)}, value) })
	case "undraft":
		return result(func(tx store.Tx) error { return tx.RemoveDraft(round, [16]byte{byte(n)}) })
	case "peer":
		return result(func(tx store.Tx) error { return tx.PutPeer(round, device(n%devices), value) })
	case "unpeer":
		return result(func(tx store.Tx) error { return tx.RemovePeer(round, device(n%devices)) })
	case "setting":
		return result(func(tx store.Tx) error { return tx.PutSetting(round, name(n%5), value) })
	case "unset":
		return result(func(tx store.Tx) error { return tx.RemoveSetting(round, name(n%5)) })
	case "head":
		return result(func(tx store.Tx) error { return tx.Head(round, []store.ID{id(n), id((n + 1) % ids)}) })
	case "behead":
		return result(func(tx store.Tx) error { return tx.Behead(round, []store.ID{id(n)}) })
	case "big":
		return result(func(tx store.Tx) error {
			return errors.Join(tx.PutSetting(round, "", nil), tx.PutSetting(round, "big", make([]byte, store.MaxValue+1)))
		})
	}
	return drawBlock(t, round, n)
}

func drawBlock(t *rapid.T, round identity.Tag, n int) op {
	e := store.Entry{
		ID:     id(n),
		Author: device(rapid.IntRange(0, devices-1).Draw(t, "author")),
		Seq:    rapid.Uint64Range(0, 3).Draw(t, "seq"),
		T:      rapid.Uint64Range(1, 4).Draw(t, "t"),
		Reach:  rapid.Uint64().Draw(t, "reach"),
		Kind:   rapid.Uint8().Draw(t, "kind"),
	}
	raw := bytes.Repeat([]byte{byte(n)}, rapid.SampledFrom([]int{0, 1, 100, 5000, 40000}).Draw(t, "size"))
	var cites []store.ID
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, ids-1), 0, 4).Draw(t, "cites") {
		cites = append(cites, id(n))
	}
	return func(tx store.Tx) string {
		arrival, err := tx.AddBlock(round, e, raw, cites)
		return fmt.Sprint(arrival, err)
	}
}

// answer is what one read returned.
type answer struct {
	what    string
	results []any
}

// reads is what every read there is returns.
func reads(s both, limit store.Limit) (out []answer) {
	one := func(what string, results ...any) {
		if err, _ := results[len(results)-1].(error); err != nil {
			results = []any{err.Error()}
		}
		out = append(out, answer{what, results})
	}
	rounds, err := s.Rounds()
	one("rounds", rounds, err)
	for n := range tags {
		readRound(s, tag(n), limit, one)
	}
	return out
}

func readRound(s both, t identity.Tag, limit store.Limit, one func(string, ...any)) {
	pair := func(what string) func(any, error) {
		return func(v any, err error) { one(what, v, err) }
	}
	three := func(what string) func(any, bool, error) {
		return func(v any, ok bool, err error) { one(what, v, ok, err) }
	}
	call(s.Round(t))(pair("round"))
	call(s.Count(t))(pair("count"))
	call(s.Frontier(t))(pair("frontier"))
	call(s.Heads(t))(pair("heads"))
	call(s.Drafts(t))(pair("drafts"))
	call(s.Peers(t))(pair("peers"))
	for i := range ids {
		call3(s.Entry(t, id(i)))(three("entry"))
		call3(s.Block(t, id(i)))(three("block"))
	}
	for _, p := range []store.Position{{}, {T: 2}, {T: 2, ID: id(5)}, {T: 3, ID: store.End.ID}, store.End} {
		call(s.Before(t, p, limit))(pair("before"))
		call(s.After(t, p, limit))(pair("after"))
	}
	for i := range uint64(4) {
		call(s.Since(t, i*3, limit))(pair("since"))
		call(s.Line(t, device(int(i)), i%2, i+1, limit))(pair("line"))
		call3(s.Setting(t, name(int(i))))(three("setting"))
	}
}

func call[T any](v T, err error) func(func(any, error)) {
	return func(fn func(any, error)) { fn(v, err) }
}

func call3[T any](v T, ok bool, err error) func(func(any, bool, error)) {
	return func(fn func(any, bool, error)) { fn(v, ok, err) }
}

func compare(t *rapid.T, disk, double both) {
	limit := store.Limit{
		Blocks: rapid.SampledFrom([]int{0, 1, 2, 5}).Draw(t, "blocks"),
		Bytes:  rapid.SampledFrom([]int{0, 1, 5000, 45000}).Draw(t, "bytes"),
	}
	want, got := reads(double, limit), reads(disk, limit)
	for i := range want {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("limit %v\ndisk:   %.500v\ndouble: %.500v", limit, got[i], want[i])
		}
	}
}

// TestModel does the same at random to the store and to its double. After every step all reads agree, and the double's
// crash leaves what a reopened file has.
func TestModel(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("25") // -rapid.checks asks for more
	}
	folder := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(folder, fmt.Sprint(n))
		disk, err := store.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { disk.Close(); os.Remove(path) }()
		double := storetest.New()
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				ops := rapid.SliceOfN(rapid.Custom(drawOp), 1, 12).Draw(t, "ops")
				var abort error
				if rapid.IntRange(0, 4).Draw(t, "abort") == 0 {
					abort = errors.New("changed my mind")
				}
				var results [2][]string
				for i, s := range []both{disk, double} {
					err := s.Write(func(tx store.Tx) error {
						for _, op := range ops {
							results[i] = append(results[i], op(tx))
						}
						return abort
					})
					if err != abort {
						t.Fatal(err)
					}
				}
				if !reflect.DeepEqual(results[0], results[1]) {
					t.Fatalf("disk:   %q\ndouble: %q", results[0], results[1])
				}
				compare(t, disk, double)
			},
			"reopen": func(t *rapid.T) {
				if err := disk.Close(); err != nil {
					t.Fatal(err)
				}
				if disk, err = store.Open(path); err != nil {
					t.Fatal(err)
				}
				old := double
				double = double.Crash()
				if _, err := old.Rounds(); !errors.Is(err, store.ErrClosed) {
					t.Fatal("a crashed store answers")
				}
				compare(t, disk, double)
				if err := disk.Check(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

// TestFailure has a Write fail before and after it took effect.
func TestFailure(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		m := storetest.New()
		add := func(n int) error {
			return m.Write(func(tx store.Tx) error { return tx.AddRound(tag(n), nil) })
		}
		m.FailWrite(2, when)
		for n, fails := range []bool{false, true, true} {
			err := add(n)
			if fails != errors.Is(err, store.ErrReadOnly) || fails != errors.Is(err, storetest.ErrInjected) {
				t.Errorf("write %d: %v", n, err)
			}
		}
		if m.Writes() != 2 {
			t.Errorf("%d writes", m.Writes())
		}
		rounds, err := m.Crash().Rounds()
		if want := 1 + int(when); err != nil || len(rounds) != want {
			t.Errorf("%d rounds after the crash, not %d: %v", len(rounds), want, err)
		}
	}
}

// TestCrashWithin crashes in the middle of a Write, which must leave nothing.
func TestCrashWithin(t *testing.T) {
	m := storetest.New()
	var next *storetest.Memory
	err := m.Write(func(tx store.Tx) error {
		if err := tx.AddRound(tag(1), nil); err != nil {
			return err
		}
		next = m.Crash()
		return nil
	})
	if !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	if rounds, err := next.Rounds(); err != nil || len(rounds) != 0 {
		t.Error(rounds, err)
	}
}
