package shell

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"opentalk/engine"
	"opentalk/shell/term"
)

// An export is written to FILE.part, and FILE.mark says how far that has come; at the end the part gets the name FILE, which
// must be new. What was on this device's disk at the beginning is what it holds, whatever comes meanwhile, so one that was
// interrupted goes on where it was.

var errFile = errors.New("file cannot be written")

// markEvery is how many messages are written again, at most, after a crash.
const markEvery = 5000

// mark is how far an export has come.
type mark struct {
	Round string          `json:"round"` // tag
	Among uint64          `json:"among"` // the blocks that were there
	After engine.Position `json:"after"`
	Bytes int64           `json:"bytes"`
	Done  int             `json:"done"`
}

// export is one under way.
type export struct {
	root *os.Root
	name string
	mark mark
	file *os.File
	to   *bufio.Writer
	line func(engine.Message) string
}

func runExport(c *call) error {
	round, err := c.current()
	if err != nil {
		return err
	}
	e, err := openExport(c, round)
	if err != nil {
		return fileFault(err)
	}
	defer e.close()
	begun := e.mark.Done
	if err := e.copy(c, round); err != nil {
		if errors.Is(err, context.Canceled) {
			return faultf(context.Canceled, "the export was interrupted after %s", counted(e.mark.Done, "message")).but("the same command goes on with it")
		}
		return fileFault(err)
	}
	if err := e.finish(); err != nil {
		return fileFault(err)
	}
	c.say(term.Sprintf("%s in %s", count(e.mark.Done, "message"), e.name))
	if begun > 0 {
		c.say(dim(term.Sprintf("(%d of them from an export that was interrupted)", begun)))
	}
	return nil
}

// fileFault tells what is wrong with a file, unless it is something else that went wrong.
func fileFault(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, fs.ErrExist):
		return faultf(errFile, "%v", err).but("choose another name, or move what is there away")
	case errors.As(err, &path), errors.As(err, &link):
		return faultf(errFile, "%v", err)
	}
	return err
}

// openExport begins an export, or takes up the one of that name. Names lead nowhere but into the folder that opentalk was
// started in.
func openExport(c *call, round engine.Round) (e *export, err error) {
	e = &export{name: c.args[0], line: exportText(c.look)}
	if ext := filepath.Ext(e.name); ext == ".jsonl" || ext == ".json" || ext == ".ndjson" {
		e.line = exportJSON(round)
	}
	if !filepath.IsLocal(e.name) {
		return nil, faultf(errFile, "%q is not in the folder that opentalk was started in", e.name)
	}
	if e.root, err = os.OpenRoot("."); err != nil {
		return nil, err
	}
	if _, err = e.root.Lstat(e.name); err == nil {
		err = fmt.Errorf("%s: %w", e.name, fs.ErrExist)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = e.resume(round)
		if errors.Is(err, fs.ErrNotExist) {
			err = e.begin(c, round)
		}
	}
	if err != nil {
		e.root.Close()
		return nil, err
	}
	e.to = bufio.NewWriterSize(e.file, 64<<10)
	return e, nil
}

func (e *export) part() string { return e.name + ".part" }
func (e *export) at() string   { return e.name + ".mark" }

// begin makes the two files, the mark first: a part without one is somebody else's.
func (e *export) begin(c *call, round engine.Round) (err error) {
	if e.mark.Among, err = c.Arrived(c, round.Tag); err != nil {
		return err
	}
	e.mark.Round = round.Tag.String()
	if err = e.save(); err == nil {
		if e.file, err = e.root.OpenFile(e.part(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			e.root.Remove(e.at()) // or the next try would take what is there for its own
		}
	}
	return err
}

// resume takes up an export of this round, or says [fs.ErrNotExist].
func (e *export) resume(round engine.Round) error {
	content, err := e.root.ReadFile(e.at())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &e.mark); err != nil || e.mark.Round != round.Tag.String() {
		return fmt.Errorf("%s: %w, and is not of an export of %s", e.at(), fs.ErrExist, round.Name)
	}
	info, err := e.root.Lstat(e.part())
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() < e.mark.Bytes {
		return fmt.Errorf("%s: %w, and is not what was written", e.part(), fs.ErrExist)
	}
	if e.file, err = e.root.OpenFile(e.part(), os.O_WRONLY, 0); err != nil {
		return err
	}
	err = e.file.Truncate(e.mark.Bytes)
	if err == nil {
		_, err = e.file.Seek(0, io.SeekEnd)
	}
	return err
}

// copy writes the messages that are not yet written. The mark is right however it ends.
func (e *export) copy(c *call, round engine.Round) error {
	last := e.mark
	for m, err := range c.After(c, round.Tag, e.mark.After, e.mark.Among) {
		var n int
		if err == nil {
			n, err = e.to.WriteString(e.line(m))
		}
		if err == nil {
			last.After, last.Bytes, last.Done = m.At, last.Bytes+int64(n), last.Done+1
			if last.Done%markEvery != 0 {
				continue
			}
			err = e.keep(last)
		}
		if err != nil {
			return errors.Join(err, e.keep(last))
		}
	}
	return e.keep(last)
}

// keep has everything written so far on the disk, and the mark after it.
func (e *export) keep(m mark) error {
	if err := errors.Join(e.to.Flush(), e.file.Sync()); err != nil {
		return err
	}
	e.mark = m
	return e.save()
}

func (e *export) save() error {
	content, err := json.Marshal(e.mark)
	if err == nil {
		err = e.root.WriteFile(e.at()+".new", content, 0o600)
	}
	if err == nil {
		err = e.root.Rename(e.at()+".new", e.at())
	}
	return err
}

// finish gives the part its name, unless that was taken meanwhile. Where files cannot have two names, it is looked whether it was.
func (e *export) finish() error {
	err := e.root.Link(e.part(), e.name)
	switch {
	case err == nil:
		err = e.root.Remove(e.part())
	case !errors.Is(err, fs.ErrExist):
		if _, err = e.root.Lstat(e.name); errors.Is(err, fs.ErrNotExist) {
			err = e.root.Rename(e.part(), e.name)
		}
	}
	if err == nil {
		err = e.root.Remove(e.at())
	}
	return err
}

func (e *export) close() {
	e.file.Close()
	e.root.Close()
}

// exportJSON gives the events that --json tells of a message that was asked for.
func exportJSON(round engine.Round) func(engine.Message) string {
	return func(m engine.Message) string { return jsonLine(messageOf("history", round.Name, m)) }
}

// exportText gives lines that are as safe to show as the screen's. Further lines of a message are indented.
func exportText(l look) func(engine.Message) string {
	return func(m engine.Message) string {
		head := term.Sprintf("%s %s: ", m.Written.In(l.zone).Format("2006-01-02 15:04:05"), term.CleanHandle(m.From.Name))
		switch {
		case m.Problem != "":
			return term.Sprintf("%s(%s)\n", head, m.Problem).String()
		case m.Form == engine.Action:
			head = term.Sprintf("%s %s %s ", m.Written.In(l.zone).Format("2006-01-02 15:04:05"), term.Literal("*"), term.CleanHandle(m.From.Name))
		}
		text := term.Clean(strings.ReplaceAll(m.Text, "\r\n", "\n")).String()
		return head.String() + strings.ReplaceAll(text, "\n", "\n    ") + "\n"
	}
}
