package plugins

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"opentalk/plugins/hook"
)

// fake is a chat without an engine.
type fake struct {
	host   *Host
	faults chan Fault

	mu      sync.Mutex
	sent    []hook.Outgoing
	printed []string
	slow    time.Duration // what History takes
}

func (f *fake) Send(_ context.Context, m hook.Outgoing, took func(hook.MessageID)) error {
	f.mu.Lock()
	f.sent = append(f.sent, m)
	id := hook.MessageID(fmt.Sprint("m", len(f.sent)))
	f.mu.Unlock()
	took(id)
	f.host.Observe(hook.SentEvent{Message: hook.Message{ID: id, Text: m.Text, Auto: m.Auto, Live: true}, State: hook.Sent})
	return nil
}

func (f *fake) Print(from, round, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.printed = append(f.printed, from+": "+text)
}

// all is what was printed.
func (f *fake) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.printed)
}

func (f *fake) Notify(from, text string)                     { f.Print(from, "", "! "+text) }
func (f *fake) Fault(x Fault)                                { f.faults <- x }
func (f *fake) Me(context.Context) (hook.Self, error)        { return hook.Self{Handle: "ada"}, nil }
func (f *fake) Rounds(context.Context) ([]hook.Round, error) { return []hook.Round{{Name: "tea"}}, nil }
func (f *fake) Peers(context.Context, string) ([]hook.Peer, error) {
	return nil, nil
}
func (f *fake) Members(context.Context, string) ([]hook.Member, error) { return nil, nil }
func (f *fake) History(context.Context, hook.Query) ([]hook.Message, error) {
	time.Sleep(f.slow)
	return []hook.Message{{Text: "old"}}, nil
}
func (f *fake) SetNick(context.Context, string, string) error  { return nil }
func (f *fake) SetTopic(context.Context, string, string) error { return nil }
func (f *fake) Join(context.Context, string) (hook.Round, error) {
	return hook.Round{}, hook.Errorf(hook.CodeFailed, "nobody is there")
}
func (f *fake) Leave(context.Context, string) error { return nil }

// slack is what a busy machine may add to a budget; TestRow looks at them to the millisecond.
const slack = 5 * time.Second

// world is a home with a host.
type world struct {
	t    testing.TB
	dir  string
	cfg  Config
	chat *fake
	host *Host
	// patient: budgets are long, for this is about something else.
	patient bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &world{t: t, dir: dir, cfg: Config{Dir: dir, Version: "test", Reserved: []string{"help"}}}
}

// plugin lays out a plugin of a kind. more is added to its manifest.
func (w *world) plugin(name, kind string, more ...string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, "plugins", name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.Link(self, filepath.Join(dir, "plugin")); err != nil {
		text, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "plugin"), text, 0o700)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	manifest := fmt.Sprintf("name = %q\nversion = \"1\"\napi = 1\nexec = \"plugin\"\nargs = [%q]\n", name, kind) + strings.Join(more, "\n")
	if err := os.WriteFile(filepath.Join(dir, "plugin.toml"), []byte(manifest), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// start starts the host, and ends it with the test.
func (w *world) start() {
	w.t.Helper()
	w.host = New(w.cfg)
	if w.patient {
		w.host.budgets = budgets{20 * time.Second, 20 * time.Second, 40 * time.Second}
	}
	w.chat = &fake{host: w.host, faults: make(chan Fault, 100)}
	if err := w.host.Start(w.chat); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.host.Close)
	w.host.Settled(w.t.Context())
}

func (w *world) enable(name string) {
	w.t.Helper()
	if _, err := w.host.Enable(w.t.Context(), name); err != nil {
		w.t.Fatal(err)
	}
}

// out says something, and returns what the filters make of it and how long they took.
func (w *world) out(text string) (Outcome, time.Duration) {
	began := time.Now()
	o := w.host.Filter(w.t.Context(), hook.Item{Stage: hook.StageOutgoing, Out: hook.Outgoing{Text: text}})
	return o, time.Since(began)
}

func (w *world) in(text string) (Outcome, time.Duration) {
	began := time.Now()
	o := w.host.Filter(w.t.Context(), hook.Item{Stage: hook.StageIncoming, Message: hook.Message{Text: text, Live: true}})
	return o, time.Since(began)
}

// fault returns the line that tells of a fault, and complains if there is a second one.
func (w *world) fault() Fault {
	w.t.Helper()
	select {
	case f := <-w.chat.faults:
		return f
	case <-time.After(30 * time.Second):
		w.t.Fatal("no fault is told")
	}
	panic("not reached")
}

func (w *world) noFault() {
	w.t.Helper()
	select {
	case f := <-w.chat.faults:
		w.t.Errorf("a fault is told: %+v", f)
	default:
	}
}

// until waits for something to become true that nobody tells of.
func (w *world) until(what string, f func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within 30s: %s", what)
		}
	}
}

func (w *world) log(name string) string {
	w.t.Helper()
	lines, err := w.host.LogTail(name, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func sizeOf(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Error(err)
		return 0
	}
	return info.Size()
}
