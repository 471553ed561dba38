package wire

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"opentalk/plugins/hook"
	"opentalk/plugins/wire/pb"
)

// tables returns the rows of each table of HOOKS.md by the first word of its head.
func tables(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile("../hook/HOOKS.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][][]string{}
	var name string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			name = ""
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		switch {
		case name == "":
			if name = cells[0]; name == "call" && cells[1] == "budget" {
				name = "budget"
			}
		case !strings.HasPrefix(cells[0], "---"):
			all[name] = append(all[name], cells)
		}
	}
	return all
}

func column(rows [][]string, n int) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r[n])
	}
	return all
}

func words[T ~string](all []T) []string {
	return each(all, func(s T) string { return string(s) })
}

func equal(t *testing.T, what string, have, want []string) {
	t.Helper()
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("HOOKS.md has %s\n%q, the code\n%q", what, have, want)
	}
}

// TestHooksAreWritten: HOOKS.md lists all that there is, and nothing else.
func TestHooksAreWritten(t *testing.T) {
	all := tables(t)
	equal(t, "stages", column(all["stage"], 0), words(hook.Stages()))
	equal(t, "events", column(all["event"], 0), words(hook.Kinds()))
	equal(t, "capabilities", column(all["capability"], 0), words(hook.Capabilities()))
	equal(t, "codes", column(all["code"], 0), words(hook.Codes()))

	methods := func(of reflect.Type) (names []string) {
		for i := range of.NumMethod() {
			names = append(names, of.Method(i).Name)
		}
		return names
	}
	equal(t, "calls of the chat", column(all["budget"], 0), methods(reflect.TypeFor[hook.Extender]()))
	equal(t, "calls of a plugin", column(all["call"], 0), methods(reflect.TypeFor[hook.Host]()))
}

// TestErrorCodesAreWritten with the status that stands for each.
func TestErrorCodesAreWritten(t *testing.T) {
	names := map[string]codes.Code{}
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		name := regexp.MustCompile("([a-z])([A-Z])").ReplaceAllString(c.String(), "${1}_$2")
		names[strings.ToUpper(name)] = c
	}
	for _, row := range tables(t)["code"] {
		if got, ok := names[row[1]]; !ok || statusOf[hook.Code(row[0])] != got {
			t.Errorf("%s is %s, in HOOKS.md %s", row[0], statusOf[hook.Code(row[0])], row[1])
		}
	}
	if len(statusOf) != len(codeOf) || len(statusOf) != len(hook.Codes()) {
		t.Errorf("%d codes have %d statuses, of them %d different", len(hook.Codes()), len(statusOf), len(codeOf))
	}
}

// TestEventFieldsAreWritten as the .proto has them.
func TestEventFieldsAreWritten(t *testing.T) {
	events := (&pb.ObserveRequest{}).ProtoReflect().Descriptor().Oneofs().ByName("event").Fields()
	if events.Len() != len(hook.Kinds()) {
		t.Errorf("the .proto has %d events, the code %d", events.Len(), len(hook.Kinds()))
	}
	for _, row := range tables(t)["event"] {
		f := events.ByName(protoreflect.Name(strings.ReplaceAll(row[0], "-", "_")))
		if f == nil {
			t.Errorf("the .proto has no event %s", row[0])
			continue
		}
		var fields []string
		for i := range f.Message().Fields().Len() {
			fields = append(fields, string(f.Message().Fields().Get(i).Name()))
		}
		written := regexp.MustCompile(`\w+`).FindAllString(row[2], -1)
		equal(t, "fields of "+row[0], written, fields)
	}
}

// TestLimitsAreWritten with their values.
func TestLimitsAreWritten(t *testing.T) {
	values := map[string]any{
		"MaxText": hook.MaxText, "MaxLine": hook.MaxLine, "MaxLines": hook.MaxLines, "MaxAnswer": hook.MaxAnswer,
		"MaxNote": hook.MaxNote, "MaxError": hook.MaxError, "MaxArgs": hook.MaxArgs, "MaxCandidates": hook.MaxCandidates,
		"MaxHistory": hook.MaxHistory, "MaxStorage": hook.MaxStorage, "MaxKey": hook.MaxKey, "MaxValue": hook.MaxValue,
		"MaxName": hook.MaxName, "MaxHandlers": hook.MaxHandlers, "MaxExtensions": hook.MaxExtensions,
		"MaxTimers": hook.MaxTimers, "MaxRegistration": hook.MaxRegistration, "MinTimer": hook.MinTimer,
		"MaxTimer": hook.MaxTimer, "MaxDepth": hook.MaxDepth, "FilterBudget": hook.FilterBudget, "RowBudget": hook.RowBudget,
		"CommandBudget": hook.CommandBudget, "ObserveBudget": hook.ObserveBudget, "StartBudget": hook.StartBudget,
		"StopBudget": hook.StopBudget, "ScriptBudget": hook.ScriptBudget, "Strikes": hook.Strikes, "StrikeWindow": hook.StrikeWindow,
	}
	f, err := parser.ParseFile(token.NewFileSet(), "../hook/limits.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			declared = append(declared, spec.Names[0].Name)
		}
		return true
	})
	rows := tables(t)["limit"]
	equal(t, "limits", column(rows, 0), declared)
	equal(t, "limits", slices.Collect(maps.Keys(values)), declared)
	for _, row := range rows {
		if want := fmt.Sprint(values[row[0]]); row[1] != want {
			t.Errorf("%s is %s, in HOOKS.md %s", row[0], want, row[1])
		}
	}
}
