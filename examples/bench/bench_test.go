package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"
)

// TestFloorChecks: the floor is no limit if it leaves a check out, so it refuses a block that is changed anywhere, and one that
// does not follow the one before.
func TestFloorChecks(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &floor{key: key}
	first := f.sign("one")
	before := f.prev
	second := f.sign("two")
	if !floorHolds(first, [sha256.Size]byte{}) || !floorHolds(second, before) {
		t.Fatal("what the floor signs does not hold")
	}
	if floorHolds(second, [sha256.Size]byte{}) {
		t.Error("a block holds without the one before")
	}
	for i := range second {
		second[i] ^= 1
		if floorHolds(second, before) {
			t.Errorf("byte %d of a block is not checked", i)
		}
		second[i] ^= 1
	}
}

// TestRow: the ratio is the median of those of the pairs, not that of the medians, and the verdict follows it.
func TestRow(t *testing.T) {
	var out strings.Builder
	w := row{what: "a", ours: []float64{2, 20, 300}, beside: "b", theirs: []float64{1, 10, 100}, show: inMillis}
	w.ratioAtMost(2).print(&out)
	w.ratioAtMost(1.5).print(&out)
	w.under(20).print(&out)
	want := "| a | 20 ms | b: 10 ms | 2.00 (2.00 – 3.00) | ≤ 2 × | met |\n" +
		"| a | 20 ms | b: 10 ms | 2.00 (2.00 – 3.00) | ≤ 1.5 × | not met |\n" +
		"| a | 20 ms | b: 10 ms | 2.00 (2.00 – 3.00) | < 20 ms | not met |\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestFigures reads what Go's benchmarks print.
func TestFigures(t *testing.T) {
	f := figures{}
	for _, ns := range []string{"12", "14"} {
		if !f.read([]byte("goos: linux\nBenchmarkSend/script-outgoing-2 \t 20\t " + ns + " ns/op\t 3.5 x-flush\nPASS\n")) {
			t.Fatal("nothing is read")
		}
	}
	got := f["BenchmarkSend/script-outgoing"]
	if len(got["ns/op"]) != 2 || got["ns/op"][1] != 14 || got["x-flush"][0] != 3.5 {
		t.Errorf("got %v", f)
	}
	if (figures{}).read([]byte("PASS\nok\n")) {
		t.Error("something is read where there is nothing")
	}
}
