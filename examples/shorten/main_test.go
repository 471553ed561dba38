package main

import (
	"strings"
	"testing"

	"opentalk/plugins/sdk/sdktest"
)

func TestShorten(t *testing.T) {
	chat, err := sdktest.New(newPlugin(), sdktest.Options{Wire: true, Config: map[string]int{"lines": 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer chat.Close()
	if _, err := chat.Type("/full"); err == nil {
		t.Error("something was shortened before anything was said")
	}
	for said, want := range map[string]string{
		"hello":         "hello",
		"a\nb":          "a\nb",
		"a\nb\nc\nd":    "a\nb […]",
		"see https://x": "see https://x",
		"see https://x.example/a?utm_source=y&id=7&fbclid=z#top now": "see https://x.example/a?id=7#top now",
		"https://x.example/?utm_source=y":                            "https://x.example/",
	} {
		if r, err := chat.Say("bob", said); err != nil || r.Text != want {
			t.Errorf("%q is shown as %q, %v", said, r.Text, err)
		}
	}
	if _, err := chat.Say("bob", "1\n2\n3"); err != nil {
		t.Fatal(err)
	}
	if r, err := chat.Type("/full"); err != nil || strings.Join(r.Lines, "") != "123" {
		t.Errorf("in full: %q, %v", r.Lines, err)
	}
	if r, err := chat.Type("mine\nis\nlong"); err != nil || r.Text != "mine\nis\nlong" {
		t.Errorf("what is said here becomes %q, %v", r.Text, err)
	}
}

func TestConfig(t *testing.T) {
	for _, config := range []any{map[string]int{"lines": 0}, map[string]int{"line": 1}, map[string]string{"lines": "x"}} {
		if _, err := sdktest.New(newPlugin(), sdktest.Options{Config: config}); err == nil || !strings.Contains(err.Error(), "config: ") {
			t.Errorf("%v: %v", config, err)
		}
	}
}
