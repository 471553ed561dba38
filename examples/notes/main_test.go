package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
)

func TestNotes(t *testing.T) {
	chat, err := sdktest.New(notes, sdktest.Options{Wire: true})
	if err != nil {
		t.Fatal(err)
	}
	defer chat.Close()
	for _, step := range []struct {
		line, want string
		code       hook.Code
	}{
		{"/note list", "nothing is noted", ""},
		{"/note add  buy  tea", "noted as 1", ""},
		{"/note add call bob", "noted as 2", ""},
		{"/note list", "1  buy  tea|2  call bob", ""},
		{"/note done 3", "", hook.CodeNotFound},
		{"/note done 1", "done: buy  tea", ""},
		{"/note list", "1  call bob", ""},
		{"/note", "", hook.CodeInvalid},
		{"/note lits", "", hook.CodeInvalid},
	} {
		r, err := chat.Type(step.line)
		var failed *hook.Error
		if errors.As(err, &failed) != (step.code != "") || failed != nil && failed.Code != step.code {
			t.Fatalf("%s: %v", step.line, err)
		}
		if got := strings.Join(r.Lines, "|"); got != step.want {
			t.Errorf("%s: %q, want %q", step.line, got, step.want)
		}
	}
	for line, want := range map[string][]string{
		"/note ": {"add", "list", "done"}, "/note d": {"done"}, "/note done ": {"1"}, "/note done 2": {}, "/note add x": nil,
	} {
		if got, err := chat.Complete(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q offers %q, %v", line, got, err)
		}
	}
}
