package scripts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"opentalk/plugins/sdk/sdktest"
)

// tryPatience is how long a trial waits for a script. Tests of this package wait longer, for their machine may be busy.
var tryPatience = patience

// trial is a script in a chat that is none.
type trial struct {
	set    Settings
	began  time.Time
	chat   *sdktest.Chat
	host   *Host // since the chat last began
	script *script
	seen   struct{ sent, printed, notified, logged int } // by the tests
	before []fault                                       // of the script before it was started again
	stuck  bool                                          // the script computes what nothing ends but the end of the process
}

// newTrial loads a script. The error is that of the script, with its file and line.
func newTrial(file string) (*trial, error) {
	name, ok := strings.CutSuffix(filepath.Base(file), suffix)
	if !ok {
		return nil, fmt.Errorf("%s: the name of a script ends in %s", file, suffix)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	t := &trial{set: Settings{Folder: filepath.Dir(file), Load: []string{name}}, began: time.Now()}
	err := t.begin(func(h *Host) (err error) {
		t.chat, err = sdktest.NewExtender("scripts", h, sdktest.Options{Handle: "me", Config: t.set, Now: t.began, Patience: tryPatience})
		return err
	})
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// begin has a host started in the chat, and takes what it loads for the script. The error is that of the script.
func (t *trial) begin(start func(*Host) error) error {
	t.host = NewHost()
	t.host.clock = t.now
	if err := start(t.host); err != nil {
		return t.tooLong(err)
	}
	t.script = t.host.find(t.set.Load[0])
	err := t.settle(nil)
	select {
	case failed := <-t.script.loaded:
		if failed != nil {
			text, trace := describe(t.script, failed)
			err = errors.New(strings.Join(append([]string{text}, trace...), "\n\t"))
		}
	default:
	}
	return t.tooLong(err)
}

// restart has the chat end and begin again, with other settings if there are any.
func (t *trial) restart(settings json.RawMessage) error {
	if settings != nil {
		t.set.Config = map[string]json.RawMessage{t.script.name: settings}
	}
	if err := t.chat.Configure(t.set); err != nil {
		return err
	}
	before := t.script
	err := t.begin(func(h *Host) error { return t.chat.Restart(h) })
	t.before = append(t.before, before.faults.list()...)
	return err
}

func (t *trial) now() time.Time {
	if t.chat == nil { // it is being made
		return t.began
	}
	return t.chat.Now()
}

// fault is the first of all that has gone wrong in the script, nil if nothing has.
func (t *trial) fault() error {
	if all := slices.Concat(t.before, t.script.faults.list()); len(all) > 0 {
		return errors.New(all[0].text)
	}
	return nil
}

func (t *trial) close() {
	if t.chat != nil && !t.stuck {
		t.chat.Close()
	}
}

// tooLong says in plain words that a script has not come to an end, if that is what err is.
func (t *trial) tooLong(err error) error {
	var overrun *sdktest.OverrunError
	if !errors.As(err, &overrun) {
		return err
	}
	t.stuck = true
	when := ""
	if overrun.Handler == handlerStart {
		when = " while it is loaded"
	}
	return fmt.Errorf("%s computes without end%s: a single call, of a pattern perhaps, takes longer than %v", overrun.Source, when, overrun.Patience)
}

// settle lets everything happen that err's cause has led to.
func (t *trial) settle(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), tryPatience)
	defer cancel()
	for quiet := 0; quiet < 2; quiet++ { // what is told may lead to errands, and those to more to be told
		t.script.errands.wait(ctx)
		told := t.chat.Settle()
		if told != nil {
			quiet = 0
		}
		err = errors.Join(err, told)
		if ctx.Err() != nil {
			return errors.Join(err, fmt.Errorf("%s does not come to rest", t.script.file()))
		}
	}
	return err
}

// Check loads a script and writes down what it registers.
func Check(file string, out io.Writer) error {
	t, err := newTrial(file)
	if err != nil {
		return err
	}
	defer t.close()
	ext := t.script.extension()
	fmt.Fprintln(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", ext.Name, ext.Version, ext.Description)))
	if len(ext.Needs) > 0 {
		fmt.Fprintf(out, "  needs %s\n", words(ext.Needs))
	}
	for _, c := range ext.Commands {
		fmt.Fprintf(out, "  /%s  %s (%s)\n", strings.TrimSpace(c.Name+" "+c.Usage), c.Help, c.Source)
	}
	for _, f := range ext.Filters {
		required := ""
		if f.Required {
			required = ", required"
		}
		fmt.Fprintf(out, "  filters %s%s (%s)\n", f.Stage, required, f.Source)
	}
	for _, o := range ext.Observes[len(t.script.stub().Observes):] {
		fmt.Fprintf(out, "  is told of %s (%s)\n", o.Kind, o.Source)
	}
	t.script.prog.describe(out)
	return t.fault()
}

// describe writes down what the chat is not told of: timers and settings.
func (p *program) describe(out io.Writer) {
	for _, h := range slices.SortedFunc(maps.Values(p.timers), func(a, b *handler) int { return cmp.Compare(a.id, b.id) }) {
		every := "after"
		if h.every {
			every = "every"
		}
		fmt.Fprintf(out, "  timer %s %v (%s)\n", every, h.after, source(h.fn))
	}
	if len(p.settings) > 0 {
		fmt.Fprintf(out, "  settings %s\n", strings.Join(slices.Sorted(slices.Values(p.settings)), ", "))
	}
}

// testPrefix begins the names of functions that are tests.
const testPrefix = "test_"

// Test runs the tests in a script, each with the script loaded anew, and writes down how they went.
func Test(file string, out io.Writer) error {
	names, err := tests(file)
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range names {
		if err := runTest(file, name); err != nil {
			failed++
			fmt.Fprintf(out, "FAIL %s\n\t%s\n", name, strings.ReplaceAll(err.Error(), "\n", "\n\t"))
			continue
		}
		fmt.Fprintf(out, "ok   %s\n", name)
	}
	switch {
	case len(names) == 0:
		return fmt.Errorf("%s has no function whose name begins with %s", filepath.Base(file), testPrefix)
	case failed > 0:
		return fmt.Errorf("%d of %d tests failed", failed, len(names))
	}
	return nil
}

// tests lists those of a script in the order of their lines.
func tests(file string) (names []string, err error) {
	t, err := newTrial(file)
	if err != nil {
		return nil, err
	}
	defer t.close()
	lines := map[string]int{}
	t.script.prog.l.G.Global.ForEach(func(k, v lua.LValue) {
		if fn, ok := v.(*lua.LFunction); ok && fn.Proto != nil && strings.HasPrefix(k.String(), testPrefix) {
			lines[k.String()] = fn.Proto.LineDefined
		}
	})
	return sortedBy(lines), nil
}

// maxGiven is how many values a test can take of what a function of ot.test returns.
const maxGiven = 8

// runTest runs one test. It is a coroutine: at each function of ot.test it waits while that happens, for which the script must
// be free to answer.
func runTest(file, name string) error {
	t, err := newTrial(file)
	if err != nil {
		return err
	}
	defer t.close()
	p := t.script.prog
	p.l.GetGlobal("ot").(*lua.LTable).RawSetString("test", p.l.SetFuncs(p.l.NewTable(), t.api()))
	thread, _ := p.l.NewThread()
	fn := p.l.GetGlobal(name).(*lua.LFunction)
	var given []lua.LValue
	for {
		state, values, err := t.resume(p, thread, fn, given)
		if err = t.tooLong(err); t.stuck {
			return err
		}
		switch {
		case err != nil:
			return t.failure(err)
		case state == lua.ResumeOK:
			return t.fault()
		}
		next, ok := values[0].(*lua.LUserData).Value.(act)
		if !ok {
			return errors.New("a test yields nothing but what ot.test does")
		}
		values, err = next()
		if err = t.tooLong(err); t.stuck || t.script.prog == nil {
			return err
		}
		p.script = t.script // if it was started again, the test goes on in the program of before, and with the script of now
		given = outcome(values, err)
	}
}

// failure is all that there is to say of a test that failed: the whole error, where it was, and what was printed before.
func (t *trial) failure(err error) error {
	text, lines := describe(t.script, err)
	var api *lua.ApiError
	if errors.As(err, &api) {
		text = strings.TrimSpace(api.Object.String())
	}
	t.settle(nil)
	for _, p := range t.chat.Printed() {
		lines = append(lines, "printed: "+p.Text)
	}
	return errors.New(strings.Join(append([]string{text}, lines...), "\n\t"))
}

// resume runs a test on, on the script's goroutine.
func (t *trial) resume(p *program, thread *lua.LState, fn *lua.LFunction, given []lua.LValue) (state lua.ResumeState, values []lua.LValue, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), tryPatience)
	defer cancel()
	p.now = moment{}
	for len(given) < maxGiven { // gopher-lua fails where a test takes more than it is given
		given = append(given, lua.LNil)
	}
	err = t.script.do(ctx, func() (err error) {
		thread.SetContext(p.budget.start(loadBudget))
		state, err, values = p.l.Resume(thread, fn, given...)
		if p.budget.stop() {
			err = p.tooLong(fn, loadBudget, err)
		}
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = &sdktest.OverrunError{Source: source(fn), Patience: tryPatience}
	}
	return state, values, err
}
