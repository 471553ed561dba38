package line

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// traps are what goes wrong with readline when it is used as it comes, and the tests that see to it that none of it does here.
// Those of package shell are named with it.
var traps = map[string][]string{
	"output behind the prompt breaks the line":             {"TestPrintKeepsTheLineBeingTyped", "TestBurst", "TestScreen", "../TestTypingInAFlood"},
	"it takes a pipe for a terminal":                       {"TestOpenWithoutATerminal", "../TestPipeReadsLines"},
	"after the end of input it waits for ever":             {"TestHangupDropsTheLine"},
	"Delete on an empty line is the end":                   {"TestDeleteOnAnEmptyLineIsNotTheEnd"},
	"a terminal of no columns makes it loop for ever":      {"TestZeroColumns", "TestTinyTerminals"},
	"the cursor is off after wide characters":              {"TestWideRunes", "TestScreen"},
	"wrapped lines with emoji leave ghosts":                {"TestWrappedLineWithEmojiLeavesNoGhosts", "TestScreen"},
	"a pasted newline sends, a pasted key is pressed":      {"TestPasteIsOneMessageToConfirm", "TestPasteIsDropped", "TestPasteHoldsNoControls", "TestPasteSplitAnywhere"},
	"a paste without an end":                               {"TestPasteWithoutEnd", "TestPasteTooLong"},
	"bracketed paste is left on":                           {"TestCloseRestoresTheTerminal", "TestSIGTERM", "TestPanicOfTheProgram"},
	"Home, End and Ctrl-arrows are dead in some terminals": {"TestKeysOfEveryTerminal", "TestDecode"},
	"search, Tab and resizing race with output":            {"TestBurst", "TestSearch", "TestCompletion", "TestResize"},
	"the history is everybody's and holds secrets":         {"TestHistory", "TestHistoryFile", "../TestSecretsStayOut", "../TestCommandsAreRemembered"},
	"Ctrl-Z stops the parent too":                          {"TestCtrlZ", "TestCtrlZWithoutAShell", "TestSIGSTOP"},
	"Ctrl-L does not clear":                                {"TestCtrlL"},
	"a prompt that ends in ESC makes it panic":             {"TestSetPrompt", "../TestPromptIsSafe"},
	"Close leaves goroutines in a read":                    {"TestCloseAtOnce", "TestCloseRestoresTheTerminal"},
	"completion wants suffixes":                            {"TestCompletion", "TestCompletionRows", "../TestCompletion"},
	"the terminal stays raw after a panic or a signal":     {"TestPanicOfTheProgram", "TestPanicIsTold", "TestSIGTERM", "../TestPanicGivesTheTerminalBack"},
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// TestEveryTrapHasItsTests looks for the tests that are named.
func TestEveryTrapHasItsTests(t *testing.T) {
	var all []string
	for _, folder := range []string{"", "../"} {
		files, err := filepath.Glob(folder + "*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range testFunc.FindAllStringSubmatch(string(text), -1) {
				all = append(all, folder+match[1])
			}
		}
	}
	for trap, tests := range traps {
		for _, test := range tests {
			if !slices.Contains(all, test) {
				t.Errorf("%s: there is no %s", trap, test)
			}
		}
	}
}
