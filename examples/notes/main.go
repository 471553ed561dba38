// Notes is a plugin that keeps a list: "/note add buy tea", "/note list", "/note done 1". It shows a command with completion, and the
// storage.
package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk"
)

func main() { sdk.Serve(notes) }

var notes = sdk.Plugin{
	Name: "notes", Version: "1.0.0", Description: "keeps a list of things to do",
	Needs: []hook.Capability{hook.CanStore},
	Commands: []sdk.Command{{
		Name: "note", Usage: "add TEXT | list | done NUMBER", Help: "keeps a list", Example: "/note add buy tea", Min: 1,
		Run: run, Complete: complete,
	}},
}

// key is where the list is stored, as JSON.
const key = "list"

func run(ctx context.Context, chat *sdk.Host, call hook.Call) ([]string, error) {
	var list []string
	if err := chat.Load(ctx, key, &list); err != nil {
		return nil, err
	}
	switch verb, rest := call.Args[0], call.Args[1:]; {
	case verb == "list" && len(rest) == 0:
		return numbered(list), nil
	case verb == "add" && len(rest) > 0:
		_, text, _ := strings.Cut(strings.TrimSpace(call.Line), " ")
		list = append(list, strings.TrimSpace(text))
		return []string{fmt.Sprintf("noted as %d", len(list))}, chat.Save(ctx, key, list)
	case verb == "done" && len(rest) == 1:
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < 1 || n > len(list) {
			return nil, &hook.Error{
				Code: hook.CodeNotFound, Text: fmt.Sprintf("there is no note %q", rest[0]), Hint: "/note list shows them",
			}
		}
		text := list[n-1]
		return []string{"done: " + text}, chat.Save(ctx, key, slices.Delete(list, n-1, n))
	}
	return nil, hook.Errorf(hook.CodeInvalid, "usage: /note add TEXT | list | done NUMBER")
}

func numbered(list []string) []string {
	if len(list) == 0 {
		return []string{"nothing is noted"}
	}
	var lines []string
	for i, text := range list {
		lines = append(lines, fmt.Sprintf("%d  %s", i+1, text))
	}
	return lines
}

// complete offers the verbs, and the numbers that can be done.
func complete(ctx context.Context, chat *sdk.Host, call hook.Completion) ([]string, error) {
	offer := []string{"add", "list", "done"}
	switch {
	case len(call.Args) == 2 && call.Args[0] == "done":
		var list []string
		if err := chat.Load(ctx, key, &list); err != nil {
			return nil, err
		}
		offer = nil
		for i := range list {
			offer = append(offer, strconv.Itoa(i+1))
		}
	case len(call.Args) > 1:
		return nil, nil
	}
	word := call.Args[len(call.Args)-1]
	offer = slices.DeleteFunc(offer, func(s string) bool { return !strings.HasPrefix(s, word) })
	return offer[:min(len(offer), hook.MaxCandidates)], nil
}
