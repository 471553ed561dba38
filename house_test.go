package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// floors says which packages each package of the house may import besides the standard library and other modules.
// Imports only ever point down.
var floors = map[string][]string{
	"opentalk":                              {"shell", "engine", "scripts", "plugins/scaffold"},
	"opentalk/shell":                        {"shell/line", "shell/term", "engine", "plugins", "plugins/hook"},
	"opentalk/shell/line":                   {"shell/term"},
	"opentalk/shell/line/linetest":          {"shell/line", "shell/term"},
	"opentalk/shell/term":                   {},
	"opentalk/shell/term/vt":                {},
	"opentalk/engine":                       {"engine/chain", "engine/link", "engine/seal", "engine/store", "engine/socket", "engine/identity"},
	"opentalk/engine/chain":                 {"engine/identity"},
	"opentalk/engine/link":                  {"engine/identity"},
	"opentalk/engine/seal":                  {"engine/identity"},
	"opentalk/engine/store":                 {"engine/identity"},
	"opentalk/engine/store/storetest":       {"engine/store", "engine/identity"},
	"opentalk/engine/socket":                {},
	"opentalk/engine/identity":              {},
	"opentalk/engine/identity/identitytest": {"engine/identity"},
	"opentalk/engine/skiptest":              {},
	"opentalk/engine/leaktest":              {},
	"opentalk/engine/enginetest":            {"engine/chain", "engine/link", "engine/socket", "engine/seal", "engine/store", "engine/identity", "engine/identity/identitytest"},
	"opentalk/plugins":                      {"plugins/hook", "plugins/wire"},
	"opentalk/plugins/hook":                 {},
	"opentalk/plugins/scaffold":             {"plugins/hook"},
	"opentalk/plugins/wire":                 {"plugins/hook", "plugins/wire/pb"},
	"opentalk/plugins/wire/pb":              {},
	"opentalk/plugins/wire/wiretest":        {"plugins/wire", "plugins/hook"},
	"opentalk/plugins/sdk":                  {"plugins/hook", "plugins/wire"},
	"opentalk/plugins/sdk/sdktest":          {"plugins/sdk", "plugins/hook", "plugins/wire/wiretest"},
	"opentalk/scripts":                      {"plugins/sdk", "plugins/sdk/sdktest", "plugins/hook"},
	"opentalk/examples/bench":               {"engine/enginetest"},
	"opentalk/examples/demo":                {},
	"opentalk/examples/guard":               {"plugins/sdk", "plugins/hook"},
	"opentalk/examples/irc":                 {"plugins/sdk", "plugins/hook"},
	"opentalk/examples/notes":               {"plugins/sdk", "plugins/hook"},
	"opentalk/examples/notify":              {"plugins/sdk", "plugins/hook"},
	"opentalk/examples/shorten":             {"plugins/sdk", "plugins/hook"},
}

// packages are the folders with Go code and the import path of each. What has a module of its own is no part of the house.
func packages(t *testing.T) map[string]string {
	t.Helper()
	dirs := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || hasModule(path)) {
				return fs.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(path))
			dirs[filepath.Dir(path)] = strings.TrimSuffix("opentalk/"+dir, "/.")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// TestImportsPointDown reads the imports of every file, and every package must have its place in the house.
func TestImportsPointDown(t *testing.T) {
	for dir, path := range packages(t) {
		below, ok := floors[path]
		if !ok {
			t.Errorf("package %s has no floor", path)
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, imp := range f.Imports {
				to := strings.Trim(imp.Path.Value, `"`)
				if rest, ours := strings.CutPrefix(to, "opentalk/"); ours && !slices.Contains(below, rest) {
					t.Errorf("%s imports %s, which is not below %s", file, to, path)
				}
			}
		}
	}
}

// TestWhatThePackagesLink looks at what the linker would see: a parser can be deceived, and other modules import, too.
//
// The binary links net/http because gRPC does, and testing because go-plugin does: nothing here uses either, and the engine
// does not even link them. A plugin's binary holds nothing of the chat.
func TestWhatThePackagesLink(t *testing.T) {
	for pkg, banned := range map[string][]string{
		"./engine": {"opentalk/shell", "opentalk/plugins", "opentalk/plugins/hook", "opentalk/scripts", "github.com/chzyer/readline",
			"net/http", "testing"},
		"./engine/chain": {"os/exec", "net/http", "opentalk/engine/store", "opentalk/engine/link"},
		"./shell/term":   {"opentalk/engine", "net"},
		".": {"opentalk/shell/term/vt", "opentalk/engine/identity/identitytest", "opentalk/engine/store/storetest",
			"opentalk/engine/skiptest", "opentalk/engine/leaktest", "net/http/pprof", "google.golang.org/grpc/encoding/gzip"},
		"./plugins/hook":        {"net", "os/exec", "opentalk/plugins/wire"},
		"./plugins/wire":        {"opentalk/engine", "opentalk/engine/chain", "opentalk/shell"},
		"./plugins/sdk/sdktest": {"opentalk/engine", "opentalk/plugins", "opentalk/shell", "opentalk/scripts"},
		"./examples/notes":      {"opentalk/engine", "opentalk/plugins", "opentalk/shell", "opentalk/scripts"},
	} {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", pkg, err)
		}
		deps := strings.Fields(string(out))
		for _, b := range banned {
			if slices.Contains(deps, b) {
				t.Errorf("%s links %s", pkg, b)
			}
		}
	}
}

// TestEveryPackageSaysItsPlace: a package has one comment, in one file, of more than a line.
func TestEveryPackageSaysItsPlace(t *testing.T) {
	for dir, path := range packages(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var comments []string
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil && !strings.HasSuffix(file, "_test.go") {
				comments = append(comments, f.Doc.Text())
			}
		}
		switch {
		case len(comments) != 1:
			t.Errorf("%s has %d package comments", path, len(comments))
		case strings.Count(comments[0], "\n") < 2:
			t.Errorf("%s hardly says what it is: %q", path, comments[0])
		}
	}
}

// TestSkippedOnlyWithAWord: a test that leaves itself out does so by skiptest, so that CI can forbid it.
func TestSkippedOnlyWithAWord(t *testing.T) {
	skips := regexp.MustCompile(`\w\.(Skip|Skipf|SkipNow)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if at := skips.Find(text); at != nil {
			t.Errorf("%s calls %s: skiptest.Because says why, and fails where nothing may be skipped", path, at)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// besideMain are the packages that start goroutines in the chat's own process, with what of them runs in a plugin's.
var besideMain = map[string]string{"shell": "", "shell/line": "", "shell/term": "", "engine": "", "plugins": "", "plugins/wire": "pluginServer"}

// TestPanicsAreGuarded: what runs on a goroutine of its own defers OnPanic, or recovers by itself. A panic there ends the program,
// and main could not give the terminal back.
func TestPanicsAreGuarded(t *testing.T) {
	for dir, elsewhere := range besideMain {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		set, bodies := token.NewFileSet(), map[string][]*ast.BlockStmt{}
		var started []ast.Expr
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, is := d.(*ast.FuncDecl)
				if !is || fn.Recv != nil && elsewhere != "" && strings.Contains(types.ExprString(fn.Recv.List[0].Type), elsewhere) {
					continue
				}
				bodies[fn.Name.Name] = append(bodies[fn.Name.Name], fn.Body)
				started = append(started, goroutines(fn)...)
			}
		}
		for _, f := range started {
			if !guarded(f, bodies) {
				t.Errorf("%s: %s is started without a guard", set.Position(f.Pos()), types.ExprString(f))
			}
		}
	}
}

// guarded reports whether a function, or the only one that it calls, defers a guard. Of several with its name, one has to.
func guarded(f ast.Expr, bodies map[string][]*ast.BlockStmt) bool {
	those := bodies[lastName(f)]
	if lit, is := f.(*ast.FuncLit); is {
		those = []*ast.BlockStmt{lit.Body}
	}
	return slices.ContainsFunc(those, func(body *ast.BlockStmt) bool {
		if len(body.List) == 1 {
			if s, is := body.List[0].(*ast.ExprStmt); is {
				call, is := s.X.(*ast.CallExpr)
				return is && guarded(call.Fun, bodies)
			}
		}
		return slices.ContainsFunc(body.List, guards)
	})
}

// goroutines are the functions that a function has run on others.
func goroutines(in *ast.FuncDecl) (started []ast.Expr) {
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			started = append(started, n.Call.Fun)
		case *ast.CallExpr:
			if name := lastName(n.Fun); name == "Go" || name == "AfterFunc" {
				started = append(started, n.Args[len(n.Args)-1])
			}
		}
		return true
	})
	return started
}

// guards reports whether a statement defers OnPanic, or what recovers.
func guards(s ast.Stmt) bool {
	deferred, is := s.(*ast.DeferStmt)
	if !is {
		return false
	}
	found := false
	ast.Inspect(deferred, func(n ast.Node) bool {
		id, is := n.(*ast.Ident)
		found = found || is && slices.Contains([]string{"OnPanic", "onPanic", "giveBack", "recover"}, id.Name)
		return true
	})
	return found
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestSecurityNamesItsTests: every test that SECURITY.md names is there, and every test that is numbered as one of its attacks is
// in the row of that attack.
func TestSecurityNamesItsTests(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(code, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{} // with its row, as in "T8 TestX"
	for _, row := range regexp.MustCompile(`(?m)^\| (T\d+) \|.*$`).FindAllStringSubmatch(string(text), -1) {
		tests := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(row[0], -1)
		if len(tests) == 0 {
			t.Errorf("nothing proves %s", row[1])
		}
		for _, m := range tests {
			if named[row[1]+" "+m[1]] = true; !there[m[1]] {
				t.Errorf("%s is proved by %s, which does not exist", row[1], m[1])
			}
		}
	}
	for name := range there {
		if m := regexp.MustCompile(`^Test(T\d+)[A-Z]`).FindStringSubmatch(name); m != nil && !named[m[1]+" "+name] {
			t.Errorf("%s does not stand in the row of %s", name, m[1])
		}
	}
}
