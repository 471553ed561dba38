package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// bombEnv has this binary run the Lua code in it under the limit on memory, instead of tests.
const bombEnv = "OPENTALK_TEST_BOMB"

// explode runs Lua code as the child does, and is not expected to return from what takes too much.
func explode(text string) {
	limitMemory()
	l := newState()
	defer l.Close()
	if err := l.DoString(text); err != nil {
		fmt.Println(err)
	}
	fmt.Println("survived")
}

// TestMemoryIsLimited: what takes all memory there is ends the process, and soon; what takes what scripts take does not.
func TestMemoryIsLimited(t *testing.T) {
	for _, c := range []struct {
		name, text string
		survives   bool
	}{
		{"a string of 512 MB", `local s = ("x"):rep(512 * 1024 * 1024)`, false},
		{"strings that grow", `local t = {} for i = 1, 1e6 do t[i] = ("x"):rep(4096) .. i end`, false},
		{"100,000 coroutines", `local t = {} for i = 1, 1e5 do t[i] = coroutine.create(function() coroutine.yield() end) coroutine.resume(t[i]) end`, false},
		{"a table of 100,000 entries", `local t = {} for i = 1, 1e5 do t[i] = { i } end`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), bombEnv+"="+c.text)
			out, err := cmd.CombinedOutput()
			if survived := strings.Contains(string(out), "survived"); survived != c.survives || (err == nil) != c.survives {
				t.Errorf("survived: %v, %v\n%.300s", survived, err, out)
			}
			if rss := peak(cmd); rss > memoryRoom+64<<20 {
				t.Errorf("took %d MB", rss>>20)
			}
		})
	}
}
