//go:build unix

package line

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"opentalk/shell/term"
)

func TestTypingAndEnter(t *testing.T) {
	s := newSession(t)
	s.press("hello")
	s.see("> hello▮")
	s.press("\r")
	s.entered("hello")
	s.see("> ▮") // the line is taken off
	s.press("a\nb\r")
	s.entered("a")
	s.entered("b")
}

func TestPrintKeepsTheLineBeingTyped(t *testing.T) {
	s := newSession(t)
	s.press("hello\x1b[D\x1b[D")
	s.see("> hel▮lo")
	s.editor.Print(term.Literal("bob: hi"))
	s.see(rows("bob: hi", "> hel▮lo"))
	s.editor.Print(term.Literal("two\nlines\n"))
	s.see(rows("bob: hi", "two", "lines", "> hel▮lo"))
	s.editor.Print(term.Literal("12345678901234567890")) // exactly a row
	s.see(rows("bob: hi", "two", "lines", "12345678901234567890", "> hel▮lo"))
	s.press("p\r")
	s.entered("helplo")
}

// TestBurst prints 500 lines from several goroutines as fast as the terminal takes them while a line is typed.
func TestBurst(t *testing.T) {
	s := newSession(t)
	const writers, each = 5, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				s.editor.Print(term.Sprintf("%d-%03d", w, i))
			}
		})
	}
	typed := "a日本👩\u200d👧 long line, over two rows"
	for _, r := range typed {
		s.press(string(r))
	}
	s.press("\x12\x03\t\x1b[D\x1b[C") // search, completion and moves do not disturb it
	wg.Wait()
	s.until("the whole line", func() bool {
		return len(s.vt.Rows()) >= writers*each+2 && strings.HasSuffix(s.vt.Screen(), rows("> a日本👩\u200d👧 long line,", " over two rows▮"))
	})
	all := s.vt.Rows()
	for w := range writers {
		var got []string
		for _, row := range all {
			if strings.HasPrefix(row, fmt.Sprintf("%d-", w)) {
				got = append(got, row)
			}
		}
		if len(got) != each || !slices.IsSorted(got) {
			t.Errorf("writer %d: %d of %d lines, in order: %v", w, len(got), each, slices.IsSorted(got))
		}
	}
	for i, row := range all[:writers*each] {
		if len(row) != 5 {
			t.Errorf("row %d of what was printed is %q", i, row)
		}
	}
	s.press("\r")
	s.entered(typed)
}

func TestPasteIsOneMessageToConfirm(t *testing.T) {
	s := newSession(t, func(c *Config) { c.Prompt = term.Literal("> ") })
	s.pasteIsOn(1)
	s.paste("one\r\ntwo\rthree\n")
	s.see(rows("> one⏎two⏎three▮", "3 lines, one messag…"))
	s.nothingEntered()
	s.press("!\r")
	s.entered("one\ntwo\nthree!")
	s.see("> ▮")
}

func TestPasteSplitAnywhere(t *testing.T) {
	s := newSession(t)
	for _, b := range []byte(pasteBegin + "é\n\x1b[20x\x1b[201" + "\x1b[201~") {
		s.press(string([]byte{b}))
	}
	s.press("z")
	s.see(rows("> é⏎[20x[201z▮", "2 lines, one messag…"))
	s.press("\r")
	s.entered("é\n[20x[201z")
}

func TestPasteHoldsNoControls(t *testing.T) {
	s := newSession(t)
	s.paste("a\x03b\x04c\x1a\x1b[2Jd\te\x00\u0085\u202ef")
	s.see(rows("> abc[2Jd    e\\u202e", "f▮"))
	s.press("\r")
	s.entered("abc[2Jd\te\u202ef")
}

func TestPasteOfOneLineIsNotSent(t *testing.T) {
	s := newSession(t)
	s.paste("make test\n")
	s.see("> make test▮")
	s.nothingEntered()
	s.press("\r")
	s.entered("make test")
}

func TestPasteIsDropped(t *testing.T) {
	s := newSession(t)
	s.paste("one\ntwo")
	s.see(rows("> one⏎two▮", "2 lines, one messag…"))
	s.press("\x1b")
	s.see("> ▮")
	s.nothingEntered()
	s.paste("one\ntwo")
	s.see(rows("> one⏎two▮", "2 lines, one messag…"))
	s.press("\x03")
	s.failed(ErrDropped)
	s.see("> ▮")
}

func TestPasteTooLong(t *testing.T) {
	s := newSession(t)
	s.press("keep")
	s.paste(strings.Repeat("x", maxPaste+1))
	s.until("a refusal", func() bool {
		return strings.HasSuffix(s.vt.Screen(), "> keep▮") && strings.Contains(strings.Join(s.vt.Rows(), ""), "65537 bytes exceeds the limit")
	})
	s.paste(strings.Repeat("y", maxLine))
	s.until("a refusal", func() bool { return strings.Contains(strings.Join(s.vt.Rows(), ""), "limit of 16384") })
	s.press("\r")
	s.entered("keep")
}

func TestLineTooLong(t *testing.T) {
	s := newSession(t)
	full := strings.Repeat("y", maxLine)
	s.paste(full)
	s.press("x")
	s.until("a bell", func() bool { return s.vt.Bells() > 0 })
	s.press("\r")
	s.entered(full)
}

func TestPasteWithoutEnd(t *testing.T) {
	s := newSession(t)
	s.press(pasteBegin + "lost")
	s.press("\x03") // may be read together with the text: then it takes a second one
	s.until("the editor to listen again", func() bool {
		s.press("\x03")
		select {
		case r := <-s.lines:
			return r.err == ErrInterrupt || r.err == ErrDropped
		case <-time.After(20 * time.Millisecond):
			s.vt.Write(nil)
			return false
		}
	})
	s.press("x")
	s.until("typing", func() bool { return strings.HasSuffix(s.vt.Screen(), "> x▮") })
}

func TestAltEnterMakesALine(t *testing.T) {
	s := newSession(t)
	s.press("a\x1b\rb")
	s.see(rows("> a⏎b▮", "2 lines, one messag…"))
	s.press("\r")
	s.entered("a\nb")
}

func TestKeysOfEveryTerminal(t *testing.T) {
	s := newSession(t)
	s.press("one two three")
	s.see("> one two three▮")
	for _, k := range []struct{ name, keys, want string }{
		{"Home, xterm", "\x1b[H", "▮one two three"}, {"End, xterm", "\x1b[F", "one two three▮"},
		{"Home, tmux", "\x1b[1~", "▮one two three"}, {"End, tmux", "\x1b[4~", "one two three▮"},
		{"Home, application", "\x1bOH", "▮one two three"}, {"End, application", "\x1bOF", "one two three▮"},
		{"Home, rxvt", "\x1b[7~", "▮one two three"}, {"End, rxvt", "\x1b[8~", "one two three▮"},
		{"Ctrl-A", "\x01", "▮one two three"}, {"Ctrl-E", "\x05", "one two three▮"},
		{"Ctrl-Left", "\x1b[1;5D", "one two ▮three"}, {"Alt-Left", "\x1b[1;3D", "one ▮two three"}, {"Alt-b", "\x1bb", "▮one two three"},
		{"Ctrl-Right", "\x1b[1;5C", "one▮ two three"}, {"Alt-Right", "\x1b[1;3C", "one two▮ three"}, {"Alt-f", "\x1bf", "one two three▮"},
		{"Left", "\x1b[D", "one two thre▮e"}, {"Left, application", "\x1bOD", "one two thr▮ee"}, {"Right", "\x1bOC", "one two thre▮e"},
		{"Delete", "\x1b[3~", "one two thre▮"}, {"Backspace", "\x7f", "one two thr▮"}, {"Ctrl-H", "\b", "one two th▮"},
		{"unknown keys", "\x1b[15~\x1b[1;2P\x1b[[A\x1bx\x1b[?1;2c\x1b]10;rgb:0/0/0\a", "one two th▮"},
		{"Ctrl-W", "\x17", "one two ▮"}, {"Ctrl-Y", "\x19", "one two th▮"}, {"Alt-Backspace", "\x1b\x7f", "one two ▮"},
		{"Ctrl-B", "\x02", "one two▮"}, {"Ctrl-F", "\x06", "one two ▮"}, {"Ctrl-U", "\x15", "▮"}, {"Ctrl-Y again", "\x19", "one two ▮"},
		{"Ctrl-T", "\x01\x14\x1b[C", "noe▮ two"}, {"Ctrl-K", "\x0b", "noe▮"}, {"Alt-d", "\x01\x1bd", "▮"},
	} {
		s.press(k.keys)
		s.until(k.name+" to give "+k.want, func() bool { return strings.TrimSpace(s.vt.Screen()) == strings.TrimSpace("> "+k.want) })
	}
}

func TestDeleteOnAnEmptyLineIsNotTheEnd(t *testing.T) {
	s := newSession(t)
	s.press("\x1b[3~x")
	s.see("> x▮")
	s.nothingEntered()
}

func TestCtrlD(t *testing.T) {
	s := newSession(t)
	s.press("ab\x01\x04")
	s.see("> ▮b")
	s.press("\x04")
	s.see("> ▮")
	for range 2 { // reading goes on
		s.press("\x04")
		s.failed(ErrEnd)
	}
	s.press("on\r")
	s.entered("on")
}

func TestCtrlC(t *testing.T) {
	s := newSession(t)
	s.press("gone\x03")
	s.failed(ErrDropped)
	s.see("> ▮")
	s.press("\x03")
	s.failed(ErrInterrupt)
	s.press("on\r")
	s.entered("on")
}

func TestCtrlCWhileNobodyReads(t *testing.T) {
	interrupted := make(chan struct{}, 1)
	s := openSession(t, func(c *Config) { c.Interrupt = func() { interrupted <- struct{}{} } })
	s.press("typed ahead\r\x03")
	select {
	case <-interrupted:
	case <-time.After(patience):
		t.Fatal("Interrupt was not called")
	}
	s.press("next\r")
	if l, err := s.editor.ReadLine(); l != "next" || err != nil {
		t.Errorf("ReadLine returned %q, %v", l, err)
	}
}

func TestHangupDropsTheLine(t *testing.T) {
	s := newSession(t)
	s.press("half a secr")
	s.see("> half a secr▮")
	s.master.Close()
	s.failed(io.EOF)
	<-s.over
	for range 3 {
		if _, err := s.editor.ReadLine(); err != io.EOF {
			t.Fatalf("after the hangup: %v", err)
		}
	}
}

func TestWideRunes(t *testing.T) {
	s := newSession(t)
	s.press("a日本é👩\u200d👧z")
	s.see("> a日本é👩\u200d👧z▮")
	s.press("\x1b[D\x1b[D")
	s.see("> a日本é▮👩\u200d👧z")
	s.press("\x1b[D\x1b[D")
	s.see("> a日▮本é👩\u200d👧z")
	s.press("\x7f")
	s.see("> a▮本é👩\u200d👧z")
	s.press("\x05\x1b[D\x7f")
	s.see("> a本é▮z")
	s.press("👩\u200d👧\x1b[D\x04") // all of it, where readline takes a rune
	s.see("> a本é▮z")
	s.press("\r")
	s.entered("a本éz")
}

func TestWrappedLineWithEmojiLeavesNoGhosts(t *testing.T) {
	s := newSession(t)
	s.editor.Print(term.Literal("above"))
	line := strings.Repeat("👩\u200d👧é日", 6)
	s.press(line)
	s.see(rows("above", "> 👩\u200d👧é日👩\u200d👧é日👩\u200d👧é日👩\u200d👧é", "日👩\u200d👧é日👩\u200d👧é日▮"))
	for range 18 {
		s.press("\x7f")
	}
	s.see(rows("above", "> ▮"))
}

func TestLineHigherThanTheScreen(t *testing.T) {
	s := newSession(t)
	s.editor.Print(term.Literal("above"))
	for i := range 20 {
		s.press(fmt.Sprintf("%019d ", i))
	}
	s.until("the end of the line", func() bool { return strings.HasSuffix(s.vt.Screen(), "\n9 ▮") })
	s.press("\x01")
	s.until("its beginning", func() bool { return strings.HasPrefix(strings.TrimPrefix(s.vt.Screen(), "above\n"), "> ▮000") })
	s.press("\x15\x05\x15")
	s.until("an empty line", func() bool { return strings.HasSuffix(s.vt.Screen(), "> ▮") })
	if n := strings.Count(strings.Join(s.vt.Rows(), "\n"), "0000"); n != 0 {
		t.Errorf("%d rows of the line are left", n)
	}
}

func TestZeroColumns(t *testing.T) {
	s := openSession(t)
	s.resize(0, 0)
	if cols := s.editor.Columns(); cols != 80 {
		t.Errorf("Columns is %d, want 80", cols)
	}
	s.press("hello\x1b[D\x1b[D\r")
	if l, err := s.editor.ReadLine(); l != "hello" || err != nil {
		t.Errorf("ReadLine returned %q, %v", l, err)
	}
}

func TestTinyTerminals(t *testing.T) {
	for cols := 1; cols <= 5; cols++ {
		s := openSession(t)
		s.vt.Resize(cols, 3)
		s.resize(cols, 3)
		s.press("日本語 hello \u202e\x1b[D\x1b[1;5D\x1b[Hx\r")
		if l, err := s.editor.ReadLine(); l != "x日本語 hello \u202e" || err != nil {
			t.Errorf("%d columns: ReadLine returned %q, %v", cols, l, err)
		}
	}
}

func TestResize(t *testing.T) {
	s := newSession(t)
	s.editor.Print(term.Literal("above"))
	s.press("0123456789abcdefghijABCDEFGHIJ\x1b[D")
	s.see(rows("above", "> 0123456789abcdefgh", "ijABCDEFGHI▮J"))
	for _, size := range []struct {
		cols int
		want string
	}{
		{12, rows("above", "> 0123456789", "abcdefghijAB", "CDEFGHI▮J")},
		{40, rows("above", "> 0123456789abcdefghijABCDEFGHI▮J")},
		{20, rows("above", "> 0123456789abcdefgh", "ijABCDEFGHI▮J")},
	} {
		s.vt.Resize(size.cols, 6)
		s.resize(size.cols, 6)
		syscall.Kill(syscall.Getpid(), syscall.SIGWINCH) // the kernel sends it only to a controlling terminal's job
		s.see(size.want)
		if got := s.editor.Columns(); got != size.cols {
			t.Errorf("Columns is %d, want %d", got, size.cols)
		}
	}
}

func TestCtrlL(t *testing.T) {
	s := newSession(t)
	s.editor.Print(term.Literal("above"))
	s.press("typed")
	s.see(rows("above", "> typed▮"))
	s.press("\x0c")
	s.see("> typed▮")
	s.editor.Print(term.Literal("above"))
	s.see(rows("above", "> typed▮"))
	s.editor.Clear()
	s.see("> typed▮")
}

func TestSetPrompt(t *testing.T) {
	s := newSession(t)
	s.press("x")
	s.see("> x▮")
	s.editor.SetPrompt(term.CleanLine("日\x1b "))
	s.see("日\\x1b x▮")
	s.editor.SetPrompt(term.Literal("a prompt far too long for this"))
	s.see("a prompt …x▮")
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	keep := func(l string) Keep {
		switch {
		case strings.HasPrefix(l, "/passphrase"):
			return Forget
		case strings.HasPrefix(l, "/"):
			return Record
		}
		return Recall
	}
	s := newSession(t, func(c *Config) { c.History, c.Keep = path, keep })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("before the first line: %v, %v", info, err)
	}
	for _, l := range []string{"/join a", "hello", "/passphrase x", "/peers"} {
		s.press(l + "\r")
		s.entered(l)
	}
	s.press("draft\x1b[A")
	s.see("> /peers▮")
	s.press("\x1b[A")
	s.see("> hello▮")
	s.press("\x1b[A\x1b[A\x1b[A")
	s.see("> /join a▮")
	s.press("\x1b[B\x1b[B\x1b[B\x1b[B")
	s.see("> draft▮")
	data, err := os.ReadFile(path)
	if want := "/join a\n/peers\n"; string(data) != want || err != nil {
		t.Errorf("the file holds %q, %v, want %q", data, err, want)
	}
}

func TestSearch(t *testing.T) {
	s := newSession(t)
	for _, l := range []string{"the first one", "second", "the third one"} {
		s.press(l + "\r")
		s.entered(l)
	}
	s.press("draft\x12")
	s.see(rows("> draft▮", "search:"))
	s.press("ONE")
	s.see(rows("> the third one▮", "search: ONE"))
	s.press("\x12")
	s.see(rows("> the first one▮", "search: ONE"))
	s.press("\x12")
	s.see(rows("> the first one▮", "search: ONE (not fo…"))
	s.editor.Print(term.Literal("bob: hi")) // does not disturb it
	s.see(rows("bob: hi", "> the first one▮", "search: ONE (not fo…"))
	s.press("\x13")
	s.see(rows("bob: hi", "> the third one▮", "search: ONE"))
	s.press("\x03") // ends the search, not the line
	s.see(rows("bob: hi", "> draft▮"))
	s.nothingEntered()
	s.press("\x12sec\x1b[D!\r")
	s.entered("secon!d")
	s.press("\x12fir\r")
	s.entered("the first one")
}

func TestCompletion(t *testing.T) {
	var editor Editor
	complete := func(l string, pos int) (int, []string) {
		editor.Prefill("") // any method may be called
		from := strings.LastIndexByte(l[:pos], ' ') + 1
		var found []string
		for _, c := range []string{"alice ", "alina ", "bob ", "ev\x1bil\n "} {
			if strings.HasPrefix(c, l[from:pos]) {
				found = append(found, c)
			}
		}
		return from, found
	}
	s := newSession(t, func(c *Config) { c.Complete = complete })
	editor = s.editor
	s.press("é b\t")
	s.see("> é bob ▮")
	s.press("a\t")
	s.see(rows("> é bob ali▮", "alice  alina"))
	s.editor.Print(term.Literal("bob: hi"))
	s.see(rows("bob: hi", "> é bob ali▮", "alice  alina"))
	s.press("\t")
	s.see(rows("bob: hi", "> é bob alice ▮", "alice  alina"))
	s.press("\t")
	s.see(rows("bob: hi", "> é bob alina ▮", "alice  alina"))
	s.press("\x1b[Z")
	s.see(rows("bob: hi", "> é bob alice ▮", "alice  alina"))
	s.press("!")
	s.see(rows("bob: hi", "> é bob alice !▮"))
	s.press(" ev\t")
	s.see(rows("bob: hi", "> é bob alice ! evil", "⏎ ▮", "2 lines, one messag…"))
	s.press("\x15nobody\t")
	s.until("a bell", func() bool { return s.vt.Bells() > 0 })
	s.see(rows("bob: hi", "> nobody▮"))
}

func TestTabWithoutCompletion(t *testing.T) {
	s := newSession(t)
	s.press("a\tb")
	s.see("> ab▮")
}

func TestPassword(t *testing.T) {
	s := openSession(t)
	type secret struct {
		text string
		err  error
	}
	got := make(chan secret, 1)
	ask := func() {
		b, err := s.editor.ReadPassword(term.Literal("secret? "))
		got <- secret{string(b), err}
	}
	go ask()
	s.see("secret? ▮")
	s.press("wrong\x15pä\x7fass")
	s.editor.Print(term.Literal("bob: hi"))
	s.see(rows("bob: hi", "secret? ▮"))
	s.press("\r")
	if r := <-got; r.text != "pass" || r.err != nil {
		t.Errorf("ReadPassword returned %q, %v", r.text, r.err)
	}
	s.see(rows("bob: hi", "▮"))
	for keys, want := range map[string]error{"abc\x03": ErrInterrupt, "\x04": ErrEnd} {
		go ask()
		s.press(keys)
		if r := <-got; r.text != "" || r.err != want {
			t.Errorf("ReadPassword returned %q, %v, want %v", r.text, r.err, want)
		}
	}
	s.press("line\r\x1b[A\r")
	if l, err := s.editor.ReadLine(); l != "line" || err != nil {
		t.Errorf("ReadLine after ReadPassword: %q, %v", l, err)
	}
	if l, _ := s.editor.ReadLine(); l != "line" {
		t.Errorf("history after a password: %q", l)
	}
	if strings.Contains(strings.Join(s.vt.Rows(), "\n"), "pass") {
		t.Error("the password is on the screen")
	}
}

func TestPrefill(t *testing.T) {
	s := openSession(t)
	s.editor.Prefill("a\nb\x1b")
	go func() {
		l, err := s.editor.ReadLine()
		s.lines <- result{l, err}
	}()
	s.see(rows("> a⏎b▮", "2 lines, one messag…"))
	s.press("\x7fc\r")
	s.entered("a\nc")
}

// TestPrefillWhileReading puts text into the line that is being read, but never into what somebody types.
func TestPrefillWhileReading(t *testing.T) {
	s := newSession(t)
	s.editor.Prefill("no secret")
	s.see("> no secret▮")
	s.press("s\r")
	s.entered("no secrets")
	s.see("> ▮")
	s.press("mine")
	s.see("> mine▮")
	s.editor.Prefill("yours")
	s.press("!\r")
	s.entered("mine!")
	s.see("> ▮") // nor into the line after it
	s.press("\x12mi")
	s.see(rows("> mine!▮", "search: mi"))
	s.editor.Prefill("yours")
	s.press("n")
	s.see(rows("> mine!▮", "search: min"))
}

func TestBellAndNotify(t *testing.T) {
	s := newSession(t)
	s.press("x")
	s.editor.Bell()
	s.editor.Notify(term.Clean("4;bob:\n\x1b]0;hi\a"))
	s.until("a notification", func() bool { return len(s.vt.Notices()) == 1 && s.vt.Bells() == 2 })
	if want := `4,bob: \x1b]0,hi\x07`; s.vt.Notices()[0] != want {
		t.Errorf("the terminal was asked to notify %q, want %q", s.vt.Notices()[0], want)
	}
	s.see("> x▮")
}

func TestCloseRestoresTheTerminal(t *testing.T) {
	s := newSession(t)
	s.press("typed")
	s.see("> typed▮")
	if !s.isRaw() {
		t.Error("the terminal is not raw while open")
	}
	for range 2 {
		if err := s.editor.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.failed(io.EOF)
	s.until("an end of bracketed paste", func() bool { on, _ := s.vt.Paste(); return !on })
	s.see("▮")
	if s.isRaw() {
		t.Error("the terminal is still raw")
	}
	s.editor.Print(term.Literal("late"))
	s.editor.Bell()
	if _, err := s.editor.ReadPassword(term.Text{}); err != io.EOF {
		t.Errorf("ReadPassword after Close: %v", err)
	}
	s.see("▮")
}

func TestCloseAtOnce(t *testing.T) {
	openSession(t).editor.Close()
}

func TestPanicRestoresTheTerminal(t *testing.T) {
	s := newSession(t)
	func() {
		defer func() { recover() }()
		defer s.editor.Close()
		panic("main")
	}()
	if s.isRaw() {
		t.Error("the terminal is still raw")
	}
	s.until("an end of bracketed paste", func() bool { on, _ := s.vt.Paste(); return !on })
}

// TestPanicIsTold: a panic on a goroutine that the editor runs on is OnPanic's, with no lock held, so that it can close the editor.
func TestPanicIsTold(t *testing.T) {
	for key, where := range map[string]string{"\t": "complete", "\x03": "interrupt"} {
		var s *session
		told := make(chan any, 1)
		s = openSession(t, func(c *Config) {
			c.Complete = func(string, int) (int, []string) { panic("complete") }
			c.Interrupt = func() { panic("interrupt") }
			c.OnPanic = func() {
				if p := recover(); p != nil {
					s.editor.Close()
					told <- p
				}
			}
		})
		if where == "complete" {
			go s.editor.ReadLine()
			s.see("> ▮")
		}
		s.press(key)
		select {
		case p := <-told:
			if p != where || s.isRaw() {
				t.Errorf("of %s OnPanic was told %v; the terminal is raw: %v", where, p, s.isRaw())
			}
		case <-time.After(patience):
			t.Errorf("OnPanic was not told of %s", where)
		}
	}
}

func TestOpenWithoutATerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := Open(Config{In: r, Out: w}); err == nil {
		t.Error("Open took a pipe")
	}
	if Interactive(r, w) || Interactive(nil, nil) {
		t.Error("a pipe is interactive")
	}
}

// isRaw reports whether the terminal is in another state than before the editor was opened.
func (s *session) isRaw() bool {
	s.t.Helper()
	return !reflect.DeepEqual(s.state(), s.cooked)
}
