package wire_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"opentalk/engine/skiptest"
)

// TestGeneratedCodeIsThatOfTheProto makes it again and compares.
func TestGeneratedCodeIsThatOfTheProto(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		skiptest.Because(t, "no protoc on this machine (Debian's protobuf-compiler)")
	}
	made := t.TempDir()
	if out, err := exec.Command("./generate", made).CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	files, err := filepath.Glob("pb/*.go")
	if err != nil || len(files) != 3 {
		t.Fatalf("the generated files are %v, %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "doc.go" {
			continue
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(made, filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not what opentalk.proto makes: make proto", file)
		}
	}
}
