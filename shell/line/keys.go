package line

// Keys are runes, as in readline. Those it handles itself have its codes.
const (
	keyLineStart = 1
	keyInterrupt = 3
	keyDelete    = 4 // at an empty line the end of input
	keyLineEnd   = 5
	keyNewline   = 10
	keyEnter     = 13
	keyTranspose = 20
)

// The others are noncharacters: nobody can type or paste them, since input lets only typable runes through.
const (
	firstKey rune = 0xfdd0 + iota

	keyPaste   // insert the paste that input has ready
	keyPrefill // pressed by nobody: put what Prefill was given into an empty line
	keyLeft
	keyRight
	keyWordLeft
	keyWordRight
	keyUp
	keyDown
	keyHome
	keyEnd
	keyBackspace
	keyDeleteForward // the Delete key: never the end of input
	keyDeleteWordLeft
	keyDeleteWordRight
	keyDeleteBlankLeft // Ctrl-W: back to white space
	keyKillStart
	keyKillEnd
	keyYank
	keyTab
	keyBackTab
	keySearch
	keySearchForward
	keyClear
	keyEscape

	lastKey
)

// Placeholders stand in readline's line for characters that would be keys. They are noncharacters as well.
const (
	heldNewline rune = 0xfdee
	heldTab     rune = 0xfdef
)

// controls maps control characters to keys; what is not here is dropped.
var controls = map[byte]rune{
	1: keyLineStart, 2: keyLeft, 3: keyInterrupt, 4: keyDelete, 5: keyLineEnd, 6: keyRight, 7: keyEscape,
	8: keyBackspace, 9: keyTab, 10: keyEnter, 11: keyKillEnd, 12: keyClear, 13: keyEnter, 14: keyDown, 16: keyUp,
	18: keySearch, 19: keySearchForward, 20: keyTranspose, 21: keyKillStart, 23: keyDeleteBlankLeft, 25: keyYank,
	127: keyBackspace,
}

// sequences maps what follows ESC to keys. Terminals differ: xterm and the Linux console, tmux and screen (1~, 4~), rxvt (7~,
// 8~, Od), keypads in application mode (ESC O), and modifiers after a semicolon (5 is Ctrl, 3 Alt).
var sequences = map[string]rune{
	"[A": keyUp, "[B": keyDown, "[C": keyRight, "[D": keyLeft, "OA": keyUp, "OB": keyDown, "OC": keyRight, "OD": keyLeft,
	"[H": keyHome, "[F": keyEnd, "OH": keyHome, "OF": keyEnd, "[1~": keyHome, "[4~": keyEnd, "[7~": keyHome, "[8~": keyEnd,
	"[3~": keyDeleteForward, "[3;5~": keyDeleteWordRight, "[3;3~": keyDeleteWordRight, "[Z": keyBackTab, "OM": keyEnter,
	"[1;5C": keyWordRight, "[1;5D": keyWordLeft, "[1;3C": keyWordRight, "[1;3D": keyWordLeft, "Oc": keyWordRight,
	"Od": keyWordLeft, "[5C": keyWordRight, "[5D": keyWordLeft, "[1;5H": keyHome, "[1;5F": keyEnd,
	"b": keyWordLeft, "f": keyWordRight, "d": keyDeleteWordRight, "\x7f": keyDeleteWordLeft, "\b": keyDeleteWordLeft,
	"\r": heldNewline, "\n": heldNewline,
}
