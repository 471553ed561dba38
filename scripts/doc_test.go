package scripts

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/hook"
)

func luaMD(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("LUA.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLuaMDTellsEverything compares the headings with what "ot" offers, and the tables with the contract.
func TestLuaMDTellsEverything(t *testing.T) {
	doc := luaMD(t)
	p := newProgram(newScript(NewHost(), "none"))
	defer p.close()
	defer p.script.end()
	described := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### ot\.(\w+)$`).FindAllStringSubmatch(doc, -1) {
		described[m[1]] = true
	}
	for name, entry := range p.api() {
		if !described[name] {
			t.Errorf("ot.%s has no section", name)
		}
		delete(described, name)
		group, _ := entry.(map[string]lua.LGFunction)
		for member := range group {
			if !strings.Contains(doc, "ot."+name+"."+member) {
				t.Errorf("ot.%s.%s is not described", name, member)
			}
		}
	}
	for name := range described {
		t.Errorf("ot.%s is described and not there", name)
	}
	for name := range (&trial{}).api() {
		if !strings.Contains(doc, "ot.test."+name) && !strings.Contains(doc, "`"+name+"()`") {
			t.Errorf("ot.test.%s is not described", name)
		}
	}
	for _, word := range slices.Concat(strs(hook.Kinds()), strs(hook.Stages()), strs(hook.Capabilities())) {
		if word != string(hook.KindTimer) && !strings.Contains(doc, "`"+word+"`") {
			t.Errorf("%q is not described", word)
		}
	}
	for _, want := range []string{
		fmt.Sprintf("%d ms", hook.ScriptBudget.Milliseconds()), fmt.Sprintf("%d ms", loadBudget.Milliseconds()),
		fmt.Sprintf("at most %d", hook.MaxHistory), fmt.Sprintf("up to %d bytes", hook.MaxKey),
		fmt.Sprintf("%d KiB", hook.MaxValue>>10), fmt.Sprintf("%d MiB", hook.MaxStorage>>20),
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%q is not said", want)
		}
	}
}

func strs[T ~string](all []T) []string {
	list := make([]string, len(all))
	for i, w := range all {
		list[i] = string(w)
	}
	return list
}

// TestLuaMDExamplesRun loads every example of LUA.md as a script of its own, and runs its commands, its tests, and what it does
// when somebody talks.
func TestLuaMDExamplesRun(t *testing.T) {
	for i, m := range regexp.MustCompile("(?s)```lua\n(.*?)```").FindAllStringSubmatch(luaMD(t), -1) {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			file := write(t, "example", m[1])
			tr, err := newTrial(file)
			if err != nil {
				t.Fatalf("%v\n%s", err, m[1])
			}
			defer tr.close()
			tr.chat.Say("bob", "hello, coffee!")
			tr.chat.Type("hello")
			for _, c := range tr.script.extension().Commands {
				if _, err := tr.chat.Type("/" + c.Name); err != nil {
					t.Errorf("/%s: %v", c.Name, err)
				}
			}
			if err := tr.settle(nil); err != nil {
				t.Error(err)
			}
			for _, f := range tr.script.faults.list() {
				t.Errorf("%s\n%s", f.text, m[1])
			}
			if strings.Contains(m[1], testPrefix) {
				if err := Test(file, io.Discard); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestExamples runs the tests in the scripts that come with opentalk.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/scripts/*.lua")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out strings.Builder
			if err := Test(file, &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}

// write puts a script into a folder of its own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+suffix)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
