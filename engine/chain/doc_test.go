package chain

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every section that the three packages of the format cite is there.
func TestCitedSectionsExist(t *testing.T) {
	spec, err := os.ReadFile("CHAIN.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#+ (\d+(?:\.\d+)?)\.? `).FindAllSubmatch(spec, -1) {
		there[string(m[1])] = true
	}
	cite := regexp.MustCompile(`CHAIN(?:\.md, section)? (\d+(?:\.\d+)?)(?:(?:,| and) (\d+(?:\.\d+)?))?`)
	cited := 0
	for _, folder := range []string{".", "../identity", "../seal"} {
		files, _ := filepath.Glob(filepath.Join(folder, "*.go"))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range cite.FindAllSubmatch(source, -1) {
				for _, section := range m[1:] {
					if cited++; len(section) > 0 && !there[string(section)] {
						t.Errorf("%s cites CHAIN %s, which is not there", file, section)
					}
				}
			}
		}
	}
	if len(there) < 30 || cited < 40 {
		t.Errorf("%d sections, %d citations", len(there), cited)
	}
}
