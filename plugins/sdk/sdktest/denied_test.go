package sdktest_test

import (
	"context"
	"os"
	"reflect"
	"regexp"
	"testing"

	"opentalk/plugins/hook"
	"opentalk/plugins/sdk/sdktest"
)

// bare registers one extension with some needs, and keeps its host.
type bare struct {
	hook.Extender
	needs []hook.Capability
	host  hook.Host
}

func (b *bare) Start(_ context.Context, _ hook.Hello, host hook.Host) (hook.Registration, error) {
	b.host = host
	return hook.Registration{Extensions: []hook.Extension{{Name: "bare", Needs: b.needs}}}, nil
}

func (b *bare) Stop(context.Context) error { return nil }

// call calls a method with arguments that are in order, as far as one can be without knowing what they mean.
func (b *bare) call(name string) error {
	m := reflect.ValueOf(b.host).MethodByName(name)
	in := []reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf("bare")}
	for i := 2; i < m.Type().NumIn(); i++ {
		var arg any
		switch m.Type().In(i) {
		case reflect.TypeFor[hook.Outgoing]():
			arg = hook.Outgoing{Round: "friends", Text: "x"}
		case reflect.TypeFor[hook.Query]():
			arg = hook.Query{Round: "friends", Limit: 1}
		case reflect.TypeFor[hook.TimerSetting]():
			arg = hook.TimerSetting{Name: "t"}
		case reflect.TypeFor[hook.Level]():
			arg = hook.LevelInfo
		case reflect.TypeFor[[]byte]():
			arg = []byte("x")
		default:
			arg = "friends"
			if name == "Join" {
				arg = "opentalk:friends"
			}
		}
		in = append(in, reflect.ValueOf(arg))
	}
	out := m.Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// TestWhatNeedsACapability is what HOOKS.md says does, at the fake chat, which keeps the rules of the real one.
func TestWhatNeedsACapability(t *testing.T) {
	text, err := os.ReadFile("../../hook/HOOKS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z]\\w+)` \\| (?:`(\\w+)`)? *\\|").FindAllStringSubmatch(string(text), -1)
	if want := reflect.TypeFor[hook.Host]().NumMethod(); len(rows) != want {
		t.Fatalf("HOOKS.md has %d calls, the code %d", len(rows), want)
	}
	for _, row := range rows {
		name, needs := row[1], hook.Capability(row[2])
		if name == "Register" {
			continue
		}
		for _, has := range append(hook.Capabilities(), "") {
			b := &bare{}
			if has != "" {
				b.needs = []hook.Capability{has}
			}
			chat, err := sdktest.NewExtender("bare", b, sdktest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = b.call(name)
			if denied := code(err) == hook.CodeDenied; denied != (needs != "" && has != needs) || err != nil && !denied {
				t.Errorf("%s, which needs %q, with %q: %v", name, needs, has, err)
			}
			if err := chat.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
