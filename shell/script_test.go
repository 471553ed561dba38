package shell

import (
	"bytes"
	"context"
	goflag "flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"opentalk/engine"
	"opentalk/engine/leaktest"
	"opentalk/shell/line"
	"opentalk/shell/line/linetest"
)

var update = goflag.Bool("update", false, "rewrite what the scripts expect to what they get")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	if told := os.Getenv(panics); told != "" {
		os.Exit(panickingProgram(told))
	}
	leaktest.Main(m)
}

// TestScripts runs each file of testdata: a conversation, line by line.
//
//	# comment
//	flags --json         arguments; before start
//	person               somebody types at a line editor; without it lines come from a pipe
//	config KEY = VALUE   a line of config.toml
//	round NAME           a round from before
//	history NAME TEXT    a message from before, said yesterday if TEXT begins with "yesterday"
//	start
//	> TEXT               a line of input
//	types SECRET         at a question that shows nothing
//	end, ctrl-c          the end of input, Ctrl-C
//	signal NAME          TERM or INT
//	sleep DURATION       on the fake clock, which begins at midnight
//	joins KIND           what becomes of the next /join: refused, wrong-round, hangs; it works if this is left out
//	comes, goes NAME     online and offline
//	disk stops, goes     nothing more is durable until it goes on
//	slow                 whoever is online acknowledges nothing from now on
//	says, does, late, old, ahead, early NAME TEXT   a message; "…" holds Go escapes
//	joined, parted, renamed, stranger NAME   a change among the members; a stranger joined while this device was away
//	in NAME              the round in which things happen from now on; the first if this is left out
//	flood NAME N         N messages, all at once
//	bells N, notices TEXT   how often the bell has rung, and the last notification
//	quits                /quit, and the end of the shell; "start" begins another in the same home
//	forks NAME           has written two histories
//	caught NAME          has written two histories, as one learns now
//	fails                everything that is sent from now on
//	stops N              what reads the past waits after N messages, until it is given up
//	checkup KIND …       what /doctor finds: online, clock DURATION AGREE, tried NAME ADDRESS KIND, hears ADDRESS, asks NAME ADDRESS KIND
//	cat FILE             what the file holds comes on stdout
//	puts FILE TEXT       a file of that name
//	progress DONE TOTAL
//	notice TEXT
//	prompt TEXT          the prompt must be this
//	exit STATUS          the shell must have ended
//	| TEXT, ! TEXT       what has come on the screen or stdout, and on stderr, since this was last asked
//
// $INVITE and $ID stand for the invite to the fake's rounds and for their id.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			home := t.TempDir()
			file, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(home) // for /export
			synctest.Test(t, func(t *testing.T) {
				got := newSession(t, home).play(string(text))
				if *update && got != string(text) {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// session is a shell under test.
type session struct {
	t       *testing.T
	engine  *fake
	home    string
	args    []string
	config  string
	person  bool
	editor  *linetest.Editor
	pipe    *io.PipeWriter
	out     *buffer
	err     *buffer
	signals chan os.Signal
	status  chan int
	seen    int // of what the editor shows
	shell   *Shell
	started bool
	round   engine.Tag // in which things happen; zero for the first
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take returns what was written since it was last called.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func newSession(t *testing.T, home string) *session {
	return &session{
		t: t, engine: newFake(), home: home, out: &buffer{}, err: &buffer{}, signals: make(chan os.Signal, 1),
		status: make(chan int, 1), editor: linetest.New(),
	}
}

// start runs the shell up to its first wait.
func (s *session) start() {
	s.t.Helper()
	if s.config != "" {
		if err := os.WriteFile(filepath.Join(s.home, "config.toml"), []byte(s.config), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	opts, err := Parse(append([]string{"--home", s.home}, s.args...))
	if err != nil {
		s.status <- Refuse(s.err, err)
		return
	}
	in, pipe := io.Pipe()
	s.pipe = pipe
	streams := Streams{
		In: in, Out: s.out, Err: s.err, Person: s.person, Columns: func() int { return 0 },
		Edit: func(c line.Config) (line.Editor, error) {
			s.editor.SetPrompt(c.Prompt)
			return s.editor, nil
		},
	}
	if s.shell, err = New(opts, streams); err != nil {
		s.status <- streams.Fail(opts, err)
		return
	}
	s.engine.emit(roundEvents(s.engine.rounds)...)
	defer synctest.Wait()
	go func() {
		s.status <- s.shell.Run(s.engine, s.signals)
		s.shell.Close()
	}()
	if s.started {
		return
	}
	s.started = true
	s.t.Cleanup(func() {
		s.pipe.Close()
		s.signals <- syscall.SIGTERM
		synctest.Wait()
		close(s.engine.events)
		synctest.Wait()
	})
}

func roundEvents(rounds []engine.Round) (evs []engine.Event) {
	for _, r := range rounds {
		evs = append(evs, engine.RoundEvent{Round: r})
	}
	return evs
}

// output returns what has come since it was last called: the screen or stdout, and stderr.
func (s *session) output() string {
	synctest.Wait()
	shown := s.editor.Shown()
	out := s.out.take() + shown[s.seen:]
	s.seen = len(shown)
	return prefixed("| ", s.hide(out)) + prefixed("! ", s.hide(s.err.take()))
}

func (s *session) hide(text string) string {
	return strings.NewReplacer(s.engine.invite().Token(), "$INVITE", secretID, "$ID", s.home, "HOME").Replace(text)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(prefix+l, " ") + "\n"
	}
	return strings.Join(lines, "")
}

// play does what a script says, and returns the script with what came in the place of what was expected.
func (s *session) play(script string) string {
	s.t.Helper()
	var got, want strings.Builder
	check := func(at int) {
		s.t.Helper()
		came := s.output()
		if came != want.String() && !*update {
			s.t.Errorf("before line %d\ngot:\n%swant:\n%s", at, came, want.String())
		}
		got.WriteString(came)
		want.Reset()
	}
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	asked := false
	for i, l := range lines {
		if strings.HasPrefix(l, "|") || strings.HasPrefix(l, "!") {
			want.WriteString(strings.TrimRight(l, " ") + "\n")
			asked = true
			continue
		}
		if asked || *update {
			check(i + 1)
		}
		asked = false
		got.WriteString(l + "\n")
		if l != "" && l[0] != '#' {
			s.do(i+1, l)
		}
	}
	check(len(lines))
	return got.String()
}

// do is one line of a script.
func (s *session) do(at int, l string) {
	s.t.Helper()
	verb, rest, _ := strings.Cut(l, " ")
	rest = strings.NewReplacer("$INVITE", s.engine.invite().Token(), "$ID", secretID).Replace(rest)
	switch verb {
	case "flags":
		s.args = append(s.args, words(rest)...)
	case "person":
		s.person = true
	case "config":
		s.config += rest + "\n"
	case "round":
		s.engine.add(rest)
	case "start":
		s.start()
	case ">":
		s.line(unquote(rest))
	case "end":
		s.end()
	case "types":
		s.editor.TypePassword(rest)
	case "ctrl-c":
		s.editor.Interrupt()
	case "signal":
		s.signals <- map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt}[rest]
	case "sleep":
		d, err := time.ParseDuration(rest)
		if err != nil {
			s.t.Fatalf("line %d: %v", at, err)
		}
		time.Sleep(d)
	case "prompt":
		if synctest.Wait(); strings.TrimSpace(s.editor.Prompt()) != rest {
			s.t.Errorf("line %d: prompt is %q, want %q", at, s.editor.Prompt(), rest)
		}
	case "bells":
		if got := fmt.Sprint(s.editor.Bells()); got != rest {
			s.t.Errorf("line %d: the bell has rung %s times, want %s", at, got, rest)
		}
	case "notices":
		if all := s.editor.Notices(); len(all) == 0 || all[len(all)-1] != rest {
			s.t.Errorf("line %d: notified of %q, want %q last", at, all, rest)
		}
	case "quits":
		s.line("/quit")
		synctest.Wait()
		s.exit(at, "0")
		close(s.engine.events)
		s.engine.events = make(chan engine.Event, cap(s.engine.events))
		s.editor, s.seen = linetest.New(), 0
	case "exit":
		s.exit(at, rest)
	default:
		if !s.happens(verb, rest) {
			s.t.Fatalf("line %d: unknown %q", at, verb)
		}
	}
	synctest.Wait()
}

func (s *session) line(text string) {
	if s.person {
		s.editor.Type(text)
		return
	}
	io.WriteString(s.pipe, text+"\n")
}

func (s *session) end() {
	if s.person {
		s.editor.End()
	} else {
		s.pipe.Close()
	}
}

func (s *session) exit(at int, status string) {
	s.t.Helper()
	select {
	case got := <-s.status:
		if fmt.Sprint(got) != status {
			s.t.Errorf("line %d: status %d, want %s", at, got, status)
		}
	default:
		s.t.Errorf("line %d: still running, want status %s", at, status)
	}
}

// happens is what comes from the engine.
func (s *session) happens(verb, rest string) bool {
	f := s.engine
	name, text, _ := strings.Cut(rest, " ")
	name, text = unquote(name), unquote(text)
	round := s.round
	if len(f.rounds) > 0 && round == (engine.Tag{}) {
		round = f.rounds[0].Tag
	}
	m := f.message(round, name, text)
	change := engine.MemberEvent{Round: round, Person: someone(name), Live: true, Change: engine.Joined}
	switch verb {
	case "history":
		if strings.HasPrefix(text, "yesterday") {
			m.Written = m.Written.Add(-24 * time.Hour)
		}
		m.At = engine.PositionAt(m.Written)
		m.At.Within = f.messages
		f.history = append(f.history, m)
	case "joins":
		f.joining = joinings[rest]
	case "comes":
		f.comes(name)
	case "goes":
		f.goes(name)
	case "disk":
		if rest == "goes" {
			close(f.disk)
		} else {
			f.disk = make(chan struct{})
		}
	case "slow":
		f.held = false
	case "forks":
		f.forked = name
	case "stops":
		f.stopAfter, _ = strconv.Atoi(rest)
	case "checkup":
		f.checkup = checkups(f.checkup, strings.Fields(rest))
	case "cat":
		content, err := os.ReadFile(rest)
		if err != nil {
			s.t.Fatal(err)
		}
		s.out.Write(content)
	case "puts":
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	case "fails":
		f.broken = fmt.Errorf("%w: no space left", engine.ErrReadOnly)
	case "says":
		f.said(m)
	case "flood":
		n, _ := strconv.Atoi(text)
		for i := range n {
			f.said(f.message(round, name, fmt.Sprintf("line %d", i+1)))
			if i%500 == 499 {
				synctest.Wait()
			}
		}
	case "in":
		s.round = tagOf(rest)
	case "does":
		m.Form = engine.Action
		f.emit(engine.MessageEvent{Message: m})
	case "late":
		m.Late, m.Live, m.Written = true, false, m.Written.Add(-2*time.Hour)
		f.emit(engine.MessageEvent{Message: m})
	case "ahead":
		m.Held = true
		f.emit(engine.MessageEvent{Message: m})
	case "early":
		m.Live, m.Provisional = false, true
		f.emit(engine.MessageEvent{Message: m})
	case "old":
		m.Live = false
		f.emit(engine.MessageEvent{Message: m})
	case "joined":
		f.emit(change)
	case "parted":
		change.Change = engine.Left
		f.emit(change)
	case "renamed":
		change.Change, change.Was = engine.Renamed, text
		f.emit(change)
	case "stranger":
		change.Live = false
		f.emit(change)
	case "caught":
		f.emit(engine.ForkEvent{Round: round, Person: someone(name)}, engine.NoticeEvent{Text: "a device of " + name + " has written two histories"})
	case "progress":
		done, _ := strconv.Atoi(name)
		total, _ := strconv.Atoi(text)
		f.emit(engine.ProgressEvent{Round: round, What: "catching up", Done: done, Total: total})
	case "notice":
		f.emit(engine.NoticeEvent{Text: unquote(rest)})
	default:
		return false
	}
	return true
}

var joinings = map[string]func(context.Context) error{
	"refused":     func(context.Context) error { return fmt.Errorf("dialling 192.0.2.1:7654: %w", engine.ErrRefused) },
	"wrong-round": func(context.Context) error { return engine.ErrWrongRound },
	"hangs": func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("joining: %w: %w", engine.ErrTimeout, ctx.Err())
	},
}

// checkups adds one finding to what /doctor finds.
func checkups(c engine.Checkup, words []string) engine.Checkup {
	reasons := map[string]error{
		"ok": nil, "untried": engine.ErrUntried, "no-network": engine.ErrNoRoute, "name-not-found": engine.ErrNotFound, "refused": engine.ErrRefused,
		"timeout": engine.ErrTimeout, "not-opentalk": engine.ErrNotOpentalk, "wrong-round": engine.ErrWrongRound,
	}
	switch words[0] {
	case "online":
		c.Online = true
	case "clock":
		c.Clock, _ = time.ParseDuration(words[1])
		c.Agree, _ = strconv.Atoi(words[2])
	case "tried":
		c.Tried = append(c.Tried, engine.Tried{Person: someone(words[1]), Address: words[2], Err: reasons[words[3]]})
	case "hears":
		c.Listen, c.Announced = []string{words[1]}, []string{words[1]}
	case "asks":
		c.Asked = append(c.Asked, someone(words[1]))
		c.Reached = append(c.Reached, engine.Reached{By: someone(words[1]), Address: words[2], Err: reasons[words[3]]})
	}
	return c
}

// words splits at blanks, but not within double quotes.
func words(text string) (all []string) {
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// unquote reads a Go string if text is one.
func unquote(text string) string {
	if s, err := strconv.Unquote(text); err == nil {
		return s
	}
	return text
}
