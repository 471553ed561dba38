package linetest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"opentalk/shell/line"
	"opentalk/shell/line/linetest"
	"opentalk/shell/term"
)

func TestEditor(t *testing.T) {
	e := linetest.New()
	e.Type("one", "two\nlines")
	e.Interrupt()
	e.TypePassword("secret")
	e.End()
	e.Hangup()
	for _, want := range []string{"one", "two\nlines"} {
		if got, err := e.ReadLine(); got != want || err != nil {
			t.Errorf("ReadLine returned %q, %v, want %q", got, err, want)
		}
	}
	if _, err := e.ReadLine(); err != line.ErrInterrupt {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if got, err := e.ReadPassword(term.Literal("passphrase: ")); string(got) != "secret" || err != nil {
		t.Errorf("ReadPassword returned %q, %v", got, err)
	}
	if _, err := e.ReadLine(); err != line.ErrEnd {
		t.Errorf("after Ctrl-D: %v", err)
	}
	for range 2 {
		if _, err := e.ReadLine(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
	if e.Shown() != "passphrase: \n" {
		t.Errorf("shown: %q", e.Shown())
	}
}

func TestWait(t *testing.T) {
	e := linetest.New()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	go func() {
		e.Print(term.Literal("first\n"))
		e.Print(term.Literal("second"))
	}()
	if err := e.Wait(ctx, "first\nsecond\n"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := e.Wait(ctx, "third"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "second") {
		t.Errorf("waiting in vain: %v", err)
	}
}

func TestCloseEndsReading(t *testing.T) {
	e := linetest.New()
	done := make(chan error)
	go func() {
		_, err := e.ReadLine()
		done <- err
	}()
	e.Close()
	if err := <-done; err != io.EOF {
		t.Errorf("ReadLine after Close: %v", err)
	}
	e.Print(term.Literal("late"))
	if e.Shown() != "" {
		t.Errorf("printed after Close: %q", e.Shown())
	}
}
