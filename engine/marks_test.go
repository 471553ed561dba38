package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"opentalk/engine"
)

// TestMarks: whom one has verified and whom one ignores is kept, apart from each other, and goes for every round. Who is
// ignored is heard all the same. Who is verified anew, or no more, is told.
func TestMarks(t *testing.T) {
	alice, bob, tag := couple(t)
	who := bob.engine.Self().Fingerprint
	if err := alice.engine.Ignore(tag, alice.engine.Self().Fingerprint, true); !errors.Is(err, engine.ErrNoMember) {
		t.Errorf("alice ignores herself: %v", err)
	}
	marked := func(ignored, verified bool) {
		t.Helper()
		members, err := alice.engine.Members(tag)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(members, func(m engine.Member) bool { return m.Fingerprint == who })
		if members[i].Ignored != ignored || members[i].Verified != verified {
			t.Errorf("bob is %+v", members[i].Person)
		}
	}
	if err := alice.engine.Ignore(tag, who, true); err != nil {
		t.Fatal(err)
	}
	if err := alice.engine.Verify(tag, who, true); err != nil {
		t.Fatal(err)
	}
	alice.close()
	alice.open()
	marked(true, true)
	if _, err := bob.engine.Send(tag, "do you hear me?", engine.Plain, false); err != nil {
		t.Fatal(err)
	}
	heard := until(alice, func(e engine.MessageEvent) bool { return e.Message.Text == "do you hear me?" })
	if !heard.Message.From.Ignored {
		t.Error("the front is not told that bob is ignored")
	}
	if err := alice.engine.Ignore(tag, who, false); err != nil {
		t.Fatal(err)
	}
	alice.close()
	alice.open()
	marked(false, true)
	for _, yes := range []bool{true, false} { // the first is no change, so nothing is told of it
		if err := alice.engine.Verify(tag, who, yes); err != nil {
			t.Fatal(err)
		}
	}
	until(alice, func(e engine.MemberEvent) bool {
		if e.Change == engine.Verified {
			t.Error("it is told that bob is verified, who was")
		}
		return e.Change == engine.Unverified && e.Round == tag && e.Person.Fingerprint == who && !e.Person.Verified
	})
	marked(false, false)
}

// TestPagesPartBlocks: what was said while nobody was there shares a block, which a page may end within.
func TestPagesPartBlocks(t *testing.T) {
	alice, bob, tag := couple(t)
	bob.close()
	until(alice, func(e engine.PeerEvent) bool { return e.State == engine.Offline })
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprint("line ", i))
		if _, err := alice.engine.Send(tag, want[i], engine.Plain, false); err != nil {
			t.Fatal(err)
		}
	}
	bob.open()
	until(bob, func(e engine.MessageEvent) bool { return e.Message.Text == want[6] })
	var back, found, forth []string
	var from engine.Position
	for {
		page, err := bob.engine.History(tag, from, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		from = page[0].At
		for _, m := range slices.Backward(page) {
			back = append(back, m.Text)
		}
	}
	for from = (engine.Position{}); ; {
		n := len(found)
		for m, err := range bob.engine.Search(t.Context(), tag, from, "LINE") {
			if err != nil {
				t.Fatal(err)
			}
			found, from = append(found, m.Text), m.At
			break
		}
		if len(found) == n {
			break
		}
	}
	for from = (engine.Position{}); ; {
		n := len(forth)
		for m := range bob.engine.After(t.Context(), tag, from, 1000) {
			forth, from = append(forth, m.Text), m.At
			break
		}
		if len(forth) == n {
			break
		}
	}
	slices.Reverse(back)
	slices.Reverse(found)
	for how, got := range map[string][]string{"back": back, "found": found, "forth": forth} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", how, got)
		}
	}
}
